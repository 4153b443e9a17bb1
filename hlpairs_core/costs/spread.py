"""Bid-ask spreads estimated from candles, for times of which no order book was recorded.

A trade at the bid or the ask lies half a spread off the fair price, and the candle's extremes and ends are such trades:
products of returns that share one of them have an expectation that holds the squared spread and nothing else. The
estimates are of the spread that was paid, averaged over the bars; they are noisy where the spread is small beside the
volatility of a bar.
"""

from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from hlpairs_core._typing import BoolArray, FloatArray
from hlpairs_core.costs.checks import check_choice, check_integer
from hlpairs_core.exceptions import InputError

if TYPE_CHECKING:
    from hlpairs_core.market import Panel

__all__ = ["SpreadMethod", "abdi_ranaldo_spread", "edge_spread", "half_spread_from_candles"]

SpreadMethod: TypeAlias = Literal["edge", "abdi_ranaldo"]


def edge_spread(open: ArrayLike, high: ArrayLike, low: ArrayLike, close: ArrayLike) -> FloatArray:
    """Estimate the bid-ask spread from all four prices of candles (EDGE).

    Parameters
    ----------
    open, high, low, close : array_like, shape (n_bars,) or (n_bars, n_coins)
        USD, ascending in time. A bar without a trade repeats the last price; NaN: no bar, which leaves out whatever
        needs it.

    Returns
    -------
    ndarray, shape () or (n_coins,)
        Spread as a fraction of the price (ask less bid, 0.001 is 10 bps). **Signed**: it is the root of an estimated
        square, which comes out negative by chance where the spread is small; the sign is that of the square. Averaging
        the absolute values instead would take noise for spread. NaN where fewer than two bars moved, or where no open
        or no close differs from an extreme.

    Raises
    ------
    InputError
        If the shapes differ or a price is not above 0.

    Notes
    -----
    Ardia, Guidotti and Kroencke (2024), "Efficient estimation of bid-ask spreads from open, high, low, and close
    prices", Journal of Financial Economics 161. With logarithms o, h, l, c, the mid-range η = (h + l) / 2 and the bar
    before marked ', two moments equal the squared spread: of (η-o)(o-η') and (η-c')(c'-η'), and of (η-o)(o-c') and
    (o-c')(c'-η'), each times -4 over the share of opens (closes) that lie within the bar, extremes counted half;
    returns are demeaned over the bars that moved. The two are weighted by each other's variance.
    """
    prices = _logs(open=open, high=high, low=low, close=close)
    o, h, low_ = (prices[name][1:] for name in ("open", "high", "low"))
    h1, l1, c1 = (prices[name][:-1] for name in ("high", "low", "close"))
    mid, mid1 = (h + low_) / 2, (h1 + l1) / 2
    moved = _indicator((h != low_) | (low_ != c1), h + low_ + c1)
    # How often an open (a close) is an extreme of its bar, each end counted by itself.
    opens = _mean(moved * _indicator(o != h, o + h)) + _mean(moved * _indicator(o != low_, o + low_))
    closes = _mean(moved * _indicator(c1 != h1, c1 + h1)) + _mean(moved * _indicator(c1 != l1, c1 + l1))
    with np.errstate(divide="ignore", invalid="ignore"):
        weight_open, weight_close = -4 / opens, -4 / closes
        share = _mean(moved)
        from_open, from_close, over_night = (
            change - _mean(change) / share * moved for change in (mid - o, mid - c1, o - c1)
        )
        first = weight_open * from_open * (o - mid1) + weight_close * from_close * (c1 - mid1)
        second = weight_open * from_open * (o - c1) + weight_close * over_night * (c1 - mid1)
    defined = (np.nansum(moved, axis=0) >= 2) & (opens > 0) & (closes > 0)
    return _signed_root(np.where(defined, _weighted(first, second), np.nan))


def abdi_ranaldo_spread(high: ArrayLike, low: ArrayLike, close: ArrayLike) -> FloatArray:
    """Estimate the bid-ask spread from high, low and close of candles.

    ``S² = 4 mean((c - η)(c - η⁺))`` with the mid-range η = (h + l) / 2 of a bar and η⁺ of the next one: Abdi and
    Ranaldo (2017), "A simple estimation of bid-ask spreads from daily close, high, and low prices", Review of Financial
    Studies 30, the version whose mean is over the whole window. It supposes that a bar has many trades: with few, the
    close is often an extreme and the estimate is too low.

    Parameters
    ----------
    high, low, close : array_like, shape (n_bars,) or (n_bars, n_coins)
        As in `edge_spread`. Pairs of bars of which one did not move tell nothing of the spread and are left out.

    Returns
    -------
    ndarray, shape () or (n_coins,)
        As in `edge_spread`, signed. NaN without two bars that moved, one after the other.

    Raises
    ------
    InputError
        As `edge_spread`.
    """
    prices = _logs(high=high, low=low, close=close)
    h, low_, c = prices["high"], prices["low"], prices["close"]
    mid = (h + low_) / 2
    moved = h != low_
    square = 4 * (c[:-1] - mid[:-1]) * (c[:-1] - mid[1:])
    return _signed_root(_mean(np.where(moved[:-1] & moved[1:], square, np.nan)))


