from collections.abc import Sequence

import numpy as np

from hlpairs_core._typing import FloatArray, IntArray
from hlpairs_core.simulation.factors import MARKET_SIGMA, N_SECTORS, SECTOR_SIGMA, FactorModel
from hlpairs_core.simulation.listings import Listing
from hlpairs_core.simulation.noise import Stream, fat_tailed, name_keys, normals, uniforms
from hlpairs_core.simulation.recursion import Recursions, folded
from hlpairs_core.simulation.relations import Relation, break_happens, break_size

__all__ = ["PriceProcess"]

# Parts of the logarithm of activity, standard deviation and half-life (hours): what all coins share, a coin's own.
_SHARED = ((0.22, 8.0), (0.20, 120.0))
_OWN = ((0.35, 3.0), (0.30, 96.0))
_DAILY, _LIVELIEST_HOUR = 0.08, 15

_JUMP_HOURS, _JUMP_SIGMAS = 1000.0, 7.0
_MARKET_JUMP_HOURS, _MARKET_JUMP_SIGMAS = 2000.0, 4.0

# Where walks are reflected, natural log units: one in ten gets there in four years.
_MARKET_WALL, _SECTOR_WALL, _OWN_WALL, _RELATION_WALL = 2.5, 1.2, 2.5, 2.0
# Beyond it a drift ends: prices have to stay sane for years.
_DRIFT_END = 3.0
_USUAL_SIGMA = 0.0125


