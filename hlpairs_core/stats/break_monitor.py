from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import norm

from hlpairs_core._typing import BoolArray, FloatArray
from hlpairs_core.exceptions import InputError
from hlpairs_core.stats._monitoring import (
    fit_window,
    looks,
    monitoring_bound,
    recursive_deviations,
    recursive_residuals,
    rolling_beta,
)
from hlpairs_core.stats._spread import read_pair, read_spread, share

__all__ = ["BreakMonitor", "break_monitor"]

_LEAST_FIT, _LEAST_ROLLING = 40, 20


@dataclass(frozen=True, eq=False)
class BreakMonitor:
    """Whether, and since when, a pair has left the relation it was fitted with.

    Paths have shape (T,), are NaN within the fit window, and at bar t depend on bars up to t alone.

    Attributes
    ----------
    fit_bars : int
        Bars of the fit window: bars 0 to `fit_bars` - 1.
    beta, beta_low, beta_high : float
        Hedge ratio in the fit window and its interval.
    reversion_slope : float
        Slope of the spread on its bar before in the fit window; 1 if it did not revert there.
    error_std : float
        Standard deviation of the one-bar-ahead error in the fit window.
    cusum : ndarray
        Sum of the errors since the fit: leaves 0 when the spread's level moves or it stops reverting.
    variance_cusum : ndarray
        Sum of the absolute errors, less their mean so far: leaves 0 when the volatility changes,
        and when the level moves, as that makes errors larger too.
    boundary : ndarray
        An alarm is raised where either sum is beyond plus or minus this.
    rolling_beta : ndarray
        Hedge ratio of the last `rolling_bars` bars, once all of them are after the fit window.
    rolling_beta_low, rolling_beta_high : ndarray
        An alarm is raised where `rolling_beta` is outside, looked at four times a window.
    cusum_alarm, variance_alarm, beta_alarm : int or None
        Bar of the first alarm of each kind.
    first_alarm : int or None
        The first of them.
    first_cause : str
        "level", "variance" or "beta"; "" without an alarm.
    false_alarm_rate : float
        Probability of any alarm, however long one watches, if nothing changes.
    reason : str
        What makes the alarms doubtful; "" where nothing does.
    """

    fit_bars: int
    beta: float
    beta_low: float
    beta_high: float
    reversion_slope: float
    error_std: float
    cusum: FloatArray
    variance_cusum: FloatArray
    boundary: FloatArray
    rolling_beta: FloatArray
    rolling_beta_low: FloatArray
    rolling_beta_high: FloatArray
    cusum_alarm: int | None
    variance_alarm: int | None
    beta_alarm: int | None
    first_alarm: int | None
    first_cause: str
    false_alarm_rate: float
    reason: str


