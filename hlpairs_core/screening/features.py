"""What is known of a pair at its signal bar beside the screen's numbers: how its spread has moved in the fit window."""

import numpy as np

from hlpairs_core._typing import BoolArray, FloatArray
from hlpairs_core.market import Panel
from hlpairs_core.screening.edge import leg_weights
from hlpairs_core.screening.liquidity import bars_per_day
from hlpairs_core.screening.pairs import PairTests
from hlpairs_core.screening.priced import CoinFacts, Columns
from hlpairs_core.screening.settings import ScreenSettings

__all__ = ["FEATURES", "describe_candidates", "half_life_bounds", "signal_age"]

FEATURES = (
    "half_life_low", "half_life_high", "crossings", "beta_drift", "spread_vol_bps", "vol_y_bps", "vol_x_bps",
    "market_beta_y", "market_beta_x", "day_notional_y_usd", "day_notional_x_usd", "funding_y_per_hour",
    "funding_x_per_hour", "signal_age_bars",
)  # fmt: skip
"""Columns that `describe_candidates` makes."""

# Two-sided 90 % of a normal distribution.
_NINETY = 1.6448536269514722


def describe_candidates(
    known: Panel, tests: PairTests, zscore: FloatArray, facts: CoinFacts, settings: ScreenSettings
) -> Columns:
    """Return the features of pairs, all from the fit window and the signal bar.

    Parameters
    ----------
    known : Panel
        The eligible coins up to the signal bar, which is its last row.
    tests : PairTests
        The pairs, as positions in `known`.
    zscore : ndarray, shape (n_pairs,)
        At the signal bar.
    facts : CoinFacts
        Of the coins.
    settings : ScreenSettings
        ``window`` and ``z_in``.
    """
    from hlpairs_core.stats._crossings import count_crossings

    y, x, beta = tests.y, tests.x, tests.beta
    # One row a coin: what belongs to a pair lies together.
    series = np.ascontiguousarray(np.log(known.tail(settings.window + 1).close).T)
    window = series[:, :-1]
    centred = window - window.mean(axis=1, keepdims=True)
    of_y, of_x = centred[y], centred[x]
    spread = of_y - beta[:, None] * of_x
    low, high = half_life_bounds(spread)
    leg_vol = facts.liquidity.day_volatility_bps / np.sqrt(bars_per_day(known.interval))
    market_beta = _market_betas(np.diff(window, axis=1))
    path = series[y] - tests.alpha[:, None] - beta[:, None] * series[x]
    ahead = np.sign(zscore)[:, None] * path >= settings.z_in * tests.sigma[:, None]
    return {
        "half_life_low": low * settings.bar_hours,
        "half_life_high": high * settings.bar_hours,
        "crossings": count_crossings(centred.T, y, x, beta),
        "beta_drift": _beta_drift(of_y, of_x),
        "spread_vol_bps": 1e4 * leg_weights(beta)[0] * np.std(np.diff(spread, axis=1), axis=1, ddof=1),
        "vol_y_bps": leg_vol[y],
        "vol_x_bps": leg_vol[x],
        "market_beta_y": market_beta[y],
        "market_beta_x": market_beta[x],
        "day_notional_y_usd": facts.liquidity.day_notional_usd[y],
        "day_notional_x_usd": facts.liquidity.day_notional_usd[x],
        "funding_y_per_hour": facts.funding.rate[y],
        "funding_x_per_hour": facts.funding.rate[x],
        "signal_age_bars": signal_age(ahead),
    }


def half_life_bounds(spread: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return a 90 % interval of the half-life (bars) of each spread, shape (n_pairs, T).

    From the slope b of ``e_t - e_{t-1} = a + b e_{t-1} + u_t`` and 1.645 of its ordinary standard errors on either
    side, each turned into ``-ln 2 / ln(1 + b)``. Description: under no reversion b is not normal. A lower bound is 0
    where its b is -1 or less, an upper bound NaN where its b is 0 or more: no reversion cannot be excluded.
    """
    before, move = spread[:, :-1], np.diff(spread, axis=1)
    level = before - before.mean(axis=1, keepdims=True)
    move = move - move.mean(axis=1, keepdims=True)
    slope, error = _slopes(move, level)
    fast, slow = slope - _NINETY * error, slope + _NINETY * error
    return np.where(fast > -1, _half_life(fast), 0.0), _half_life(slow)


def _half_life(slope: FloatArray) -> FloatArray:
    reverts = (slope > -1) & (slope < 0)
    return np.where(reverts, -np.log(2) / np.log1p(np.where(reverts, slope, -0.5)), np.nan)


def _slopes(y: FloatArray, x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Slope of each row of y on that of x, both about their means, and its ordinary standard error."""
    xx, xy, yy = (np.einsum("kt,kt->k", one, other) for one, other in ((x, x), (x, y), (y, y)))
    slope = xy / xx
    left = np.maximum(yy - slope * xy, 0.0)
    return slope, np.sqrt(left / (y.shape[1] - 2) / xx)


def _beta_drift(y: FloatArray, x: FloatArray) -> FloatArray:
    """β of the window's second half less that of its first, in standard errors of the difference."""
    half = y.shape[1] // 2
    first, second = (_about_mean(y, x, rows) for rows in (slice(0, half), slice(half, None)))
    (early, early_error), (late, late_error) = _slopes(*first), _slopes(*second)
    with np.errstate(divide="ignore", invalid="ignore"):
        drift = (late - early) / np.hypot(early_error, late_error)
    return np.where(np.isfinite(drift), drift, np.nan)


def _about_mean(y: FloatArray, x: FloatArray, rows: slice) -> tuple[FloatArray, FloatArray]:
    y, x = y[:, rows], x[:, rows]
    return y - y.mean(axis=1, keepdims=True), x - x.mean(axis=1, keepdims=True)


def _market_betas(returns: FloatArray) -> FloatArray:
    """Slope of each coin's returns, shape (n_coins, T - 1), on the mean return of all coins."""
    market = returns.mean(axis=0)
    market = market - market.mean()
    size = market @ market
    return np.asarray(returns @ market / (size if size > 0 else np.nan))


def signal_age(ahead: BoolArray) -> FloatArray:
    """Return how many bars ago each row last turned from False to True; NaN where it never did.

    Parameters
    ----------
    ahead : ndarray of bool, shape (n_pairs, n_bars)
        Whether z was at ``z_in`` or beyond, on the side on which it is now; the last bar is the signal bar.
    """
    crossed = ahead[:, 1:] & ~ahead[:, :-1]
    age = np.argmax(crossed[:, ::-1], axis=1).astype(np.float64)
    return np.where(crossed.any(axis=1), age, np.nan)
