from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hlpairs_core._typing import FloatArray
from hlpairs_core.stats._gram import LaggedGram, centre
from hlpairs_core.stats._structure import StructureGram

__all__ = ["RollingProducts"]

# A sum that shrinks by more than this is mostly rounding left behind by what went out of it.
_SHRINKS = 1e3


@dataclass(frozen=True, eq=False)
class RollingProducts:
    """Products of the differences of a window of series, moved along with it; no step writes to an array.

    Attributes
    ----------
    max_lag : int
        Largest lag m.
    spans : tuple of int
        Bars of the moves.
    lagged : ndarray, shape (m + 1, n, n)
        As in `LaggedGram`.
    structure : ndarray, shape (k, n, n)
        As in `StructureGram`.
    largest : ndarray, shape (k + 1, n)
        Largest sum of squares of each series since the products were computed.
    """

    max_lag: int
    spans: tuple[int, ...]
    lagged: FloatArray
    structure: FloatArray
    largest: FloatArray

    @classmethod
    def of(cls, values: FloatArray, max_lag: int, spans: tuple[int, ...]) -> RollingProducts:
        """Compute the products of a window, shape (T, n)."""
        lagged, structure = LaggedGram.of(values, max_lag).lagged, StructureGram.of(values, spans).products
        return cls(max_lag, spans, lagged, structure, _squares(lagged, structure))

    def next_bar(self, before: FloatArray, after: FloatArray) -> RollingProducts:
        """Return the products of the window `after`, which has dropped the first bar of `before` and has a new last."""
        oldest = _newest_first(before[: self.max_lag + 2])
        gone = np.array([before[span] - before[0] for span in self.spans])
        return self._exchanged(oldest, self._last_differences(after), gone, self._last_moves(after))

    def moved_last(self, before: FloatArray, after: FloatArray) -> RollingProducts:
        """Return the products of the window `after`, of which only the last bar is not that of `before`."""
        differences, moves = self._last_differences(before), self._last_moves(before)
        return self._exchanged(differences, self._last_differences(after), moves, self._last_moves(after))

    def lagged_gram(self, values: FloatArray) -> LaggedGram:
        """Complete the products of the window `values` to what Engle-Granger tests need."""
        centred, mean, _ = centre(values, "c")
        head, tail = centred[: self.max_lag + 2], centred[-(self.max_lag + 2) :]
        return LaggedGram(len(values), self.max_lag, mean, centred.T @ centred, self.lagged, head, tail)

    @property
    def spoilt(self) -> bool:
        """Whether a series has become so still that the rounding of its former moves shows."""
        return bool((_SHRINKS * _squares(self.lagged, self.structure) < self.largest).any())

    def distance(self, other: RollingProducts) -> float:
        """Return the largest difference from `other`, as a share of the sums of squares of the two series."""
        return max(_distance(self.lagged, other.lagged), _distance(self.structure, other.structure))

    def _last_differences(self, values: FloatArray) -> FloatArray:
        return _newest_first(values[-(self.max_lag + 2) :])

    def _last_moves(self, values: FloatArray) -> FloatArray:
        return np.array([values[-1] - values[-1 - span] for span in self.spans])

    def _exchanged(
        self, out: FloatArray, into: FloatArray, moves_out: FloatArray, moves_in: FloatArray
    ) -> RollingProducts:
        """Take out what one bar adds to the sums and put in what another does.

        A bar adds the products of its difference ``d_t = out[0]`` with ``d_{t-k} = out[k]``, and their transpose.
        """
        now_in, now_out = np.broadcast_to(into[0], into.shape), np.broadcast_to(out[0], out.shape)
        left = np.stack([now_in, into, -now_out, -out], axis=2)
        right = np.stack([into, now_in, out, now_out], axis=1)
        lagged = np.empty_like(self.lagged)
        # One matrix after the other: each stays in the processor's cache.
        for lag in range(len(lagged)):
            np.add(self.lagged[lag], left[lag] @ right[lag], out=lagged[lag])
        structure = self.structure + np.stack([moves_in, -moves_out], axis=2) @ np.stack([moves_in, moves_out], axis=1)
        largest = np.maximum(self.largest, _squares(lagged, structure))
        return RollingProducts(self.max_lag, self.spans, lagged, structure, largest)


def _newest_first(values: FloatArray) -> FloatArray:
    return np.diff(values, axis=0)[::-1]


def _squares(lagged: FloatArray, structure: FloatArray) -> FloatArray:
    return np.vstack([np.diag(lagged[0]), np.einsum("kii->ki", structure)])


def _distance(products: FloatArray, exact: FloatArray) -> float:
    size = np.sqrt(np.diag(exact[0]))
    scale = np.outer(size, size)
    share = np.divide(np.abs(products - exact), scale, out=np.zeros(products.shape), where=scale > 0.0)
    return float(share.max())