class PriceProcess:
    """What coins are worth at the end of each hour: walks of a market, of sectors and of their own, and relations.

    Parameters
    ----------
    seed : int
        Of the market.
    listings : sequence of Listing
        Its coins.
    model : FactorModel
        What moves them.
    """

    def __init__(self, seed: int, listings: Sequence[Listing], model: FactorModel) -> None:
        self._seed = seed
        self._model = model
        self._keys = name_keys(tuple(listing.coin.name for listing in listings))
        for spot, perp in model.spot_columns:
            self._keys[spot] = self._keys[perp]
        self._recursions = Recursions()

    def activity(self, hours: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return how lively the market and each coin are, mean square about 1: shapes (n_hours, 1), (n_hours, n_coins).

        The second is the first times a part of the coin's own.
        """
        daily = _DAILY * np.cos(2 * np.pi * (hours[:, None] - _LIVELIEST_HOUR) / 24)
        shared = np.exp(daily) * self._lively(Stream.ACTIVITY, hours, np.zeros(1, dtype=np.int64), _SHARED)
        return shared, shared * self._lively(Stream.OWN_ACTIVITY, hours, self._keys, _OWN)

    def log_prices(self, hours: IntArray, shared: FloatArray, activity: FloatArray, funding: FloatArray) -> FloatArray:
        """Return logs of prices over those at the opening, shape (n_hours, n_coins).

        Parameters
        ----------
        hours : ndarray of int
            Hours since the opening.
        shared, activity : ndarray
            See `activity`.
        funding : ndarray, shape (n_hours, n_coins)
            What a perpetual pays in each hour beyond what is usual (fraction): its price takes that back.

        Notes
        -----
        All coins are expected to return the same, as fractions and with funding: a log price drifts by its funding,
        less half of what its variance exceeds the usual one by. A coin that reverts to another drifts with that one.
        """
        model = self._model
        log_price = self._market(hours, shared) * model.market_beta
        log_price += self._sectors(hours, shared)[:, model.sector] * model.sector_beta
        log_price += self._own(hours, activity)
        excess = self._variance(shared, activity) - (shared * _USUAL_SIGMA) ** 2
        drift = np.clip(self._recursions.walk("drift", funding - excess / 2), -_DRIFT_END, _DRIFT_END)
        for relation in model.relations:
            log_price[:, relation.y] = relation.hedge_ratio * log_price[:, relation.x]
            log_price[:, relation.y] += self._spread(hours, relation, activity[:, relation.y])
            if relation.half_life_hours is not None:
                drift[:, relation.y] = relation.hedge_ratio * drift[:, relation.x]
        return log_price + drift

    def _variance(self, shared: FloatArray, activity: FloatArray) -> FloatArray:
        """Variance of each hour's return, shape (n_hours, n_coins)."""
        model = self._model
        factors = (model.market_beta * MARKET_SIGMA) ** 2 + (model.sector_beta * SECTOR_SIGMA) ** 2
        variance = shared**2 * factors + (activity * model.own_sigma) ** 2
        for relation in model.relations:
            variance[:, relation.y] = relation.hedge_ratio**2 * variance[:, relation.x]
            variance[:, relation.y] += (activity[:, relation.y] * relation.noise_sd) ** 2
        return np.asarray(variance)

    def _market(self, hours: IntArray, shared: FloatArray) -> FloatArray:
        shocks = fat_tailed(self._seed, Stream.MARKET, hours[:, None])
        shocks += self._jumps(hours, np.array([0]), _MARKET_JUMP_HOURS, _MARKET_JUMP_SIGMAS)
        return folded(self._recursions.walk("market", shared * MARKET_SIGMA * shocks), _MARKET_WALL)

    def _sectors(self, hours: IntArray, shared: FloatArray) -> FloatArray:
        shocks = fat_tailed(self._seed, Stream.SECTOR, hours[:, None], np.arange(N_SECTORS))
        return folded(self._recursions.walk("sector", shared * SECTOR_SIGMA * shocks), _SECTOR_WALL)

    def _own(self, hours: IntArray, activity: FloatArray) -> FloatArray:
        shocks = fat_tailed(self._seed, Stream.OWN, hours[:, None], self._keys)
        shocks += self._jumps(hours, self._keys, _JUMP_HOURS, _JUMP_SIGMAS)
        return folded(self._recursions.walk("own", activity * self._model.own_sigma * shocks), _OWN_WALL)

    def _jumps(self, hours: IntArray, keys: IntArray, every: float, sigmas: float) -> FloatArray:
        """Rare normal shocks of so many standard deviations, 0 in all other hours."""
        happens = uniforms(self._seed, Stream.JUMP, hours[:, None], keys) < 1 / every
        out = np.zeros(happens.shape)
        rows, columns = np.nonzero(happens)
        out[rows, columns] = sigmas * normals(self._seed, Stream.JUMP, hours[rows], keys[columns], 1)
        return out

    def _spread(self, hours: IntArray, relation: Relation, activity: FloatArray) -> FloatArray:
        """The spread of a relation, its breaks included, shape (n_hours,)."""
        number = np.array(relation.number)
        shocks = relation.noise_sd * activity * fat_tailed(self._seed, Stream.RELATION, hours, number)
        spread = self._recursions.autoregression(f"spread {number}", shocks[:, None], relation.phi)
        if relation.half_life_hours is None:
            spread = folded(spread, _RELATION_WALL)
        if relation.breaks:
            happens = break_happens(self._seed, hours, number)
            jumps = np.where(happens, break_size(self._seed, hours, number) * relation.spread_sd, 0.0)
            spread += folded(self._recursions.walk(f"level {number}", jumps[:, None]), _RELATION_WALL)
        return spread[:, 0]

    def _lively(
        self, stream: Stream, hours: IntArray, keys: IntArray, parts: Sequence[tuple[float, float]]
    ) -> FloatArray:
        """Lognormal autoregressions of mean square 1, shape (n_hours, n_keys)."""
        total: FloatArray = np.zeros((len(hours), len(keys)))
        for number, (sd, half_life) in enumerate(parts):
            shocks = normals(self._seed, stream, number, hours[:, None], keys)
            name = f"{stream.name} {number}"
            total += self._recursions.stationary(name, shocks, sd=sd, half_life_hours=half_life) - sd**2
        return np.exp(total)
