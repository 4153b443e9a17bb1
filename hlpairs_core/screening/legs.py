"""What the legs of pairs cost to trade, and how large they can be."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hlpairs_core._typing import BoolArray, FloatArray, IntArray
from hlpairs_core.costs import CostModel, book_depth_usd, slippage_bps, square_root_slippage_bps
from hlpairs_core.exchange.book import OrderBook
from hlpairs_core.screening.settings import ScreenSettings

__all__ = ["CoinLiquidity", "LegCosts", "price_legs"]

# A leg without notional (β = 0) is priced as a crumb: it costs nothing once weighted.
_CRUMB_USD = 1e-6


@dataclass(frozen=True, eq=False)
class CoinLiquidity:
    """What is known of each coin's liquidity; arrays have shape (n_coins,).

    Attributes
    ----------
    day_notional_usd : ndarray
        What trades in 24 hours (USD).
    day_volatility_bps : ndarray
        Standard deviation of a day's log return in the fit window (bps).
    books : mapping of int to OrderBook
        Usable books by position of the coin.
    book_depth_usd : ndarray
        The smaller visible side (USD); NaN without a book.
    """

    day_notional_usd: FloatArray
    day_volatility_bps: FloatArray
    books: Mapping[int, OrderBook]
    book_depth_usd: FloatArray

    @classmethod
    def of(
        cls,
        coins: tuple[str, ...],
        day_notional_usd: FloatArray,
        day_volatility_bps: FloatArray,
        books: Mapping[str, OrderBook],
    ) -> "CoinLiquidity":
        """Collect the coins' liquidity; a crossed or broken book counts as none."""
        usable = {i: books[coin] for i, coin in enumerate(coins) if coin in books and _is_usable(books[coin])}
        depth = np.full(len(coins), np.nan)
        for i, book in usable.items():
            depth[i] = min(book_depth_usd(book.bids), book_depth_usd(book.asks))
        return cls(day_notional_usd, day_volatility_bps, usable, depth)


@dataclass(frozen=True, eq=False)
class LegCosts:
    """Costs and caps of pairs; every array has shape (n_pairs,).

    Attributes
    ----------
    slippage_bps : ndarray
        Both legs in and out, in bps of gross notional; NaN where a visible book does not hold a leg.
    from_book : ndarray of bool
        Both coins have a book; else the square-root law.
    capacity_usd : ndarray
        Largest gross notional within the caps.
    """

    slippage_bps: FloatArray
    from_book: BoolArray
    capacity_usd: FloatArray


def price_legs(
    legs: tuple[IntArray, IntArray],
    weights: tuple[FloatArray, FloatArray],
    coins: CoinLiquidity,
    *,
    settings: ScreenSettings,
    costs: CostModel,
) -> LegCosts:
    """Price the round trip of pairs: each leg is opened and closed, against the book of today.

    A long leg buys from the asks and later sells to the bids, a short leg the other way round: either way
    both sides of the book are walked once. ``Σ_legs w_leg (buy slippage + sell slippage)``.

    Parameters
    ----------
    legs : pair of ndarray of int, shape (n_pairs,)
        Positions of y and x.
    weights : pair of ndarray
        Their shares of the gross notional.
    coins : CoinLiquidity
        Liquidity by position.
    settings, costs : ScreenSettings, CostModel
        Notional and caps; the model's half spread, coefficient and multiple.
    """
    from_book = np.isfinite(coins.book_depth_usd[legs[0]]) & np.isfinite(coins.book_depth_usd[legs[1]])
    total, capacity = np.zeros(len(from_book)), np.full(len(from_book), np.inf)
    for leg, weight in zip(legs, weights, strict=True):
        notional = np.maximum(weight * settings.notional_usd, _CRUMB_USD)
        model = 2 * square_root_slippage_bps(
            notional,
            day_notional_usd=coins.day_notional_usd[leg],
            day_volatility_bps=coins.day_volatility_bps[leg],
            half_spread_bps=costs.half_spread_bps,
            coefficient=costs.impact_coefficient,
        )
        total += weight * np.where(from_book, _book_round_trip(leg, notional, from_book, coins), model)
        with np.errstate(divide="ignore"):
            capacity = np.minimum(capacity, _leg_limit(leg, coins, settings) / weight)
    return LegCosts(costs.slippage_multiple * total, from_book, capacity)


def _book_round_trip(leg: IntArray, notional: FloatArray, from_book: BoolArray, coins: CoinLiquidity) -> FloatArray:
    cost = np.full(len(leg), np.nan)
    priced = from_book & np.isfinite(notional)
    for i, book in coins.books.items():
        rows = np.flatnonzero(priced & (leg == i))
        if len(rows) and len(book.bids) and len(book.asks):
            buy = slippage_bps(book.asks, notional[rows], mid=book.mid, action="buy")
            sell = slippage_bps(book.bids, notional[rows], mid=book.mid, action="sell")
            cost[rows] = buy + sell
    return cost


def _leg_limit(leg: IntArray, coins: CoinLiquidity, settings: ScreenSettings) -> FloatArray:
    """Return what a leg may be (USD): a book that is known limits its coin, whether the other coin has one or not."""
    by_volume = settings.max_day_volume_share * coins.day_notional_usd[leg]
    depth = coins.book_depth_usd[leg]
    by_book = np.where(np.isfinite(depth), settings.max_book_share * depth, np.inf)
    return np.asarray(np.minimum(by_volume, by_book))


def _is_usable(book: OrderBook) -> bool:
    sides = (np.asarray(book.bids, dtype=np.float64), np.asarray(book.asks, dtype=np.float64))
    sound = all(np.all(np.isfinite(side) & (side > 0)) for side in sides)
    empty = not len(sides[0]) or not len(sides[1])
    return sound and (empty or bool(sides[0][0, 0] <= sides[1][0, 0]))
