"""What is true of a synthetic market: the pairs that are cointegrated by construction."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Literal, TypeAlias

import numpy as np
from scipy.optimize import brentq

from hlpairs_core.simulation.epoch import EPOCH_MS, HOUR_MS
from hlpairs_core.simulation.factors import FactorModel
from hlpairs_core.simulation.listings import Listing
from hlpairs_core.simulation.premia import premium_parts
from hlpairs_core.simulation.relations import Relation, break_happens

__all__ = ["PairKind", "PlantedPair", "planted_pairs"]

PairKind: TypeAlias = Literal["planted", "implied", "spot"]

# A part of a spread: its stationary standard deviation and half-life (hours).
_Part: TypeAlias = tuple[float, float]


@dataclass(frozen=True)
class PlantedPair:
    """A pair that is cointegrated by construction: ``log y = const + hedge_ratio * log x + spread``.

    Attributes
    ----------
    y, x : str
        Coins; of two perpetuals x has the larger usual volume.
    hedge_ratio : float
        Units of log x against one of log y.
    half_life_hours : float
        Hours until the spread's autocorrelation has fallen to one half. The spread of a planted pair is a
        first-order autoregression; that of an implied or a spot pair is a sum of such.
    spread_sd : float
        Its stationary standard deviation without breaks and squeezes, natural log units, at average market activity.
    breaks : bool
        Whether its mean jumps now and then, for good.
    kind : {"planted", "implied", "spot"}
        Drawn as a pair; two coins that were planted on the same third one; a spot pair and the perpetual of its asset.
    seed : int
        Of the market.
    relations : tuple of int
        Numbers of the relations it follows from.
    """

    y: str
    x: str
    hedge_ratio: float
    half_life_hours: float
    spread_sd: float
    breaks: bool
    kind: PairKind = "planted"
    seed: int = field(default=0, repr=False)
    relations: tuple[int, ...] = field(default=(), repr=False)

    def breaks_at(self, time_ms: int) -> tuple[int, ...]:
        """Return the open times (ms since the epoch) of the hours in which its mean has jumped, up to a time.

        An hour in progress counts: the jump shows in its close.
        """
        if not self.breaks:
            return ()
        hours = np.arange((time_ms - EPOCH_MS) // HOUR_MS + 1)
        happened = break_happens(self.seed, hours[:, None], np.array(self.relations)).any(axis=1)
        return tuple((EPOCH_MS + hours[happened] * HOUR_MS).tolist())


def planted_pairs(
    seed: int, listings: Sequence[Listing], model: FactorModel, *, planted: bool
) -> tuple[PlantedPair, ...]:
    """Return every cointegrated pair of a market: the planted ones, what follows from them, spot with perpetuals."""
    reverting = [relation for relation in model.relations if relation.half_life_hours is not None]
    names = [listing.coin.name for listing in listings]
    drawn = [_drawn(seed, names, relation) for relation in reverting]
    implied = [_implied(seed, listings, one, other) for one, other in combinations(reverting, 2) if one.x == other.x]
    half_life, sd = _mixture(premium_parts(quiet=not planted))
    spots = [PlantedPair(names[y], names[x], 1.0, half_life, sd, False, "spot") for y, x in model.spot_columns]
    return (*drawn, *implied, *spots)


def _drawn(seed: int, names: Sequence[str], relation: Relation) -> PlantedPair:
    return PlantedPair(
        y=names[relation.y],
        x=names[relation.x],
        hedge_ratio=relation.hedge_ratio,
        half_life_hours=relation.half_life_hours or np.nan,
        spread_sd=relation.spread_sd,
        breaks=relation.breaks,
        seed=seed,
        relations=_breaking(relation),
    )


def _implied(seed: int, listings: Sequence[Listing], one: Relation, other: Relation) -> PlantedPair:
    """The pair of two coins that hang on one: the hedge falls out, and the spreads are added."""
    y, x = sorted((one, other), key=lambda relation: listings[relation.y].day_usd)
    ratio = y.hedge_ratio / x.hedge_ratio
    parts = [(y.spread_sd, y.half_life_hours or np.nan), (ratio * x.spread_sd, x.half_life_hours or np.nan)]
    half_life, sd = _mixture(parts)
    return PlantedPair(
        y=listings[y.y].coin.name,
        x=listings[x.y].coin.name,
        hedge_ratio=ratio,
        half_life_hours=half_life,
        spread_sd=sd,
        breaks=one.breaks or other.breaks,
        kind="implied",
        seed=seed,
        relations=_breaking(one, other),
    )


def _breaking(*relations: Relation) -> tuple[int, ...]:
    return tuple(relation.number for relation in relations if relation.breaks)


def _mixture(parts: Sequence[_Part]) -> tuple[float, float]:
    """Half-life and standard deviation of a sum of independent first-order autoregressions."""
    sd, half_life = np.array(parts).T
    weight = sd**2 / np.sum(sd**2)

    def above_half(hours: float) -> float:
        return float(np.sum(weight * 0.5 ** (hours / half_life)) - 0.5)

    # A little wider than where it must be: with one part, or equal ones, the root is the end itself.
    root = brentq(above_half, 0.99 * half_life.min(), 1.01 * half_life.max())
    return float(root), float(np.sqrt(np.sum(sd**2)))
