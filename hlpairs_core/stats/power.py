"""What a gate can see: how often it passes pairs that are not cointegrated, and pairs that are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
from scipy.signal import lfilter

from hlpairs_core._typing import FloatArray, LagRule
from hlpairs_core.costs import check_choice, check_integer, check_number
from hlpairs_core.stats._inputs import lag_plan
from hlpairs_core.stats._null_task import Statistic, pair_statistics
from hlpairs_core.stats.mackinnon import mackinnon_p
from hlpairs_core.stats.multiplicity import benjamini_hochberg, benjamini_yekutieli

__all__ = ["DiscoveryRates", "Rate", "discovery_rates", "gate_rate", "simulate_spreads"]

Control: TypeAlias = Literal["bh", "by"]

_CONTROLS = {"bh": benjamini_hochberg, "by": benjamini_yekutieli}
# Pairs per panel: all its series are multiplied with one another, so a larger one wastes more than it saves.
_PANEL = 25
_MANY = 10**9


@dataclass(frozen=True)
class Rate:
    """A share, estimated by simulation.

    Attributes
    ----------
    rate : float
        The share; NaN where nothing was counted.
    standard_error : float
        Of the share, from the spread between independent trials.
    n_trials : int
        Number of trials.
    """

    rate: float
    standard_error: float
    n_trials: int


@dataclass(frozen=True)
class DiscoveryRates:
    """What control of the false-discovery rate finds in a universe.

    Attributes
    ----------
    found : Rate
        Share of the planted pairs with q at or below the gate.
    false : Rate
        Share of false ones among the discoveries, 0 in a universe without a discovery: its mean is the false-discovery
        rate.
    best : Rate
        Share of universes whose pair with the smallest p is a planted one.
    """

    found: Rate
    false: Rate
    best: Rate


def gate_rate(
    half_life: float | None,
    *,
    rng: np.random.Generator,
    n_bars: int = 672,
    alpha: float = 0.05,
    lag_rule: LagRule = "aic",
    max_lag: int | None = None,
    statistic: Statistic = "t",
    noise: float = 0.5,
    n_pairs: int = 2000,
) -> Rate:
    """Estimate how often independent pairs have an Engle-Granger p below `alpha`.

    Parameters
    ----------
    half_life : float or None
        Half-life of the pairs' spread (bars): the result is the gate's power. None: the spread is a random
        walk, the null hypothesis (**not** cointegrated) is true, and the result is the gate's size.
    rng : numpy.random.Generator
        Draws the pairs.
    n_bars : int
        Length T of the window.
    alpha : float
        Gate on p, in (0, 1).
    lag_rule, max_lag
        As in `engle_granger_pairs`.
    statistic : {"t", "better_t"}
        Either the test of y on x, or the better of both orientations.
    noise : float
        As in `simulate_spreads`. Without reversion, the two coins' differences are correlated by
        ``1 / sqrt(1 + noise ** 2)``; it matters for "better_t" only.
    n_pairs : int
        Independent pairs to draw.

    Raises
    ------
    InputError
        If an argument is out of range or T too short for the lag rule.

    Examples
    --------
    >>> gate_rate(6, rng=np.random.default_rng(1), n_bars=336, n_pairs=200).rate
    0.975
    """
    check_integer("n_pairs", n_pairs, low=2, high=_MANY)
    check_number("alpha", alpha, low=0, high=1, low_open=True, high_open=True)
    check_choice("statistic", statistic, get_args(Statistic))
    _check_spread(half_life, noise, n_bars)
    plan = lag_plan(n_bars, lag_rule, max_lag)
    passed = []
    for start in range(0, n_pairs, _PANEL):
        y = np.arange(min(_PANEL, n_pairs - start))
        x = np.cumsum(rng.normal(size=(n_bars, len(y))), axis=0)
        spread = simulate_spreads(half_life, (n_bars, len(y)), rng=rng, noise=noise)
        t = pair_statistics(np.hstack([x + spread, x]), y, y + len(y), plan, statistic)
        passed.append(mackinnon_p(t) < alpha)
    return _rate(np.concatenate(passed).astype(np.float64))


def discovery_rates(
    half_life: float | None,
    *,
    rng: np.random.Generator,
    n_bars: int = 672,
    n_coins: int = 100,
    n_planted: int = 5,
    control: Control = "by",
    q_max: float = 0.05,
    lag_rule: LagRule = "aic",
    max_lag: int | None = None,
    correlation: float = 0.6,
    noise: float = 0.5,
    n_universes: int = 50,
) -> DiscoveryRates:
    """Estimate what control of the false-discovery rate finds among all pairs of a universe.

    Coins are random walks with one common factor. The last `n_planted` follow one of the first each, with a spread that
    reverts; all other pairs are not cointegrated.

    Parameters
    ----------
    half_life : float or None
        Half-life of the planted spreads (bars); None plants decoys, whose spreads are random walks, and every
        discovery is false.
    rng : numpy.random.Generator
        Draws the universes.
    n_bars : int
        Length T of the window.
    n_coins, n_planted : int
        Coins, and planted pairs among them; no coin is in two.
    control : {"bh", "by"}
        Benjamini and Hochberg, or Benjamini and Yekutieli.
    q_max : float
        Gate on q, in (0, 1).
    lag_rule, max_lag
        As in `engle_granger_pairs`.
    correlation : float
        Of the differences of any two coins, in [0, 1).
    noise : float
        As in `simulate_spreads`.
    n_universes : int
        Independent universes to draw.

    Raises
    ------
    InputError
        If an argument is out of range or T too short for the lag rule.
    """
    check_integer("n_universes", n_universes, low=2, high=_MANY)
    check_integer("n_coins", n_coins, low=2, high=_MANY)
    check_integer("n_planted", n_planted, low=1, high=n_coins // 2)
    check_choice("control", control, get_args(Control))
    check_number("q_max", q_max, low=0, high=1, low_open=True, high_open=True)
    check_number("correlation", correlation, low=0, high=1, high_open=True)
    _check_spread(half_life, noise, n_bars)
    plan = lag_plan(n_bars, lag_rule, max_lag)
    x, y = np.triu_indices(n_coins, 1)
    planted = (x < n_planted) & (y == n_coins - n_planted + x)
    true = planted if half_life is not None else np.zeros_like(planted)
    found, false, best = [], [], []
    for _ in range(n_universes):
        common = np.sqrt(correlation) * rng.normal(size=(n_bars, 1))
        coins = np.cumsum(common + np.sqrt(1.0 - correlation) * rng.normal(size=(n_bars, n_coins)), axis=0)
        spreads = simulate_spreads(half_life, (n_bars, n_planted), rng=rng, noise=noise)
        coins[:, n_coins - n_planted :] = coins[:, :n_planted] + spreads
        p = mackinnon_p(pair_statistics(coins, y, x, plan, "t"))
        discovered = _CONTROLS[control](p) <= q_max
        found.append(discovered[planted].mean())
        false.append(discovered[~true].sum() / max(discovered.sum(), 1))
        best.append(float(planted[np.argmin(p)]))
    return DiscoveryRates(*(_rate(np.array(shares)) for shares in (found, false, best)))


def simulate_spreads(
    half_life: float | None, shape: tuple[int, int], *, rng: np.random.Generator, noise: float = 0.5
) -> FloatArray:
    """Draw autoregressions of order 1, one a column, that start from their own distribution.

    Parameters
    ----------
    half_life : float or None
        Bars; None gives random walks.
    shape : (int, int)
        Bars and spreads.
    rng : numpy.random.Generator
        Draws the normal shocks.
    noise : float
        Standard deviation of a shock. In `gate_rate` and `discovery_rates` that of a coin's own step is 1.
    """
    shocks = rng.normal(0.0, noise, shape)
    memory = 1.0 if half_life is None else 0.5 ** (1.0 / half_life)
    if half_life is not None:
        shocks[0] /= np.sqrt(1.0 - memory**2)
    spreads: FloatArray = lfilter([1.0], [1.0, -memory], shocks, axis=0)
    return spreads


def _rate(shares: FloatArray) -> Rate:
    error = shares.std(ddof=1) / np.sqrt(len(shares))
    return Rate(float(shares.mean()), float(error), len(shares))


def _check_spread(half_life: float | None, noise: float, n_bars: int) -> None:
    check_integer("n_bars", n_bars, low=3, high=_MANY)
    check_number("noise", noise, low=0, high=np.inf, low_open=True)
    if half_life is not None:
        check_number("half_life", half_life, low=0, high=np.inf, low_open=True)
