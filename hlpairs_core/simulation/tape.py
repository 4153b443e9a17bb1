"""The trades of a simulated market: what every candle of it is made of."""

from dataclasses import dataclass

import numpy as np

from hlpairs_core._typing import BoolArray, FloatArray, IntArray
from hlpairs_core.simulation.prints import Prints, prints_of
from hlpairs_core.simulation.view import MarketView

__all__ = ["Tape", "last_trades", "trades_between"]

# So many steps are looked up among those of all coins, which are remembered; more are computed for the coin.
_FEW_STEPS = 2
_FURTHER = 8


@dataclass(frozen=True, eq=False)
class Tape:
    """Trades of one coin, arrays of shape (n_trades,), ascending in time.

    Trades with the same time are one order that went through several of the book.

    Attributes
    ----------
    time_ms : ndarray of int
        When, milliseconds since the epoch.
    price : ndarray
        USD.
    size : ndarray
        Base units.
    is_buy : ndarray of bool
        Whether the one who took was the buyer.
    tid : ndarray of int
        Identifier: ascending, unique for the coin, below 2**53.
    """

    time_ms: IntArray
    price: FloatArray
    size: FloatArray
    is_buy: BoolArray
    tid: IntArray

    def __len__(self) -> int:
        return len(self.time_ms)

    def part(self, chosen: slice) -> "Tape":
        """Return some of the trades."""
        return Tape(self.time_ms[chosen], self.price[chosen], self.size[chosen], self.is_buy[chosen], self.tid[chosen])


def trades_between(view: MarketView, coin: int, after_ms: int, upto_ms: int) -> Tape:
    """Return one coin's trades with ``after_ms < time <= upto_ms``, none of them later than the view's time."""
    begin, end = max(after_ms + 1, view.bars.start_ms), min(upto_ms, view.time_ms, view.bars.end_ms - 1)
    first, last = view.step_number(begin), view.step_number(end)
    n_steps = view.n_steps
    if begin > end:
        tape = _joined([], view, coin)
    elif last - first < _FEW_STEPS:
        parts = [view.market.prints(view.bars, *divmod(number, n_steps)) for number in range(first, last + 1)]
        tape = _joined([(prints, prints.bounds[coin], prints.bounds[coin + 1]) for prints in parts], view, coin)
    else:
        tape = _of_steps(view, coin, first, last)
    inside = slice(np.searchsorted(tape.time_ms, begin), np.searchsorted(tape.time_ms, end, side="right"))
    return tape.part(inside)


def last_trades(view: MarketView, coin: int, count: int) -> Tape:
    """Return one coin's last trades up to the view's time, at most `count`; fewer only where there are no more."""
    bars = view.bars
    latest = min(view.time_ms, bars.start_ms + (int(bars.last[coin]) + 1) * bars.interval_ms)
    reach = bars.interval_ms // view.n_steps
    while True:
        tape = trades_between(view, coin, latest - reach, latest)
        if len(tape) >= count or latest - reach < bars.start_ms:
            return tape.part(slice(max(0, len(tape) - count), None))
        reach *= _FURTHER


def _of_steps(view: MarketView, coin: int, first: int, last: int) -> Tape:
    """All trades of a coin in many steps."""
    rows = slice(first // view.n_steps, last // view.n_steps + 1)
    chosen, columns = np.divmod(np.arange(first, last + 1) - rows.start * view.n_steps, view.n_steps)
    if rows == slice(view.bar, view.bar + 1):
        prints = prints_of(view.state.steps, chosen + coin, columns)
    else:
        prints = prints_of(view.market.steps(view.bars, rows, coin), chosen, columns)
    return _joined([(prints, 0, len(prints.price))], view, coin)


def _joined(parts: list[tuple[Prints, int, int]], view: MarketView, coin: int) -> Tape:
    none = np.empty(0, dtype=np.int64)
    columns = [
        np.concatenate([none, *(getattr(prints, name)[begin:end] for prints, begin, end in parts)])
        for name in ("time_ms", "price", "lots", "is_buy", "tid")
    ]
    time_ms, price, lots, is_buy, tid = columns
    return Tape(
        time_ms, price.astype(np.float64), lots / 10.0 ** view.market.size_decimals[coin], is_buy.astype(np.bool_), tid
    )
