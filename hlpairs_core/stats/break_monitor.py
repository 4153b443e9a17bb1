from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.stats import norm
from scipy.stats import t as student

from hlpairs_core._typing import BoolArray, FloatArray
from hlpairs_core.exceptions import InputError
from hlpairs_core.stats._ar1 import fit_ar1
from hlpairs_core.stats._spread import read_spread, share

__all__ = ["BreakMonitor", "break_monitor"]

_LEAST_FIT, _LEAST_ROLLING = 40, 20
# How often the rolling hedge ratio is looked at while its window passes once.
_LOOKS = 4


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


@dataclass(frozen=True, eq=False)
class _Fit:
    """Regression of the quasi-differences ``y_t - slope y_{t-1}`` on those of x, about their means.

    `sizes` are its absolute errors in their standard deviations.
    """

    slope: float
    mean_y: float
    mean_x: float
    beta: float
    beta_variance: float
    error_std: float
    sizes: FloatArray


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
        If a series is too short, constant (also within the fit window) or has a missing or infinite value, their
        lengths differ, or an option is out of range.

    Notes
    -----
    The spread of a pair is autocorrelated, and sums of it wander without any break. What is summed are therefore
    the errors of predicting it one bar ahead: recursive residuals of the regression of ``y_t - b y_{t-1}`` on a
    constant and ``x_t - b x_{t-1}``, with b from the fit window. They allow for the error of the coefficients,
    which for prices that wander off is what matters most. Their sum after k bars, divided by ``std sqrt(m)``
    with m bars in the fit, is compared with ``sqrt((1 + k / m) (a**2 + log(1 + k / m)))``, which a Wiener process
    crosses with the probability ``2 (1 - Phi(a) + a phi(a))``, however long one watches: C.-S. J. Chu,
    M. Stinchcombe and H. White, "Monitoring Structural Change", *Econometrica* 64 (1996), 1045-1065. Absolute
    errors are summed in the same way for the variance; squares of fat-tailed errors would cry wolf.

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
    (462, 468, None)
    """
    left, right = _read(y, x, fit_bars)
    window = _rolling_bars(rolling_bars, fit_bars)
    alpha = share(false_alarm_rate, "false_alarm_rate") / 3.0
    fit, slope = _fit(left[:fit_bars], right[:fit_bars])
    quasi_y = left[1:] - fit.slope * left[:-1] - fit.mean_y
    quasi_x = right[1:] - fit.slope * right[:-1] - fit.mean_x
    errors = _recursive_residuals(quasi_y, quasi_x, fit_bars - 1) / fit.error_std
    sizes = _recursive_deviations(np.concatenate([fit.sizes, np.abs(errors)]), len(fit.sizes))
    passed = 1.0 + np.arange(1, len(errors) + 1) / fit_bars
    boundary = np.sqrt(passed * (_monitoring_bound(alpha) ** 2 + np.log(passed)))
    cusum = np.cumsum(errors) / math.sqrt(fit_bars)
    variance_cusum = np.cumsum(sizes) / (float(fit.sizes.std(ddof=1)) * math.sqrt(fit_bars))
    rolling, half = _rolling_beta(quasi_y[fit_bars - 1 :], quasi_x[fit_bars - 1 :], fit, window, alpha)
    alarms = {
        "level": _first(np.abs(cusum) > boundary, fit_bars),
        "variance": _first(np.abs(variance_cusum) > boundary, fit_bars),
        "beta": _first(_looks(len(rolling), window) & (np.abs(rolling - fit.beta) > half), fit_bars),
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
    left, right = read_spread(y, name="y", least=_LEAST_FIT + 1), read_spread(x, name="x", least=_LEAST_FIT + 1)
    if len(left) != len(right):
        raise InputError(f"y has {len(left)} bars and x has {len(right)}: give both on the same bars")
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


def _fit(y: FloatArray, x: FloatArray) -> tuple[_Fit, float]:
    """Fit the window: least squares, the reversion of its residual, and least squares of the quasi-differences."""
    centred = x - x.mean()
    spread = y - y.mean() - (centred @ y) / (centred @ centred) * centred
    size = float(np.abs(y).max())
    if float(np.abs(spread).max()) <= 1e-9 * size:
        raise InputError("y and x are collinear in the fit window: there is no spread to watch")
    ar1 = fit_ar1(spread)
    # Two coefficients were taken out of the spread, so its slope is biased twice as much as Kendall's.
    slope = (ar1.n_obs * ar1.slope + 2.0) / (ar1.n_obs - 6.0)
    used = min(slope, 1.0)
    quasi_y, quasi_x = y[1:] - used * y[:-1], x[1:] - used * x[:-1]
    mean_y, mean_x = float(quasi_y.mean()), float(quasi_x.mean())
    quasi_y, quasi_x = quasi_y - mean_y, quasi_x - mean_x
    squares = float(quasi_x @ quasi_x)
    beta = float(quasi_x @ quasi_y) / squares
    errors = quasi_y - beta * quasi_x
    variance = float(errors @ errors) / (len(errors) - 3)
    error_std = math.sqrt(variance)
    return _Fit(used, mean_y, mean_x, beta, variance / squares, error_std, np.abs(errors) / error_std), slope


def _recursive_residuals(y: FloatArray, x: FloatArray, first: int) -> FloatArray:
    """Errors, from `first` on, of predicting y from x with all observations before, scaled to equal variance."""
    count = np.arange(first, len(y), dtype=np.float64)
    mean_x, mean_y = _sums_before(x, first) / count, _sums_before(y, first) / count
    xx = _sums_before(x * x, first) - count * mean_x**2
    beta = (_sums_before(x * y, first) - count * mean_x * mean_y) / xx
    away = x[first:] - mean_x
    residuals: FloatArray = (y[first:] - mean_y - beta * away) / np.sqrt(1.0 + 1.0 / count + away**2 / xx)
    return residuals


def _recursive_deviations(values: FloatArray, first: int) -> FloatArray:
    """Distance, from `first` on, of each value from the mean of all before it, scaled to equal variance."""
    count = np.arange(first, len(values), dtype=np.float64)
    deviations: FloatArray = (values[first:] - _sums_before(values, first) / count) / np.sqrt(1.0 + 1.0 / count)
    return deviations


def _sums_before(values: FloatArray, first: int) -> FloatArray:
    sums: FloatArray = np.cumsum(values)[first - 1 : -1]
    return sums


def _rolling_beta(
    quasi_y: FloatArray, quasi_x: FloatArray, fit: _Fit, window: int, alpha: float
) -> tuple[FloatArray, FloatArray]:
    """Slope of the last `window` bars and how far it may be from the fit's."""
    n_bars = len(quasi_y)
    rolling, half = np.full(n_bars, np.nan), np.full(n_bars, np.nan)
    if n_bars < window:
        return rolling, half
    sum_x, sum_y = _last(quasi_x, window), _last(quasi_y, window)
    xx = _last(quasi_x**2, window) - sum_x**2 / window
    xy = _last(quasi_x * quasi_y, window) - sum_x * sum_y / window
    yy = _last(quasi_y**2, window) - sum_y**2 / window
    with np.errstate(divide="ignore", invalid="ignore"):
        beta = np.where(xx > 0.0, xy / xx, np.nan)
        variance = np.maximum(yy - beta * xy, 0.0) / (window - 2) / xx
    look = 1 + np.arange(n_bars - window + 1) // (window // _LOOKS)
    critical = student.isf(0.5 * alpha / (look * (look + 1.0)), window - 2)
    rolling[window - 1 :] = beta
    half[window - 1 :] = critical * np.sqrt(variance + fit.beta_variance)
    return rolling, half


def _looks(n_bars: int, window: int) -> BoolArray:
    """The bars after the fit at which the rolling hedge ratio is looked at."""
    since = np.arange(1, n_bars + 1) - window
    looked: BoolArray = (since >= 0) & (since % (window // _LOOKS) == 0)
    return looked


def _last(values: FloatArray, window: int) -> FloatArray:
    """Sums over the last `window` values."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    sums: FloatArray = total[window:] - total[:-window]
    return sums


def _monitoring_bound(alpha: float) -> float:
    """The a of the boundary that a Wiener process ever crosses with probability `alpha`."""
    return float(brentq(lambda a: 2.0 * (norm.sf(a) + a * norm.pdf(a)) - alpha, 0.0, 40.0))


def _first(alarm: BoolArray, offset: int) -> int | None:
    return int(np.argmax(alarm)) + offset if alarm.any() else None


def _reason(slope: float) -> str:
    if slope < 1.0:
        return ""
    return f"in the fit window the spread does not revert (slope {slope:.4f} on the bar before): changes are watched"
