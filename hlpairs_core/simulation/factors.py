from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hlpairs_core._typing import FloatArray, IntArray
from hlpairs_core.simulation.listings import Listing
from hlpairs_core.simulation.market import PlantedPair
from hlpairs_core.simulation.noise import Stream, uniforms

__all__ = ["N_SECTORS", "FactorModel"]

N_SECTORS = 6
_COINS_PER_PAIR = 10
_HALF_LIVES = (6.0, 72.0)
_HEDGE_RATIOS = (0.5, 1.5)
_SPREAD_SDS = (0.006, 0.018)
# One planted pair in this many loses its mean now and then.
_BREAKING = 3


@dataclass(frozen=True, eq=False)
class FactorModel:
    """What moves each coin of a synthetic market: the market, its sector, and itself.

    Attributes
    ----------
    market_beta : ndarray, shape (n_coins,)
        Loading on the market factor.
    sector : ndarray of int, shape (n_coins,)
        Number of the sector factor it loads on.
    own_sigma : ndarray, shape (n_coins,)
        Hourly standard deviation of its own part, at average activity.
    pairs : tuple of PlantedPair
        Cointegrated pairs; no coin is in two of them.
    pair_columns : tuple of (int, int)
        Columns of each pair's y and x.
    """

    market_beta: FloatArray
    sector: IntArray
    own_sigma: FloatArray
    pairs: tuple[PlantedPair, ...]
    pair_columns: tuple[tuple[int, int], ...]

    @classmethod
    def drawn(cls, seed: int, listings: Sequence[Listing]) -> "FactorModel":
        """Draw a model; the same seed and listings give the same one."""
        n_coins = len(listings)
        beta, sector, own = (_drawn(seed, which, n_coins) for which in range(3))
        columns = _paired(seed, listings)
        pairs = tuple(_pair(seed, number, listings[y], listings[x]) for number, (y, x) in enumerate(columns))
        own_sigma = 0.0025 + 0.006 * own
        own_sigma[:2] = 0.0015
        return cls(
            market_beta=0.7 + 0.7 * beta,
            sector=(sector * N_SECTORS).astype(np.int64),
            own_sigma=own_sigma,
            pairs=pairs,
            pair_columns=columns,
        )


def _paired(seed: int, listings: Sequence[Listing]) -> tuple[tuple[int, int], ...]:
    """Columns of the coins to pair: liquid, there from the start, and never delisted."""
    steady = [
        column
        for column, listing in enumerate(listings)
        if not listing.silence and listing.first_hour == 0 and listing.last_hour is None
    ]
    order = np.argsort(_drawn(seed, 3, len(listings))[steady], kind="stable")
    chosen = [steady[position] for position in order][: 2 * max(1, len(listings) // _COINS_PER_PAIR)]
    return tuple(zip(chosen[0::2], chosen[1::2], strict=False))


def _pair(seed: int, number: int, y: Listing, x: Listing) -> PlantedPair:
    half_life, ratio, spread = uniforms(seed, Stream.PARAMETER, 4, number, np.arange(3))
    shortest, longest = _HALF_LIVES
    return PlantedPair(
        y=y.coin.name,
        x=x.coin.name,
        hedge_ratio=float(_between(_HEDGE_RATIOS, ratio)),
        half_life_hours=float(shortest * (longest / shortest) ** half_life),
        spread_sd=float(_between(_SPREAD_SDS, spread)),
        breaks=number % _BREAKING == _BREAKING - 1,
    )


def _between(bounds: tuple[float, float], chance: float) -> float:
    return bounds[0] + (bounds[1] - bounds[0]) * chance


def _drawn(seed: int, which: int, n_coins: int) -> FloatArray:
    return uniforms(seed, Stream.PARAMETER, which, np.arange(n_coins))
