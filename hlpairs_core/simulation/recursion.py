import numpy as np
from scipy.signal import lfilter

from hlpairs_core._typing import FloatArray

__all__ = ["Recursions", "decay", "folded"]


class Recursions:
    """Linear recursions that go on where the last chunk of hours ended, to the last bit."""

    def __init__(self) -> None:
        self._last: dict[str, FloatArray] = {}

    def autoregression(self, name: str, shocks: FloatArray, phi: float) -> FloatArray:
        """Return ``y_t = phi y_(t-1) + shock_t`` of each column, shape of `shocks`; the first y is the first shock."""
        state = self._last.get(name, np.zeros(shocks.shape[1]))
        out: FloatArray
        out, end = lfilter([1.0], [1.0, -phi], shocks, axis=0, zi=state[None, :])
        self._last[name] = end[0]
        return out

    def walk(self, name: str, steps: FloatArray) -> FloatArray:
        """Return running sums of each column."""
        return self.autoregression(name, steps, 1.0)

    def stationary(self, name: str, normals: FloatArray, *, sd: float, half_life_hours: float) -> FloatArray:
        """Return first-order autoregressions of a given stationary standard deviation."""
        phi = decay(half_life_hours)
        return self.autoregression(name, normals * (sd * np.sqrt(1 - phi**2)), phi)

    def previous(self, name: str, values: FloatArray, first: FloatArray) -> FloatArray:
        """Return `values` one row later: the last chunk's last row (at first, `first`), then all rows but the last."""
        before = self._last.get(name, first)
        self._last[name] = values[-1]
        return np.vstack([before[None, :], values[:-1]])


def decay(half_life_hours: float) -> float:
    """Return what is left of a deviation after an hour."""
    return float(0.5 ** (1 / half_life_hours))


def folded(walk: FloatArray, wall: float) -> FloatArray:
    """Reflect walks at ``±wall``: inside it they are what they were, and a reflected walk is a random walk again."""
    out: FloatArray = wall - np.abs((walk + wall) % (4 * wall) - 2 * wall)
    return out
