"""Everything there is to say about how a spread reverts, in one object."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from hlpairs_core.exceptions import InputError
from hlpairs_core.stats._spread import positive, read_spread
from hlpairs_core.stats.half_life import HalfLife, HalfLifeMethod, half_life
from hlpairs_core.stats.hurst import hurst_exponent
from hlpairs_core.stats.ornstein_uhlenbeck_fit import OrnsteinUhlenbeckFit, fit_ornstein_uhlenbeck
from hlpairs_core.stats.variance_ratio import VarianceRatio, variance_ratio

__all__ = ["Reversion", "ZeroCrossings", "reversion", "zero_crossings"]

_LEAST = 40


@dataclass(frozen=True)
class ZeroCrossings:
    """How often a spread passed a level.

    Attributes
    ----------
    level : float
        The level.
    count : int
        Times it was passed. A bar on the level counts for the side the spread came from.
    mean_bars_between, mean_hours_between : float
        Bars and hours of the spread for each of them; ``inf`` if there was none.
    """

    level: float
    count: int
    mean_bars_between: float
    mean_hours_between: float


@dataclass(frozen=True)
class Reversion:
    """How a spread reverts: a description of the bars given, not a forecast.

    Attributes
    ----------
    half_life : HalfLife
        The half-life with its bias taken off, and its interval.
    ornstein_uhlenbeck : OrnsteinUhlenbeckFit
        The process by maximum likelihood, bias left in.
    hurst_structure, hurst_dfa : float
        Hurst exponent by the structure function and by detrended fluctuation analysis.
    variance_ratio : VarianceRatio
        Variance ratio and its test.
    zero_crossings : ZeroCrossings
        Crossings of the mean.
    n_bars : int
        Bars used.
    bar_hours : float
        Length of a bar in hours.
    """

    half_life: HalfLife
    ornstein_uhlenbeck: OrnsteinUhlenbeckFit
    hurst_structure: float
    hurst_dfa: float
    variance_ratio: VarianceRatio
    zero_crossings: ZeroCrossings
    n_bars: int
    bar_hours: float

    @property
    def reverts(self) -> bool:
        """Whether a random walk is outside the half-life's interval."""
        return math.isfinite(self.half_life.high_bars)


def reversion(
    spread: pd.Series | ArrayLike,
    *,
    bar_hours: float = 1.0,
    level: float = 0.95,
    half_life_method: HalfLifeMethod = "median_unbiased",
    horizon_bars: int = 10,
) -> Reversion:
    """Measure how a spread reverts in every way there is here; `docs/reversion.md` says which says what.

    Parameters
    ----------
    spread : Series or array_like, shape (T,)
        The spread, one value a bar, equally spaced and without gaps, T >= 40.
    bar_hours : float
        Length of a bar in hours.
    level : float
        Confidence level of the intervals.
    half_life_method : {"median_unbiased", "kendall", "least_squares"}
        As for `half_life`; "kendall" is the fast one.
    horizon_bars : int
        Horizon of the variance ratio.

    Returns
    -------
    Reversion

    Raises
    ------
    InputError
        If the spread is too short, constant or has a missing or infinite value, or an option is out of range.

    Notes
    -----
    With a hedge ratio that was estimated on the same bars every measure here comes out too favourable.

    Examples
    --------
    >>> import numpy as np
    >>> from hlpairs_core.stats import OrnsteinUhlenbeck
    >>> process = OrnsteinUhlenbeck(mu=0.0, theta_per_hour=0.1, sigma_per_sqrt_hour=0.01)
    >>> found = reversion(process.draw(500, rng=np.random.default_rng(2)))
    >>> found.reverts, round(found.half_life.hours, 1), found.zero_crossings.count
    (True, 5.4, 85)
    """
    values = read_spread(spread, least=_LEAST)
    return Reversion(
        half_life=half_life(values, method=half_life_method, bar_hours=bar_hours, level=level),
        ornstein_uhlenbeck=fit_ornstein_uhlenbeck(values, bar_hours=bar_hours, level=level),
        hurst_structure=hurst_exponent(values, method="structure"),
        hurst_dfa=hurst_exponent(values, method="dfa"),
        variance_ratio=variance_ratio(values, horizon_bars=horizon_bars),
        zero_crossings=zero_crossings(values, bar_hours=bar_hours),
        n_bars=len(values),
        bar_hours=bar_hours,
    )


def zero_crossings(
    spread: pd.Series | ArrayLike, *, level: float | None = None, bar_hours: float = 1.0
) -> ZeroCrossings:
    """Count how often a spread passes a level, by default its mean.

    A spread with an autoregressive slope b is expected to cross every ``pi / arccos(b)`` bars; few crossings of
    a spread with a short half-life mean that it jumped rather than reverted.

    Parameters
    ----------
    spread : Series or array_like, shape (T,)
        The spread, one value a bar, without gaps, T >= 2.
    level : float, optional
        The level; the mean of the spread if none is given.
    bar_hours : float
        Length of a bar in hours.

    Returns
    -------
    ZeroCrossings

    Raises
    ------
    InputError
        If the spread is too short, constant or has a missing or infinite value, or an option is not finite.
    """
    values = read_spread(spread, least=2)
    positive(bar_hours, "bar_hours")
    at = float(values.mean()) if level is None else float(level)
    if not math.isfinite(at):
        raise InputError(f"level must be finite, got {level!r}")
    sides = np.sign(values - at)
    sides = sides[sides != 0.0]
    count = int(np.count_nonzero(sides[1:] != sides[:-1]))
    bars = (len(values) - 1) / count if count else math.inf
    return ZeroCrossings(at, count, bars, bars * bar_hours)
