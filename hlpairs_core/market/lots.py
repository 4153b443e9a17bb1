"""Which prices and sizes the exchange takes: ticks, lots, and the smallest order.

A price has at most five significant figures and at most 6 (perpetual) or 8 (spot) decimals less those of a size;
integers are always allowed. So the tick follows from the price and grows tenfold where the price crosses a power of
ten: it is computed from each price and never kept.
"""

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from hlpairs_core._typing import FloatArray, IntArray
from hlpairs_core.costs.model import MINIMUM_ORDER_USD
from hlpairs_core.exceptions import InputError

__all__ = [
    "Direction",
    "MarketKind",
    "check_order",
    "decimals_at",
    "least_size",
    "round_price",
    "round_size",
    "tick_at",
]

Direction: TypeAlias = Literal["nearest", "down", "up"]
MarketKind: TypeAlias = Literal["perp", "spot"]

_ROUNDERS = {"nearest": np.rint, "down": np.floor, "up": np.ceil}
_MOST_DECIMALS = {"perp": 6, "spot": 8}
_SIGNIFICANT = 5
# A number this close to a tick is on it: 0.3 * 10 is not exactly 3. Relative to the number in ticks.
_ROUNDING_ERROR = 1e-12


def tick_at(price: ArrayLike, sz_decimals: ArrayLike = 0, kind: MarketKind = "perp") -> FloatArray:
    """Return the tick at a price: the distance to the next price that the exchange takes.

    Parameters
    ----------
    price : array_like
        USD, above 0. NaN stays NaN.
    sz_decimals : array_like of int
        Decimals of a size (``szDecimals``). Where it is not known, 0 gives the smallest tick that can be.
    kind : {"perp", "spot"}
        Kind of market.

    Returns
    -------
    ndarray
        USD, of the broadcast shape.

    Raises
    ------
    InputError
        For a price that is not above 0, for impossible decimals and for another kind.

    Examples
    --------
    >>> float(tick_at(1234.5, 1)), float(tick_at(99_999, 5)), float(tick_at(123_456, 5))
    (0.1, 1.0, 1.0)
    """
    prices = _checked_prices(price)
    return np.asarray(np.where(np.isnan(prices), np.nan, _power_of_ten(-_price_decimals(prices, sz_decimals, kind))))


def round_price(
    price: ArrayLike, sz_decimals: ArrayLike, kind: MarketKind = "perp", direction: Direction = "nearest"
) -> FloatArray:
    """Move prices onto the tick of their own level.

    Parameters
    ----------
    price : array_like
        USD, above 0. NaN stays NaN.
    sz_decimals : array_like of int
        Decimals of a size (``szDecimals``).
    kind : {"perp", "spot"}
        Kind of market.
    direction : {"nearest", "down", "up"}
        Down for the limit of a purchase that must not cost more, up for that of a sale. Halves go to the even tick.

    Returns
    -------
    ndarray
        Of the broadcast shape. A price that is allowed is returned as it is.

    Raises
    ------
    InputError
        As `tick_at`; also where a price is too low for the smallest tick, so that nothing would be left of it.

    Notes
    -----
    An integer above 99,999 stays, since integers are always allowed; rounding to five figures first, as the official
    SDK does for its market orders, would give 123,460 for 123,456.
    """
    prices = _checked_prices(price)
    scale = _power_of_ten(_price_decimals(prices, sz_decimals, kind))
    rounded = _on_grid(prices, scale, direction)
    if np.any(rounded == 0):
        raise InputError(
            f"a price of {float(np.nanmin(prices))!r} rounds {direction} to 0: the smallest tick here is "
            f"{float(np.min(1 / scale))!r}"
        )
    return rounded


