"""Numbers as the exchange writes them, and its tick and lot rules.

A price has at most five significant figures and at most ``6 - szDecimals`` decimals, a spot pair's ``8 - szDecimals``;
integers are always allowed. A size has at most ``szDecimals`` decimals. Almost every number travels as a string.
"""

from decimal import Decimal
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from hlpairs_core._typing import FloatArray, IntArray
from hlpairs_core.market.lots import decimals_at

__all__ = ["Towards", "number", "numbers", "on_lot", "on_price_tick", "on_tick", "tick_decimals"]

Towards: TypeAlias = Literal["nearest", "down", "up"]

_ROUNDERS = {"nearest": np.rint, "down": np.floor, "up": np.ceil}
# Keeps 0.3 on its tick although 0.3 * 10 is not exactly 3; far below any tick.
_SLACK = {"nearest": 0.0, "down": 1e-7, "up": -1e-7}
_PERP_DECIMALS = 6


def number(value: float) -> str:
    """Write a number as the exchange does: plain decimal notation, at least one decimal, none superfluous."""
    text = repr(value)
    return text if "e" not in text else _without_exponent(text)


def numbers(values: FloatArray) -> list[str]:
    """`number` for a whole array."""
    texts = list(map(repr, values.tolist()))
    # The shortest form has an exponent only outside this range.
    plain = (np.abs(values) >= 1e-4) & (np.abs(values) < 1e16) | (values == 0)
    for position in np.flatnonzero(~plain):
        texts[position] = number(float(values[position]))
    return texts


def tick_decimals(price: ArrayLike, price_decimals: ArrayLike) -> IntArray:
    """Return how many decimals prices may have at this level, integer array of the broadcast shape.

    Parameters
    ----------
    price : array_like
        USD. NaN is taken as a price of one digit.
    price_decimals : array_like of int
        The most that any price of the coin may have, see `Coin.price_decimals`.
    """
    return decimals_at(np.asarray(price, dtype=np.float64), price_decimals)


def on_price_tick(price: ArrayLike, price_decimals: ArrayLike, *, towards: Towards = "nearest") -> FloatArray:
    """Move prices onto the tick of their own level. NaN stays NaN; decimals as in `tick_decimals`."""
    scale = 10.0 ** tick_decimals(price, price_decimals)
    scaled = np.asarray(price, dtype=np.float64) * scale
    moved: FloatArray = _ROUNDERS[towards](scaled + _SLACK[towards]) / scale
    return moved


def on_tick(price: ArrayLike, size_decimals: ArrayLike, *, towards: Towards = "nearest") -> FloatArray:
    """`on_price_tick` of perpetuals, by the decimals of their sizes."""
    return on_price_tick(price, _PERP_DECIMALS - np.asarray(size_decimals), towards=towards)


def on_lot(size: ArrayLike, size_decimals: ArrayLike) -> FloatArray:
    """Round sizes to the nearest lot. NaN stays NaN."""
    scale = 10.0 ** np.asarray(size_decimals)
    rounded: FloatArray = np.rint(np.asarray(size, dtype=np.float64) * scale) / scale
    return rounded


def _without_exponent(text: str) -> str:
    plain = format(Decimal(text), "f")
    return plain if "." in plain else f"{plain}.0"
