"""Best prices of all coins at one moment: they follow the mid, and meet each trade where it happens."""

from dataclasses import dataclass

import numpy as np

from hlpairs_core._typing import BoolArray, FloatArray, IntArray
from hlpairs_core.simulation.noise import Stream, normals
from hlpairs_core.simulation.prints import Prints
from hlpairs_core.simulation.steps import Steps
from hlpairs_core.simulation.wire import on_price_tick

__all__ = ["Quotes", "quotes_at"]

# Between two trades the mid wanders, and is where the next one will be after this part of the time.
_ARRIVED = 0.8
_WANDER_MS = np.array([250, 1000, 4000])


@dataclass(frozen=True, eq=False)
class Quotes:
    """Best prices of all coins, arrays of shape (n_coins,), USD; NaN for a coin without a book."""

    bid: FloatArray
    ask: FloatArray
    mid: FloatArray


@dataclass(frozen=True, eq=False)
class _Ends:
    """The trade before or after a moment, or the end of the step where there is none; shape (n_coins,)."""

    traded: BoolArray
    at_ms: FloatArray
    price: FloatArray
    is_buy: BoolArray
    mid: FloatArray

    @classmethod
    def of(
        cls, prints: Prints, steps: Steps, position: IntArray, traded: BoolArray, otherwise: tuple[int, FloatArray]
    ) -> "_Ends":
        at = np.where(traded, position, 0)
        price, is_buy = np.append(prints.price, np.nan)[at], np.append(prints.is_buy, True)[at]
        mid = price - np.where(is_buy, 1.0, -1.0) * steps.shape.half_spread
        moment, corner = otherwise
        return cls(
            traded=traded,
            at_ms=np.where(traded, np.append(prints.time_ms, 0)[at], moment).astype(np.float64),
            price=price,
            is_buy=is_buy,
            mid=np.where(traded, mid, corner),
        )


def quotes_at(steps: Steps, prints: Prints, step: int, time_ms: int, price_decimals: IntArray) -> Quotes:
    """Return the quotes at a moment inside a step; just after a trade they still show where it was.

    Parameters
    ----------
    steps : Steps
        One bar of all coins.
    prints : Prints
        The trades of all coins in the step.
    step : int
        Its number.
    time_ms : int
        The moment.
    price_decimals : ndarray of int, shape (n_coins,)
        The most decimals of each coin's prices.
    """
    shape = steps.shape
    opened = int(shape.open_ms[0]) + step * shape.step_ms
    done = prints.until(time_ms)
    corners = steps.path.mids[:, step], steps.path.mids[:, step + 1]
    last = _Ends.of(prints, steps, done - 1, done > prints.bounds[:-1], (opened, corners[0]))
    following = _Ends.of(prints, steps, done, done < prints.bounds[1:], (opened + shape.step_ms, corners[1]))
    span = np.maximum(following.at_ms - last.at_ms, 1.0)
    along = np.clip((time_ms - last.at_ms) / span / _ARRIVED, 0.0, 1.0)
    pace = steps.path.step_sigma[:, step] / np.sqrt(shape.step_ms)
    wander = 4 * along * (1 - along) * pace * _wander(steps, time_ms, span)
    return _quoted(steps, last.mid * (1 - along) + following.mid * along + wander, (last, following), price_decimals)


def _wander(steps: Steps, time_ms: int, span: FloatArray) -> FloatArray:
    """Standard deviations per square root of a millisecond: noise with bends at several paces."""
    number, past = np.divmod(time_ms, _WANDER_MS)
    past = past / _WANDER_MS
    keys = steps.shape.coin[:, None, None], np.arange(len(_WANDER_MS)), np.stack([number, number + 1])
    noise = normals(steps.shape.seed, Stream.QUOTE, 1, *keys)
    size = 0.5 * np.sqrt(np.minimum(_WANDER_MS, span[:, None]))
    wander: FloatArray = ((noise[:, 0] * (1 - past) + noise[:, 1] * past) * size).sum(axis=1)
    return wander


def _quoted(steps: Steps, mid: FloatArray, ends: tuple[_Ends, _Ends], price_decimals: IntArray) -> Quotes:
    """Quotes around a mid. On the rung of a trade they are that trade's, even where it is off the tick."""
    shape = steps.shape
    scale, width = 10.0**shape.price_decimals, shape.spread * shape.tick
    rung = np.rint(mid * scale - shape.spread / 2)
    bid, ask = rung / scale, (rung + shape.spread) / scale
    met = np.zeros(len(mid), dtype=np.bool_)
    buyer = seller = np.full(len(mid), np.nan)
    for end in ends:
        same = end.traded & ~met & (rung == np.rint(end.mid * scale - shape.spread / 2))
        buyer = np.where(same & end.is_buy, end.price, buyer)
        seller = np.where(same & ~end.is_buy, end.price, seller)
        met |= same
    bid = np.where(np.isfinite(buyer), buyer - width, bid)
    ask = np.where(np.isfinite(seller), seller + width, ask)
    bid = np.where(np.isfinite(seller), seller, on_price_tick(bid, price_decimals, towards="down"))
    ask = np.where(np.isfinite(buyer), buyer, on_price_tick(ask, price_decimals, towards="up"))
    return Quotes(bid, ask, np.round((bid + ask) / 2, 10))