def half_spread_from_candles(
    panel: "Panel", *, tick: ArrayLike, method: SpreadMethod = "edge", least_bars: int = 48
) -> FloatArray:
    """Estimate half the bid-ask spread of every coin of a panel, in bps of the price.

    Parameters
    ----------
    panel : Panel
        The window, closed bars only. Short bars tell more: the spread is the same and the volatility lower.
    tick : array_like
        USD, of each coin or of all: ``tick_at(panel.close[-1], sz_decimals)``. Half of it, in bps of the coin's last
        close, is the least that is returned.
    method : {"edge", "abdi_ranaldo"}
        Which estimator.
    least_bars : int
        How many bars with a trade a coin needs.

    Returns
    -------
    ndarray, shape (n_coins,)
        Half a spread (bps). An estimate that is not positive says that the spread is too small to be seen: half a tick.
        NaN: unknown, for a coin with too few bars or without an estimate. Never 0.

    Raises
    ------
    InputError
        For another method, or a tick that is not above 0.
    """
    check_choice("method", method, ("edge", "abdi_ranaldo"))
    check_integer("least_bars", least_bars, low=2, high=10**9)
    ticks = np.broadcast_to(np.asarray(tick, dtype=np.float64), (panel.n_coins,))
    if not np.all((ticks > 0) | np.isnan(ticks)):
        raise InputError(f"tick is {tick!r}: use USD above 0")
    spread = (
        edge_spread(panel.open, panel.high, panel.low, panel.close)
        if method == "edge"
        else abdi_ranaldo_spread(panel.high, panel.low, panel.close)
    )
    known = np.isfinite(spread) & (np.sum(panel.traded, axis=0) >= least_bars)
    least = 1e4 * ticks / 2 / _last(panel.close)
    return np.where(known, np.maximum(1e4 * spread / 2, least), np.nan)


def _logs(**prices: ArrayLike) -> dict[str, FloatArray]:
    given = {name: np.asarray(values, dtype=np.float64) for name, values in prices.items()}
    shapes = {values.shape for values in given.values()}
    if len(shapes) > 1 or len(next(iter(shapes))) not in (1, 2):
        raise InputError(f"prices have the shapes {sorted(shapes)}: use one shape, (n_bars,) or (n_bars, n_coins)")
    for name, values in given.items():
        if np.any(values <= 0):
            raise InputError(f"{name} is {float(np.nanmin(values))!r}: use prices above 0")
    return {name: np.log(values) for name, values in given.items()}


def _indicator(true: BoolArray, known: FloatArray) -> FloatArray:
    return np.where(np.isnan(known), np.nan, true.astype(np.float64))


def _mean(values: FloatArray) -> FloatArray:
    """Mean over the bars that are known; NaN, without a warning, where none is."""
    known = np.isfinite(values)
    count = np.sum(known, axis=0)
    total = np.sum(np.where(known, values, 0.0), axis=0)
    return np.asarray(total / np.where(count > 0, count, np.nan))


def _weighted(first: FloatArray, second: FloatArray) -> FloatArray:
    """Weight two moments by each other's variance; equally where neither varies."""
    mean_1, mean_2 = _mean(first), _mean(second)
    var_1, var_2 = _mean(first**2) - mean_1**2, _mean(second**2) - mean_2**2
    total = var_1 + var_2
    weighted = (var_2 * mean_1 + var_1 * mean_2) / np.where(total > 0, total, np.nan)
    return np.asarray(np.where(total > 0, weighted, (mean_1 + mean_2) / 2))


def _signed_root(square: FloatArray) -> FloatArray:
    return np.asarray(np.sign(square) * np.sqrt(np.abs(square)))


def _last(close: FloatArray) -> FloatArray:
    """Each coin's last known close."""
    known = np.isfinite(close)
    rows = len(close) - 1 - np.argmax(known[::-1], axis=0)
    return np.asarray(close[rows, np.arange(close.shape[1])])
