"""Which coins hang on which: pairs that revert, and decoys that look like them and do not.

``log y = constant + hedge ratio * log x + spread``, and the spread either reverts (planted) or walks (decoy). Both
have the same hourly noise, so that correlation alone cannot tell one from the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hlpairs_core._typing import BoolArray, FloatArray, IntArray
from hlpairs_core.simulation.listings import SPOT_LINKS, Listing
from hlpairs_core.simulation.noise import Stream, name_keys, uniforms
from hlpairs_core.simulation.recursion import decay

__all__ = ["ODD_ONES", "Relation", "break_happens", "break_size", "drawn_relations"]

ODD_ONES = frozenset({"PAXG"}) | {link.perp for link in SPOT_LINKS}
"""Coins in no relation: gold, and those that a spot market ties already."""

_COINS_PER_PAIR = 10
# The second of every four pairs shares the hedge of the first: three coins, one trend.
_GROUP_EVERY = 4
_BREAKS_EVERY = 3
_LIQUID_USD = 5e5

_HALF_LIVES = (6.0, 72.0)
_HEDGE_RATIOS = (0.6, 1.4)
_NOISE_SDS = (0.0005, 0.006)

_BREAK_HOURS = 60.0 * 24
_BREAK_SDS = (3.0, 6.0)


@dataclass(frozen=True)
class Relation:
    """One coin that hangs on another.

    Attributes
    ----------
    number : int
        Its own.
    y, x : int
        Columns of the coins; x moves y.
    hedge_ratio : float
        Units of log x against one of log y.
    noise_sd : float
        Standard deviation of the spread's hourly shocks at average activity.
    half_life_hours : float or None
        Of the spread; None for a decoy, whose spread is a random walk.
    breaks : bool
        Whether the spread's mean jumps now and then.
    """

    number: int
    y: int
    x: int
    hedge_ratio: float
    noise_sd: float
    half_life_hours: float | None
    breaks: bool

    @property
    def phi(self) -> float:
        """What is left of a deviation of the spread after an hour."""
        return 1.0 if self.half_life_hours is None else decay(self.half_life_hours)

    @property
    def spread_sd(self) -> float:
        """Stationary standard deviation of the spread; infinite for a decoy."""
        return float(np.inf if self.half_life_hours is None else self.noise_sd / np.sqrt(1 - self.phi**2))


def drawn_relations(seed: int, listings: Sequence[Listing], *, planted: bool) -> tuple[Relation, ...]:
    """Draw a market's relations: for every ten perpetuals one planted pair and one decoy.

    Without planted pairs all of them are decoys: the same coins with the same noise.
    """
    n_pairs = max(1, sum(listing.coin.kind == "perp" for listing in listings) // _COINS_PER_PAIR)
    coins = _candidates(seed, listings)
    kinds = [(y, x, planted) for y, x in _columns(coins, listings, n_pairs)]
    kinds += [(y, x, False) for y, x in _columns(coins, listings, n_pairs)]
    return tuple(_relation(seed, number, y, x, reverts=reverts) for number, (y, x, reverts) in enumerate(kinds))


def break_happens(seed: int, hours: IntArray, numbers: IntArray) -> BoolArray:
    """Return whether the means of relations that break jump in some hours, broadcast."""
    return np.asarray(uniforms(seed, Stream.BREAK, hours, numbers) < 1 / _BREAK_HOURS)


def break_size(seed: int, hours: IntArray, numbers: IntArray) -> FloatArray:
    """Return by how many standard deviations of the spread the means would jump, broadcast."""
    low, high = _BREAK_SDS
    chance = 2 * uniforms(seed, Stream.BREAK, hours, numbers, 1) - 1
    return np.asarray(np.copysign(low + (high - low) * np.abs(chance), chance))


def _candidates(seed: int, listings: Sequence[Listing]) -> list[int]:
    """Columns of the coins to relate, in random order, liquid ones first: a pair should bear a trade."""
    keys = name_keys(tuple(listing.coin.name for listing in listings))
    order = np.argsort(uniforms(seed, Stream.PARAMETER, 3, keys), kind="stable").tolist()
    usable = [
        column
        for column in order
        if listings[column].coin.kind == "perp"
        and listings[column].steady
        and listings[column].coin.name not in ODD_ONES
    ]
    return sorted(usable, key=lambda column: listings[column].day_usd < _LIQUID_USD)


def _columns(coins: list[int], listings: Sequence[Listing], n_pairs: int) -> list[tuple[int, int]]:
    """Take coins from the front of a list; return columns of y and x, the coin with the largest volume being x."""
    pairs: list[tuple[int, int]] = []
    while len(pairs) < n_pairs:
        size = 3 if len(pairs) % _GROUP_EVERY == 0 and len(pairs) + 1 < n_pairs else 2
        if len(coins) < size:
            break
        group = sorted((coins.pop(0) for _ in range(size)), key=lambda column: -listings[column].day_usd)
        pairs += [(y, group[0]) for y in group[1:]]
    return pairs


def _relation(seed: int, number: int, y: int, x: int, *, reverts: bool) -> Relation:
    half_life, ratio, noise = uniforms(seed, Stream.PARAMETER, 4, number, np.arange(3)).tolist()
    return Relation(
        number=number,
        y=y,
        x=x,
        hedge_ratio=_HEDGE_RATIOS[0] + (_HEDGE_RATIOS[1] - _HEDGE_RATIOS[0]) * ratio,
        noise_sd=_log_uniform(_NOISE_SDS, noise),
        half_life_hours=_log_uniform(_HALF_LIVES, half_life) if reverts else None,
        breaks=reverts and number % _BREAKS_EVERY == _BREAKS_EVERY - 1,
    )


def _log_uniform(bounds: tuple[float, float], chance: float) -> float:
    return float(bounds[0] * (bounds[1] / bounds[0]) ** chance)
