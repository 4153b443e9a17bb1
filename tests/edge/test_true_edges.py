import numpy as np
import pytest

from benchmarks.oracle import true_net_bps
from hlpairs_core.screening import ScreenSettings
from hlpairs_core.simulation.planted import PlantedPair


@pytest.mark.parametrize("half_life", [6.0, 24.0, 72.0])
def test_the_edge_at_true_parameters_is_that_of_many_drawn_spreads(half_life: float) -> None:
    """The spread drawn hour by hour, left at z = 0.5 or after 48 hours."""
    rng = np.random.default_rng(1)
    decay = 0.5 ** (1 / half_life)
    z = np.full(40_000, 2.0)
    left = np.zeros_like(z)
    inside = np.ones(len(z), dtype=bool)
    for _ in range(48):
        z[inside] = decay * z[inside] + np.sqrt(1 - decay**2) * rng.normal(size=inside.sum())
        out = inside & (z <= 0.5)
        left[out] = z[out]
        inside &= ~out
    left[inside] = z[inside]
    pair = PlantedPair("A", "B", 1.2, half_life, 0.01, False)
    expected = 1e4 * 0.01 * (2.0 - left.mean()) / 2.2 - 11.0
    assert true_net_bps(pair, ScreenSettings(), 11.0) == pytest.approx(expected, abs=0.8)
