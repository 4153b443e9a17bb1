"""What a round trip costs with resting orders, and how often they are not filled."""

from dataclasses import dataclass

import numpy as np

from hlpairs_core._typing import BoolArray, FloatArray, IntArray
from hlpairs_core.costs.model import FILLS_PER_ROUND_TRIP, CostModel

__all__ = ["MakerCosts", "RestingOrders", "maker_round_trip"]

_FILLS_OF_A_LEG = FILLS_PER_ROUND_TRIP / 2


@dataclass(frozen=True, eq=False)
class MakerCosts:
    """Of N pairs, by what became of such orders in past bars.

    Attributes
    ----------
    cost_bps : ndarray, shape (n,)
        Expected costs of the round trip, in bps of gross notional, against a fill at the mid of the bar's open: fees,
        the half spread that a filled order gains, and what those that are not filled pay as takers a bar later. NaN
        without a bar to look at.
    unfilled : ndarray, shape (n,)
        Share of bars in which not both opening orders are filled.
    """

    cost_bps: FloatArray
    unfilled: FloatArray


@dataclass(frozen=True, eq=False)
class RestingOrders:
    """What became of orders to buy and to sell half a spread off each bar's open; arrays (n_bars, n_coins).

    Attributes
    ----------
    buy_filled, sell_filled : ndarray of bool
        Whether a later trade of the bar was at a better price than the order's. Who waits in the queue before it is not
        known: a trade at the very price does not count, one beyond it does.
    move_bps : ndarray
        From the bar's open to the next one's: what an order that was not filled pays more, if it bought.
    known : ndarray of bool
        Whether the coin traded in the bar and the next open is known.
    half_spread_bps : float
        Half the spread.
    """

    buy_filled: BoolArray
    sell_filled: BoolArray
    move_bps: FloatArray
    known: BoolArray
    half_spread_bps: float

    @classmethod
    def of(
        cls, open: FloatArray, high: FloatArray, low: FloatArray, traded: BoolArray, *, half_spread_bps: float
    ) -> "RestingOrders":
        """Read them off candles, shape (n_bars + 1, n_coins): of the last bar only the open is looked at."""
        first, off = open[:-1], half_spread_bps / 1e4
        move = 1e4 * (open[1:] / first - 1)
        bought, sold = low[:-1] < first * (1 - off), high[:-1] > first * (1 + off)
        return cls(bought, sold, move, traded[:-1] & np.isfinite(move), half_spread_bps)


def maker_round_trip(
    orders: RestingOrders,
    legs: tuple[IntArray, IntArray],
    weights: tuple[FloatArray, FloatArray],
    buys: tuple[BoolArray, BoolArray],
    *,
    slippage_bps: FloatArray,
    costs: CostModel,
) -> MakerCosts:
    """Return what pairs cost with resting orders in place of taker fills.

    All four fills rest for a bar half a spread off its open; what is not filled by then is taken at the next open, at
    the taker's fee and slippage. That costs the move meanwhile: an order to buy is left behind by a price that rises.

    Parameters
    ----------
    orders : RestingOrders
        Of the coins in past bars.
    legs : pair of ndarray of int, shape (n,)
        y and x, as columns of `orders`.
    weights : pair of ndarray, shape (n,)
        The legs' shares of the gross notional.
    buys : pair of ndarray of bool, shape (n,)
        Whether a leg is bought to open.
    slippage_bps : ndarray, shape (n,)
        Of a taker's round trip of both legs; a leg is taken to have its weight's share of it.
    costs : CostModel
        Fees.

    Returns
    -------
    MakerCosts
    """
    known = (orders.known[:, legs[0]] & orders.known[:, legs[1]]).T
    opened = [_filled(orders, leg, buy) for leg, buy in zip(legs, buys, strict=True)]
    total, missed = np.zeros(len(slippage_bps)), np.zeros(len(slippage_bps))
    for leg, weight, buy, filled in zip(legs, weights, buys, opened, strict=True):
        for side, done in ((buy, filled), (~buy, _filled(orders, leg, ~buy))):
            paid = np.where(done, costs.maker_fee_bps - orders.half_spread_bps, _taken(orders, leg, side, costs))
            total = total + weight * _mean(paid, known)
            missed = missed + weight * _mean(~done, known) / _FILLS_OF_A_LEG
    return MakerCosts(total + missed * slippage_bps, _mean(~(opened[0] & opened[1]), known))


def _filled(orders: RestingOrders, leg: IntArray, buy: BoolArray) -> BoolArray:
    return np.where(buy[:, None], orders.buy_filled[:, leg].T, orders.sell_filled[:, leg].T)


def _taken(orders: RestingOrders, leg: IntArray, buy: BoolArray, costs: CostModel) -> FloatArray:
    """Return what a fill a bar later costs more than one at this bar's open, but for slippage."""
    return np.asarray(costs.taker_fee_bps + np.where(buy, 1.0, -1.0)[:, None] * orders.move_bps[:, leg].T)


def _mean(values: "FloatArray | BoolArray", known: BoolArray) -> FloatArray:
    n = known.sum(axis=1)
    total = np.where(known, values, 0.0).sum(axis=1)
    return np.asarray(total / np.where(n > 0, n, np.nan))
