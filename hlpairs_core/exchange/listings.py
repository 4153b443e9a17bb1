"""What the exchange lists, as far as it was asked, and how that changed."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Listings", "UniverseChange"]

_KEPT = 100
_NAMED = 5


@dataclass(frozen=True)
class UniverseChange:
    """A universe differs from the one before.

    Asset ids are positions in it. So a listing at its end changes no id, while ids from before must not be
    used any more where coins left or moved.

    Attributes
    ----------
    number : int
        Counts the changes a client has seen, from 1.
    dex : str
        Whose universe it is; empty for the main one.
    received_at : float
        When the answer arrived (seconds since 1970).
    added, removed, moved : tuple of str
        Coins that are new, that are gone, and that have another position than before.
    delisted : tuple of str
        Coins that still have their position and are no longer traded.
    """

    number: int
    dex: str
    received_at: float
    added: tuple[str, ...]
    removed: tuple[str, ...]
    moved: tuple[str, ...]
    delisted: tuple[str, ...]

    @property
    def moves_ids(self) -> bool:
        """Whether asset ids from before the change are wrong."""
        return bool(self.removed or self.moved)

    def __str__(self) -> str:
        parts = [
            f"{len(coins)} {what} ({_some(coins)})"
            for what, coins in (
                ("gone", self.removed),
                ("at another position", self.moved),
                ("new", self.added),
                ("delisted", self.delisted),
            )
            if coins
        ]
        warning = "; asset ids from before are wrong" if self.moves_ids else ""
        return f"the universe{f' of {self.dex!r}' if self.dex else ''} changed: {', '.join(parts)}{warning}"


def _some(coins: Sequence[str]) -> str:
    shown = ", ".join(repr(coin) for coin in coins[:_NAMED])
    return shown if len(coins) <= _NAMED else f"{shown} and {len(coins) - _NAMED} more"


class Listings:
    """The coins of every universe that was asked for.

    Attributes
    ----------
    changes : deque of UniverseChange
        The last hundred, oldest first.
    """

    def __init__(self) -> None:
        self._universes: dict[str, dict[str, bool]] = {}
        self._seen = 0
        self.changes: deque[UniverseChange] = deque(maxlen=_KEPT)

    def lists(self, coin: str, universe: str | None = None) -> bool:
        """Whether a universe that was asked for (any, or the one named) has this coin, be it delisted."""
        universes = self._universes.values() if universe is None else [self._universes.get(universe, {})]
        return any(coin in coins for coins in universes)

    def hold(self, universe: str, coins: Iterable[str]) -> None:
        """Take over names that have no position."""
        self._universes[universe] = dict.fromkeys(coins, False)

    def note(self, dex: str, coins: Mapping[str, bool], *, received_at: float) -> None:
        """Take over a universe of perps: for each coin, by position, whether it is delisted."""
        before = self._universes.get(dex, coins)
        self._universes[dex] = dict(coins)
        changed = _compare(before, coins)
        if any(changed.values()):
            self._seen += 1
            self.changes.append(UniverseChange(self._seen, dex, received_at, **changed))


def _compare(before: Mapping[str, bool], now: Mapping[str, bool]) -> dict[str, tuple[str, ...]]:
    was = {coin: position for position, coin in enumerate(before)}
    return {
        "added": tuple(coin for coin in now if coin not in before),
        "removed": tuple(coin for coin in before if coin not in now),
        "moved": tuple(coin for position, coin in enumerate(now) if was.get(coin, position) != position),
        "delisted": tuple(coin for coin, gone in now.items() if gone and not before.get(coin, True)),
    }
