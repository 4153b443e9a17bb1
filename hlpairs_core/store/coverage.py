"""Which ranges of which coins were asked and answered."""

import numpy as np
import pandas as pd

from hlpairs_core.store._rows import to_times
from hlpairs_core.store.segments import Spans
from hlpairs_core.store.spans import Span, merged, uncovered

__all__ = ["Coverage"]


class Coverage:
    """Answered ranges by coin, as half-open ranges of whole steps.

    Parameters
    ----------
    step_ms : int
        Distance of two rows of a coin; 1 where rows have no grid.
    """

    def __init__(self, step_ms: int) -> None:
        self._step = step_ms
        self._by_coin: dict[str, list[Span]] = {}

    def add(self, spans: Spans) -> None:
        """Learn of ranges, both ends included; only whole steps inside them count."""
        for coin, ranges in spans.items():
            self._by_coin.setdefault(coin, []).extend(self._steps(*one) for one in ranges)

    def missing(self, coin: str, first: int, last: int) -> list[Span]:
        """Return the ranges from `first` to `last` without an answer, both ends included, oldest first."""
        start, stop = self._steps(first, last)
        return [self._closed(hole) for hole in uncovered(self._by_coin.get(coin, ()), start, stop)]

    @property
    def coins(self) -> list[str]:
        """Names of the coins with an answer, sorted."""
        return sorted(self._by_coin)

    def holes(self) -> int:
        """Return how many ranges lie between a coin's answered ones, over all coins."""
        return sum(max(0, len(ranges) - 1) for ranges in self.closed().values())

    def closed(self) -> dict[str, list[Span]]:
        """Return the ranges of each coin, both ends included, those that touch as one."""
        return {coin: [self._closed(one) for one in merged(self._by_coin[coin])] for coin in self.coins}

    def frame(self) -> pd.DataFrame:
        """Return the ranges as a table: ``coin, start, end``, both ends included."""
        lines = [(coin, *span) for coin, spans in self.closed().items() for span in spans]
        starts, ends = (np.array([line[place] for line in lines], dtype=np.int64) for place in (1, 2))
        coins = pd.Series([line[0] for line in lines], dtype="str")
        return pd.DataFrame({"coin": coins, "start": to_times(starts), "end": to_times(ends)})

    def _steps(self, first: int, last: int) -> Span:
        step = self._step
        return -(-first // step) * step, last // step * step + step

    def _closed(self, span: Span) -> Span:
        return span[0], span[1] - self._step
