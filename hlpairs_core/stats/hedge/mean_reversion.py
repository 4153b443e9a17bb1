from __future__ import annotations

import numpy as np

from hlpairs_core._typing import FloatArray
from hlpairs_core.exceptions import InputError
from hlpairs_core.stats.half_life import half_life_of_slope
from hlpairs_core.stats.hedge.method import Method
from hlpairs_core.stats.hedge.pair import Pair
from hlpairs_core.stats.hedge.result import Fit

__all__ = ["MIN_HALF_LIFE"]


def _min_half_life(pair: Pair, *, level: float, bounds: tuple[float, float] | None = None) -> Fit:  # noqa: ARG001
    pair.refuse_one_asset_twice("min_half_life")
    cross, square = _products(pair)
    candidates = _stationary(cross, square)
    if bounds is not None:
        low, high = _read_bounds(bounds)
        candidates = [low, high, *(beta for beta in candidates if low < beta < high)]
    if not candidates:
        raise InputError(f"the fastest combination leaves {pair.y_name} out: give bounds for its hedge ratio")
    persistence = [_ratio(beta, cross, square) for beta in candidates]
    best = int(np.argmin(persistence))
    beta, coefficient = float(candidates[best]), float(persistence[best])
    # As in `half_life`: at 0 or less the spread reverts within a bar, and these bars cannot say how fast.
    half_life = half_life_of_slope(coefficient) if coefficient > 0.0 else np.nan
    intercept = float(np.mean(pair.y - beta * pair.x))
    return Fit(beta, intercept, None, {"half_life": half_life, "ar_coefficient": coefficient})


def _products(pair: Pair) -> tuple[FloatArray, FloatArray]:
    """Products of both legs (y, x) with themselves a bar before, symmetric, and of those before with themselves."""
    legs = np.stack([pair.y, pair.x])
    now = legs[:, 1:] - legs[:, 1:].mean(axis=1, keepdims=True)
    before = legs[:, :-1] - legs[:, :-1].mean(axis=1, keepdims=True)
    cross = now @ before.T
    return 0.5 * (cross + cross.T), before @ before.T


def _stationary(cross: FloatArray, square: FloatArray) -> list[float]:
    """Return the hedge ratios at which the coefficient, a ratio of two quadratics in beta, is flat."""
    (a, b, c), (d, e, f) = ((m[0, 0], m[0, 1], m[1, 1]) for m in (cross, square))
    roots = np.roots([b * f - c * e, c * d - a * f, a * e - b * d])
    return [float(root) for root in np.real(roots)]


def _ratio(beta: float, cross: FloatArray, square: FloatArray) -> float:
    weights = np.array([1.0, -beta])
    return float((weights @ cross @ weights) / (weights @ square @ weights))


def _read_bounds(bounds: object) -> tuple[float, float]:
    try:
        low, high = (float(bound) for bound in bounds)  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        raise InputError(f"bounds must be two hedge ratios (low, high), got {bounds!r}") from None
    if not (np.isfinite([low, high]).all() and low < high):
        raise InputError(f"bounds must be finite and rising, got {bounds!r}")
    return low, high


MIN_HALF_LIFE = Method(
    _min_half_life,
    assumptions=(
        "The spread is an AR(1) and the fastest one is wanted (between bounds, if that option is given). In-sample by "
        "construction: it picks the beta that reverted best here, so its half-life flatters and must be checked on "
        "later bars. half_life is inf where even the fastest spread does not revert (an ar_coefficient of 1 or more), "
        "and NaN where it reverts within a bar (0 or less): these bars cannot say how fast, every beta with such a "
        "coefficient is as good, and so beta, that of the lowest one, is not unique. Swapping y and x inverts beta, "
        "unless bounds hold."
    ),
    interval_note="none: a minimum that was looked for has no interval of this kind.",
)