def break_monitor(
    y: pd.Series | ArrayLike,
    x: pd.Series | ArrayLike,
    *,
    fit_bars: int,
    rolling_bars: int | None = None,
    false_alarm_rate: float = 0.05,
) -> BreakMonitor:
    """Watch a pair after the window it was fitted in; what it says of bar t it would have said at bar t.

    Null hypothesis: after the fit window the pair keeps the relation ``y = alpha + beta x + spread``, with the
    same alpha, beta, speed of reversion and volatility.

    Parameters
    ----------
    y, x : Series or array_like, shape (T,)
        Log prices, one value a bar, without gaps.
    fit_bars : int
        Bars of the fit window, the first ones, at least 40 and less than T.
    rolling_bars : int, optional
        Bars of the rolling hedge ratio, at least 20; by default half of `fit_bars`.
    false_alarm_rate : float
        Probability of any alarm if nothing changes, shared equally by the three kinds. It holds for long fit
        windows; `docs/reversion.md` has what was measured.

    Returns
    -------
    BreakMonitor

    Raises
    ------
    InputError
        If a series is too short, constant (also within the fit window) or has a missing or infinite value, they
        are not on the same bars, or an option is out of range.

    Notes
    -----
    The spread of a pair is autocorrelated, and sums of it wander without any break. What is summed are therefore
    the errors of predicting it one bar ahead: recursive residuals of the regression of ``y_t - b y_{t-1}`` on a
    constant and ``x_t - b x_{t-1}``, with b from the fit window. They allow for the error of the coefficients,
    which for prices that wander off is what matters most. Their sum after k bars, divided by ``std sqrt(m)``
    with m bars in the fit, is compared with ``sqrt((1 + k / m) (a**2 + log(1 + k / m)))``, which a Wiener process
    crosses with probability ``exp(-a**2 / 2)``, however long one watches. Absolute errors are summed in the same
    way for the variance; squares of fat-tailed errors would cry wolf.

    C.-S. J. Chu, M. Stinchcombe and H. White, "Monitoring Structural Change", *Econometrica* 64 (1996),
    1045-1065. H. Robbins and D. Siegmund, "Boundary Crossing Probabilities for the Wiener Process and Sample
    Sums", *Annals of Mathematical Statistics* 41 (1970), 1410-1429 (the probability).

    The rolling hedge ratio is looked at four times a window, and its band widens so that the i-th look has the
    share ``1 / (i (i + 1))`` of the false alarms.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(4)
    >>> x = np.cumsum(0.01 * rng.normal(size=600))
    >>> y = 0.8 * x + 0.01 * rng.normal(size=600)
    >>> y[450:] += 0.03
    >>> found = break_monitor(y, x, fit_bars=300)
    >>> found.first_alarm, found.cusum_alarm, found.beta_alarm
    (461, 467, 486)
    """
    left, right = _read(y, x, fit_bars)
    window = _rolling_bars(rolling_bars, fit_bars)
    alpha = share(false_alarm_rate, "false_alarm_rate") / 3.0
    fit, slope = fit_window(left[:fit_bars], right[:fit_bars])
    quasi_y = left[1:] - fit.slope * left[:-1] - fit.mean_y
    quasi_x = right[1:] - fit.slope * right[:-1] - fit.mean_x
    errors = recursive_residuals(quasi_y, quasi_x, fit_bars - 1) / fit.error_std
    sizes = recursive_deviations(np.concatenate([fit.sizes, np.abs(errors)]), len(fit.sizes))
    passed = 1.0 + np.arange(1, len(errors) + 1) / fit_bars
    boundary = np.sqrt(passed * (monitoring_bound(alpha) ** 2 + np.log(passed)))
    cusum = np.cumsum(errors) / math.sqrt(fit_bars)
    variance_cusum = np.cumsum(sizes) / (float(fit.sizes.std(ddof=1)) * math.sqrt(fit_bars))
    rolling, half = rolling_beta(quasi_y[fit_bars - 1 :], quasi_x[fit_bars - 1 :], fit, window, alpha)
    alarms = {
        "level": _first(np.abs(cusum) > boundary, fit_bars),
        "variance": _first(np.abs(variance_cusum) > boundary, fit_bars),
        "beta": _first(looks(len(rolling), window) & (np.abs(rolling - fit.beta) > half), fit_bars),
    }
    raised = {cause: bar for cause, bar in alarms.items() if bar is not None}
    first = min(raised, key=lambda cause: raised[cause]) if raised else ""
    beta_error = float(norm.isf(0.5 * alpha)) * math.sqrt(fit.beta_variance)

    def path(values: FloatArray) -> FloatArray:
        return np.concatenate([np.full(fit_bars, np.nan), values])

    return BreakMonitor(
        fit_bars=fit_bars,
        beta=fit.beta,
        beta_low=fit.beta - beta_error,
        beta_high=fit.beta + beta_error,
        reversion_slope=fit.slope,
        error_std=fit.error_std,
        cusum=path(cusum),
        variance_cusum=path(variance_cusum),
        boundary=path(boundary),
        rolling_beta=path(rolling),
        rolling_beta_low=path(fit.beta - half),
        rolling_beta_high=path(fit.beta + half),
        cusum_alarm=alarms["level"],
        variance_alarm=alarms["variance"],
        beta_alarm=alarms["beta"],
        first_alarm=raised.get(first),
        first_cause=first,
        false_alarm_rate=false_alarm_rate,
        reason=_reason(slope),
    )


def _read(y: pd.Series | ArrayLike, x: pd.Series | ArrayLike, fit_bars: int) -> tuple[FloatArray, FloatArray]:
    left, right = read_pair(y, x, least=_LEAST_FIT + 1)
    if not _LEAST_FIT <= fit_bars < len(left):
        raise InputError(f"fit_bars must be from {_LEAST_FIT} to {len(left) - 1} of {len(left)} bars, got {fit_bars!r}")
    for name, values in (("y", left), ("x", right)):
        read_spread(values[:fit_bars], name=f"the fit window of {name}", least=_LEAST_FIT)
    return left, right


def _rolling_bars(rolling_bars: int | None, fit_bars: int) -> int:
    window = max(fit_bars // 2, _LEAST_ROLLING) if rolling_bars is None else rolling_bars
    if window < _LEAST_ROLLING:
        raise InputError(f"rolling_bars must be at least {_LEAST_ROLLING}, got {rolling_bars!r}")
    return window


def _first(alarm: BoolArray, offset: int) -> int | None:
    return int(np.argmax(alarm)) + offset if alarm.any() else None


def _reason(slope: float) -> str:
    if slope < 1.0:
        return ""
    return f"in the fit window the spread does not revert (slope {slope:.4f} on the bar before): changes are watched"
