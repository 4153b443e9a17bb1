from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import chi2, norm

from hlpairs_core.stats._ar1 import Ar1, fit_ar1
from hlpairs_core.stats._spread import positive, read_spread, share
from hlpairs_core.stats.ornstein_uhlenbeck import OrnsteinUhlenbeck

__all__ = ["OrnsteinUhlenbeckFit", "fit_ornstein_uhlenbeck"]

_LEAST = 10
Interval = tuple[float, float]


@dataclass(frozen=True)
class OrnsteinUhlenbeckFit:
    """A spread's Ornstein-Uhlenbeck process by maximum likelihood; intervals have confidence `level`.

    Attributes
    ----------
    process : OrnsteinUhlenbeck or None
        The process found; None where there is none, for which `reason` is given. All estimates are then NaN,
        except that the speed is 0 and the half-life ``inf`` for a spread that does not revert.
    mu, theta_per_hour, sigma_per_sqrt_hour, half_life_hours : float
        Its parameters.
    mu_interval : tuple of float
        From -inf to inf where a random walk is not excluded: it has no level to revert to.
    theta_interval_per_hour, half_life_interval_hours : tuple of float
        The speed reaches down to 0 and the half-life up to ``inf`` where a random walk is not excluded; the
        speed reaches up to ``inf`` and the half-life down to 0 where reversion within a bar is not.
    sigma_interval_per_sqrt_hour : tuple of float
        NaN where `sigma_per_sqrt_hour` is.
    log_likelihood : float
        Of the bars after the first, given the first.
    level : float
        Confidence level of the intervals.
    n_bars : int
        Bars used.
    reason : str
        Why there is no process; "" where there is one.
    """

    process: OrnsteinUhlenbeck | None
    mu: float
    theta_per_hour: float
    sigma_per_sqrt_hour: float
    half_life_hours: float
    mu_interval: Interval
    theta_interval_per_hour: Interval
    sigma_interval_per_sqrt_hour: Interval
    half_life_interval_hours: Interval
    log_likelihood: float
    level: float
    n_bars: int
    reason: str


def fit_ornstein_uhlenbeck(
    spread: pd.Series | ArrayLike, *, bar_hours: float = 1.0, level: float = 0.95
) -> OrnsteinUhlenbeckFit:
    """Fit an Ornstein-Uhlenbeck process to a spread by maximum likelihood, with intervals.

    Parameters
    ----------
    spread : Series or array_like, shape (T,)
        The spread, one value a bar, equally spaced and without gaps, T >= 10.
    bar_hours : float
        Length of a bar in hours.
    level : float
        Confidence level of the intervals.

    Returns
    -------
    OrnsteinUhlenbeckFit

    Raises
    ------
    InputError
        If the spread is too short, constant or has a missing or infinite value, or an option is out of range.

    See Also
    --------
    half_life : the half-life without the bias that maximum likelihood has.

    Notes
    -----
    Seen every dt hours the process is an autoregression with slope ``exp(-theta dt)``, intercept
    ``mu (1 - slope)`` and error variance ``sigma**2 (1 - slope**2) / (2 theta)``, exactly. The likelihood given
    the first bar is therefore that of least squares, and the estimates are functions of its coefficients
    (C. Y. Tang and S. X. Chen, "Parameter Estimation and Bias Correction for Diffusion Processes", *Journal of
    Econometrics* 149 (2009), 65-81). The speed comes out too fast: in the first order by ``4 / (T dt)``.

    The intervals of theta, the half-life and mu are of the profile likelihood, in closed form because each
    fixes one linear combination of the coefficients; for mu this is Fieller's interval. That of sigma is of the
    delta method, for its logarithm. All rest on large-sample theory, which near a random walk is optimistic.

    Examples
    --------
    >>> import numpy as np
    >>> from hlpairs_core.stats import OrnsteinUhlenbeck
    >>> process = OrnsteinUhlenbeck(mu=0.0, theta_per_hour=0.1, sigma_per_sqrt_hour=0.01)
    >>> fit = fit_ornstein_uhlenbeck(process.draw(1000, rng=np.random.default_rng(3)))
    >>> round(fit.theta_per_hour, 3), [round(end, 3) for end in fit.theta_interval_per_hour]
    (0.101, [0.072, 0.13])
    """
    values = read_spread(spread, least=_LEAST)
    positive(bar_hours, "bar_hours")
    share(level, "level")
    ar1 = fit_ar1(values)
    process, reason = _process(ar1, bar_hours)
    slow, fast = _theta_interval(ar1, level, bar_hours)
    reverts = ar1.slope < 1.0
    return OrnsteinUhlenbeckFit(
        process=process,
        mu=process.mu if process else math.nan,
        theta_per_hour=process.theta_per_hour if process else math.nan if reverts else 0.0,
        sigma_per_sqrt_hour=process.sigma_per_sqrt_hour if process else math.nan,
        half_life_hours=process.half_life_hours if process else math.nan if reverts else math.inf,
        mu_interval=_mu_interval(ar1, level),
        theta_interval_per_hour=(slow, fast),
        sigma_interval_per_sqrt_hour=_sigma_interval(ar1, process, level),
        half_life_interval_hours=(_halving(fast), _halving(slow)),
        log_likelihood=_log_likelihood(ar1),
        level=level,
        n_bars=len(values),
        reason=reason,
    )


