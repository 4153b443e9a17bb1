from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hlpairs_core._typing import FloatArray, IntArray
from hlpairs_core.simulation.listings import SPOT_LINKS, Listing
from hlpairs_core.simulation.noise import Stream, name_keys, normals, uniforms
from hlpairs_core.simulation.relations import Relation, drawn_relations

__all__ = ["MARKET_SIGMA", "N_SECTORS", "SECTOR_SIGMA", "FactorModel"]

MARKET_SIGMA = 0.010
N_SECTORS = 6
SECTOR_SIGMA = 0.0032

_BETA_MEAN, _BETA_SD, _BETA_BOUNDS = 1.0, 0.17, (0.5, 1.4)
_OWN_MEDIAN, _OWN_LOG_SD = 0.0066, 0.3

# Loadings on the market and on a sector, hourly standard deviation of the own part. Gold and shares are in no sector,
# the majors in one.
_SPECIAL: dict[str, tuple[float, float, float]] = {
    "BTC": (0.42, 0.75, 0.0026),
    "ETH": (0.68, 0.75, 0.0032),
    "SOL": (0.78, 0.75, 0.0056),
    "PAXG": (0.05, 0.0, 0.0030),
    "sim:GOLD": (0.05, 0.0, 0.0030),
    "sim:TSLA": (0.30, 0.0, 0.0060),
    "sim:NVDA": (0.30, 0.0, 0.0050),
}


@dataclass(frozen=True, eq=False)
class FactorModel:
    """What moves each coin of a synthetic market: the market, its sector, itself, or another coin.

    Attributes
    ----------
    market_beta : ndarray, shape (n_coins,)
        Loading on the market factor.
    sector : ndarray of int, shape (n_coins,)
        Number of its sector.
    sector_beta : ndarray, shape (n_coins,)
        Loading on it.
    own_sigma : ndarray, shape (n_coins,)
        Hourly standard deviation of its own part, at average activity.
    relations : tuple of Relation
        Coins that hang on another one; what stands above holds for all others.
    spot_columns : tuple of (int, int)
        Columns of each spot pair and of the perpetual of the same asset.
    """

    market_beta: FloatArray
    sector: IntArray
    sector_beta: FloatArray
    own_sigma: FloatArray
    relations: tuple[Relation, ...]
    spot_columns: tuple[tuple[int, int], ...]

    @classmethod
    def drawn(cls, seed: int, listings: Sequence[Listing], *, planted: bool) -> "FactorModel":
        """Draw a model; the same seed and listings give the same one."""
        names = tuple(listing.coin.name for listing in listings)
        market_beta, sector, sector_beta, own_sigma = _loadings(seed, names)
        return cls(
            market_beta=market_beta,
            sector=sector,
            sector_beta=sector_beta,
            own_sigma=own_sigma,
            relations=drawn_relations(seed, listings, planted=planted),
            spot_columns=_spot_columns(names),
        )

    @property
    def sigma(self) -> FloatArray:
        """Hourly standard deviation of each coin's returns at average activity, shape (n_coins,)."""
        market, sector = self.market_beta * MARKET_SIGMA, self.sector_beta * SECTOR_SIGMA
        sigma: FloatArray = np.sqrt(market**2 + sector**2 + self.own_sigma**2)
        for relation in self.relations:
            sigma[relation.y] = np.hypot(relation.hedge_ratio * sigma[relation.x], relation.noise_sd)
        for spot, perp in self.spot_columns:
            sigma[spot] = sigma[perp]
        return sigma


def _loadings(seed: int, names: tuple[str, ...]) -> tuple[FloatArray, IntArray, FloatArray, FloatArray]:
    """Loading on the market, sector, loading on it, and standard deviation of the own part of each coin."""
    keys = name_keys(names)
    beta = np.clip(_BETA_MEAN + _BETA_SD * normals(seed, Stream.PARAMETER, 0, keys), *_BETA_BOUNDS)
    own = _OWN_MEDIAN * np.exp(_OWN_LOG_SD * normals(seed, Stream.PARAMETER, 2, keys))
    sector = (uniforms(seed, Stream.PARAMETER, 1, keys) * N_SECTORS).astype(np.int64)
    sector_beta = np.ones(len(names))
    for column, name in enumerate(names):
        if name in _SPECIAL:
            beta[column], sector_beta[column], own[column] = _SPECIAL[name]
            sector[column] = 0
    return beta, sector, sector_beta, own


def _spot_columns(names: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    return tuple((names.index(link.name), names.index(link.perp)) for link in SPOT_LINKS if link.name in names)
