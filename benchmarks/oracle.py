"""What a planted pair is worth to who knows its parameters; for judges only."""

from functools import lru_cache

import numpy as np

from hlpairs_core.screening import ScreenSettings
from hlpairs_core.simulation.planted import PlantedPair

_GRID = np.linspace(-6.0, 6.0, 601)


def true_net_bps(pair: PlantedPair, settings: ScreenSettings, cost_bps: float) -> float:
    """Return the net edge at |z| = z_in of the true spread (bps of gross notional), without funding and breaks.

    The spread as a first-order autoregression, left at the first hour with ``|z| <= z_out`` on the near side or at the
    time stop.
    """
    z_exit = _mean_exit(pair.half_life_hours, settings.z_in, settings.z_out, round(settings.horizon_hours))
    return 1e4 * pair.spread_sd * (settings.z_in - z_exit) / (1.0 + abs(pair.hedge_ratio)) - cost_bps


@lru_cache(maxsize=4096)
def _mean_exit(half_life: float, z_in: float, z_out: float, hours: int) -> float:
    """Return the mean z at the exit, by stepping the distribution of those still in the trade from hour to hour."""
    decay = 0.5 ** (1.0 / half_life)
    step = np.exp(-0.5 * ((_GRID[:, None] - decay * _GRID[None, :]) ** 2) / (1.0 - decay**2))
    step /= step.sum(axis=0)
    alive = np.zeros_like(_GRID)
    alive[int(np.argmin(np.abs(_GRID - z_in)))] = 1.0
    left, inside = 0.0, z_out < _GRID
    for _ in range(hours):
        alive = step @ alive
        left += float(_GRID[~inside] @ alive[~inside])
        alive = np.where(inside, alive, 0.0)
    return left + float(_GRID @ alive)