def _process(ar1: Ar1, bar_hours: float) -> tuple[OrnsteinUhlenbeck | None, str]:
    slope = ar1.slope
    if slope >= 1.0:
        return None, f"it does not revert: the slope on the bar before is {slope:.4f}"
    if slope <= 0.0:
        return None, f"it reverts within a bar, no speed can be told: the slope on the bar before is {slope:.4f}"
    if ar1.ssr <= 1e-20 * ar1.lagged_squares:
        return None, f"it has no noise: every bar is {slope:.4f} times the one before it, plus a constant"
    theta = -math.log(slope) / bar_hours
    sigma = math.sqrt(ar1.ssr / ar1.n_obs * 2.0 * theta / (1.0 - slope**2))
    return OrnsteinUhlenbeck(ar1.intercept / (1.0 - slope), theta, sigma), ""


def _log_likelihood(ar1: Ar1) -> float:
    variance = ar1.ssr / ar1.n_obs
    return -0.5 * ar1.n_obs * (math.log(2.0 * math.pi * variance) + 1.0) if variance > 0.0 else math.inf


def _profile_radius(ar1: Ar1, level: float) -> float:
    """How far the sum of squares may rise above its least within the likelihood-ratio interval."""
    return ar1.ssr * math.expm1(float(chi2.ppf(level, 1)) / ar1.n_obs)


def _theta_interval(ar1: Ar1, level: float, bar_hours: float) -> Interval:
    half = math.sqrt(_profile_radius(ar1, level) / ar1.lagged_squares)
    return _speed(ar1.slope + half, bar_hours), _speed(ar1.slope - half, bar_hours)


def _speed(slope: float, bar_hours: float) -> float:
    if slope >= 1.0:
        return 0.0
    return -math.log(slope) / bar_hours if slope > 0.0 else math.inf


def _halving(speed: float) -> float:
    return math.log(2.0) / speed if speed > 0.0 else math.inf


def _mu_interval(ar1: Ar1, level: float) -> Interval:
    """All mu at which fixing ``intercept = mu (1 - slope)`` raises the sum of squares by no more than allowed.

    About the mean of the lagged bars, slope and level are uncorrelated: a quadratic inequality in mu.
    """
    gap = 1.0 - ar1.slope
    drift = ar1.intercept - gap * ar1.lagged_mean
    radius = _profile_radius(ar1, level)
    square = gap**2 - radius / ar1.lagged_squares
    if square <= 0.0:
        return -math.inf, math.inf
    constant = drift**2 - radius / ar1.n_obs
    centre = gap * drift / square
    half = math.sqrt(max(centre**2 - constant / square, 0.0))
    return ar1.lagged_mean + centre - half, ar1.lagged_mean + centre + half


def _sigma_interval(ar1: Ar1, process: OrnsteinUhlenbeck | None, level: float) -> Interval:
    if process is None:
        return math.nan, math.nan
    slope, log_slope = ar1.slope, math.log(ar1.slope)
    slope_variance = ar1.ssr / ar1.n_obs / ar1.lagged_squares
    # Derivative of log sigma**2 = log(error variance) + log(-2 log slope) - log(1 - slope**2).
    gradient = 1.0 / (slope * log_slope) + 2.0 * slope / (1.0 - slope**2)
    error = math.sqrt(2.0 / ar1.n_obs + gradient**2 * slope_variance)
    factor = math.exp(0.5 * float(norm.ppf(0.5 + 0.5 * level)) * error)
    return process.sigma_per_sqrt_hour / factor, process.sigma_per_sqrt_hour * factor
