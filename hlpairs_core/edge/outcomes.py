"""How single outcomes lie around their mean: in units of each pair's own noise."""

from dataclasses import dataclass

import numpy as np

from hlpairs_core._typing import FloatArray

__all__ = ["OutcomeShape"]

_LEVELS = np.concatenate([[0.001, 0.0025, 0.005], np.arange(0.01, 1.0, 0.01), [0.995, 0.9975, 0.999]])
# A pair of which more than this share is expected to arrive has outcomes of its own shape, if enough were seen.
_PULLED, _FEWEST = 0.3, 500


@dataclass(frozen=True, eq=False)
class OutcomeShape:
    """Quantiles of (realised - expected income) / noise, of pairs that are pulled back and of the others.

    Attributes
    ----------
    quantiles : ndarray, shape (2, 105)
        Rows: others, pulled.
    deviation, worst : ndarray, shape (2,)
        Standard deviation, and mean of the worst 5 %.
    """

    quantiles: FloatArray
    deviation: FloatArray
    worst: FloatArray

    @classmethod
    def of(cls, outcome: FloatArray, share: FloatArray) -> "OutcomeShape":
        """Read them off outcomes; where few are pulled, both rows are of all."""
        pulled = share > _PULLED
        groups = [outcome[~pulled], outcome[pulled]]
        groups = [group if len(group) >= _FEWEST else outcome for group in groups]
        worst = [float(np.mean(np.sort(group)[: max(1, len(group) // 20)])) for group in groups]
        return cls(
            np.array([np.quantile(group, _LEVELS) for group in groups]),
            np.array([np.std(group) for group in groups]),
            np.array(worst),
        )

    def interval(self, share: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the 90 % range of single outcomes around their mean, in units of noise; shape (n,) each."""
        low, high = (np.array([np.interp(at, _LEVELS, row) for row in self.quantiles]) for at in (0.05, 0.95))
        group = self._group(share)
        return low[group], high[group]

    def chance_above(self, threshold: FloatArray, share: FloatArray) -> FloatArray:
        """Return the chance of an outcome above a threshold (units of noise around the mean); NaN stays NaN."""
        below = np.array([np.interp(threshold, row, _LEVELS, left=0.0, right=1.0) for row in self.quantiles])
        return np.asarray(1.0 - below[self._group(share), np.arange(len(share))])

    def risk(self, share: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return standard deviation and mean of the worst 5 %, around the mean, in units of noise."""
        group = self._group(share)
        return self.deviation[group], self.worst[group]

    @staticmethod
    def _group(share: FloatArray) -> "np.ndarray[tuple[int], np.dtype[np.intp]]":
        return (share > _PULLED).astype(np.intp)
