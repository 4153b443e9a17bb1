"""Fills of a backtest: sizes and prices the exchange takes, fees and slippage."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hlpairs_core._typing import FloatArray, IntArray
from hlpairs_core.backtest.position import Liquidity, Position
from hlpairs_core.costs import CostModel, check_integer, check_number, square_root_slippage_bps
from hlpairs_core.exceptions import InputError
from hlpairs_core.market.lots import round_price, round_size

__all__ = ["Broker", "coin_numbers"]


@dataclass(frozen=True, eq=False)
class Broker:
    """Executes orders at the open of a bar.

    Attributes
    ----------
    costs : CostModel
        Taker fee and slippage of each fill, on its own notional.
    sz_decimals : ndarray or None, shape (n_coins,)
        Decimals of the sizes; without them sizes and prices are not rounded.
    """

    costs: CostModel
    sz_decimals: FloatArray | None

    def size(self, units: FloatArray, legs: IntArray) -> FloatArray:
        """Round signed sizes towards 0 to what the exchange takes."""
        if self.sz_decimals is None:
            return units
        return np.asarray(np.sign(units) * round_size(np.abs(units), self.sz_decimals[legs].astype(np.int64)))

    def price(self, price: FloatArray, legs: IntArray) -> FloatArray:
        """Round prices to the coins' ticks."""
        return price if self.sz_decimals is None else round_price(price, self.sz_decimals[legs].astype(np.int64))

    def slippage_usd(self, notional: FloatArray, liquidity: Liquidity) -> FloatArray:
        """Return the slippage of fills of such notionals (USD)."""
        bps = square_root_slippage_bps(
            notional,
            day_notional_usd=liquidity.day_notional_usd,
            day_volatility_bps=liquidity.day_volatility_bps,
            half_spread_bps=self.costs.half_spread_bps,
            coefficient=self.costs.impact_coefficient,
        )
        return np.asarray(np.where(notional > 0, notional * self.costs.slippage_multiple * bps / 1e4, 0.0))

    def trade_to(self, position: Position, units: FloatArray, price: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Bring a position to new signed units at some prices; return the fee and the slippage (USD per leg)."""
        change = units - position.units
        traded = np.where(change != 0, change * np.where(change != 0, price, 0.0), 0.0)
        fee = np.abs(traded) * self.costs.taker_fee_bps / 1e4
        slippage = self.slippage_usd(np.abs(traded), position.liquidity)
        position.flow_usd = position.flow_usd - traded
        position.fee_usd = position.fee_usd + fee
        position.slippage_usd = position.slippage_usd + slippage
        position.turnover_usd += float(np.abs(traded).sum())
        position.units = np.array(units, dtype=np.float64)
        return fee, slippage


def coin_numbers(
    name: str, given: Mapping[str, float] | None, coins: tuple[str, ...], needed: set[int]
) -> FloatArray | None:
    """Read a number for each coin that is traded; NaN for the others, None where none was given.

    Raises
    ------
    InputError
        If a coin is not the panel's, a traded one has no number, or a number cannot be.
    """
    if given is None:
        return None
    unknown = sorted(set(given) - set(coins))
    if unknown:
        raise InputError(f"{name} names {unknown[0]!r}, which is no coin of the panel: leave it out")
    numbers = np.full(len(coins), np.nan)
    for column, coin in enumerate(coins):
        if coin in given:
            _check(name, coin, given[coin])
            numbers[column] = given[coin]
        elif column in needed:
            raise InputError(f"{name} lacks {coin!r}, which is traded: give it for every coin")
    return numbers


def _check(name: str, coin: str, value: float) -> None:
    if name == "sz_decimals":
        check_integer(f"{name} of {coin}", value, low=0, high=6)
    else:
        check_number(f"{name} of {coin}", value, low=1, high=1000)