def round_size(size: ArrayLike, sz_decimals: ArrayLike, direction: Direction = "down") -> FloatArray:
    """Move sizes onto their lot, ``10 ** -sz_decimals``.

    Parameters
    ----------
    size : array_like
        Base units, at least 0. NaN stays NaN.
    sz_decimals : array_like of int
        Decimals of a size (``szDecimals``).
    direction : {"nearest", "down", "up"}
        Down by default, never more than was meant; a size below one lot then is 0, which is no order.

    Raises
    ------
    InputError
        For a negative or infinite size, for impossible decimals and another direction.

    Examples
    --------
    >>> float(round_size(0.0147999, 4)), float(round_size(7.9, 0))
    (0.0147, 7.0)
    """
    sizes = np.asarray(size, dtype=np.float64)
    if np.any((sizes < 0) | np.isinf(sizes)):
        raise InputError(f"size is {size!r}: use finite base units of at least 0")
    return _on_grid(sizes, _power_of_ten(_checked_decimals(sz_decimals, most=18)), direction)


def least_size(price: ArrayLike, sz_decimals: ArrayLike) -> FloatArray:
    """Return the smallest size on its lot whose notional the exchange takes (`MINIMUM_ORDER_USD`).

    Raises
    ------
    InputError
        As `round_size`; also for a price that is not above 0.
    """
    return round_size(MINIMUM_ORDER_USD / _checked_prices(price), sz_decimals, "up")


def check_order(price: float, size: float, *, coin: str = "the order") -> None:
    """Refuse an order whose notional is below the exchange's minimum.

    Raises
    ------
    InputError
        Names the coin, the notional and the minimum.
    """
    notional = float(_checked_prices(price)) * size
    if not notional >= MINIMUM_ORDER_USD:
        raise InputError(
            f"{coin}: {size!r} at {price!r} is {notional:,.2f} USD, the exchange takes orders from "
            f"{MINIMUM_ORDER_USD:g} USD: trade more or leave it"
        )


def decimals_at(price: FloatArray, most: ArrayLike) -> IntArray:
    """Return how many decimals prices may have, given the `most` that any price of the coin may have; 0 for NaN."""
    with np.errstate(divide="ignore", invalid="ignore"):
        power = np.floor(np.log10(price))
        # The logarithm of a price just below a power of ten may round up to it.
        power = np.where(10.0**power > price, power - 1, power)
    return np.asarray(np.clip(np.nan_to_num(_SIGNIFICANT - 1 - power), 0, most), dtype=np.int64)


def _price_decimals(prices: FloatArray, sz_decimals: ArrayLike, kind: MarketKind) -> IntArray:
    if kind not in _MOST_DECIMALS:
        raise InputError(f"kind is {kind!r}: use 'perp' or 'spot'")
    most = _MOST_DECIMALS[kind] - _checked_decimals(sz_decimals, most=_MOST_DECIMALS[kind])
    return decimals_at(prices, most)


def _on_grid(values: FloatArray, scale: FloatArray, direction: Direction) -> FloatArray:
    if direction not in _ROUNDERS:
        raise InputError(f"direction is {direction!r}: use 'nearest', 'down' or 'up'")
    scaled = values * scale
    nearest = np.rint(scaled)
    on_grid = np.abs(scaled - nearest) <= _ROUNDING_ERROR * np.abs(scaled)
    moved: FloatArray = np.where(on_grid, nearest, _ROUNDERS[direction](scaled)) / scale
    return moved


def _power_of_ten(exponent: IntArray) -> FloatArray:
    return np.power(10.0, exponent, dtype=np.float64)


def _checked_prices(price: ArrayLike) -> FloatArray:
    prices = np.asarray(price, dtype=np.float64)
    if np.any((prices <= 0) | np.isinf(prices)):
        raise InputError(f"price is {price!r}: use finite USD above 0")
    return prices


def _checked_decimals(sz_decimals: ArrayLike, *, most: int) -> IntArray:
    decimals = np.asarray(sz_decimals)
    if not np.issubdtype(decimals.dtype, np.integer) or np.any((decimals < 0) | (decimals > most)):
        raise InputError(f"sz_decimals is {sz_decimals!r}: use whole numbers from 0 to {most}")
    return decimals.astype(np.int64)
