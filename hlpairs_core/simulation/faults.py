"""What can go wrong between an exchange and its client, switched on and off while the exchange runs."""

import math
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from hlpairs_core.exceptions import InputError

__all__ = ["FEED_FAULTS", "MARKET_FAULTS", "REST_FAULTS", "Fault", "FaultKind", "Faults", "spoiled"]

RestFault: TypeAlias = Literal[
    "refuse", "stall", "slow", "cut", "truncate", "html", "limited", "types", "nan", "zero", "huge"
]
FeedFault: TypeAlias = Literal[
    "feed-refuse",
    "feed-drop",
    "feed-stall",
    "feed-mute",
    "feed-slow",
    "feed-split",
    "feed-truncate",
    "feed-types",
    "feed-nan",
    "feed-zero",
    "feed-duplicate",
    "feed-reorder",
    "feed-unknown",
    "feed-huge",
    "feed-lose",
    "feed-kill",
]
MarketFault: TypeAlias = Literal["skew", "empty", "shrink", "reorder", "unlisted", "delisted"]
FaultKind: TypeAlias = RestFault | FeedFault | MarketFault

REST_FAULTS: tuple[str, ...] = get_args(RestFault)
FEED_FAULTS: tuple[str, ...] = get_args(FeedFault)
MARKET_FAULTS: tuple[str, ...] = get_args(MarketFault)

_SHARES = (0.0, 1.0)
_AMOUNTS = {"slow": 2.0, "feed-slow": 2.0, "skew": 90.0, "huge": 10e6, "feed-huge": 10e6}


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    Attributes
    ----------
    kind : str
        Requests: ``refuse`` (the connection is closed without an answer), ``stall`` (no answer comes), ``slow``
        (it comes `amount` seconds late), ``cut`` (half of it comes, then the connection is closed), ``truncate`` (half
        of it comes as if it were whole), ``html`` (502 with a page), ``limited`` (429 with the body ``null``),
        ``types``, ``nan``, ``zero`` (numbers of a wrong type, not a number, or 0), ``huge`` (`amount` bytes).

        Feed: ``feed-refuse`` (no new connection), ``feed-drop`` (every connection is cut, once), ``feed-stall``
        (nothing is sent at all), ``feed-mute`` (pongs only), ``feed-slow``, ``feed-split`` (every message in many
        fragments), ``feed-truncate``, ``feed-types``, ``feed-nan``, ``feed-zero``, ``feed-duplicate``,
        ``feed-reorder``, ``feed-unknown`` (frames of unknown channels between the others), ``feed-huge``,
        ``feed-lose`` (frames are left out), ``feed-kill`` (whoever subscribes to `coin` is cut off).

        Market: ``skew`` (its clock is `amount` seconds ahead), ``empty``, ``shrink``, ``reorder`` (of the universe),
        ``unlisted`` (`coin` is not there: it is listed when the fault ends), ``delisted`` (`coin` no longer trades).
    seconds : float
        Wall time that it lasts.
    only : str
        The request type or channel it strikes; empty for all.
    coin : str
        The coin it strikes; empty for all.
    share : float
        Chance with which it strikes each time.
    amount : float
        See `kind`; NaN for the usual.
    """

    kind: FaultKind
    seconds: float = math.inf
    only: str = ""
    coin: str = ""
    share: float = 1.0
    amount: float = math.nan

    def __post_init__(self) -> None:
        if self.kind not in (*REST_FAULTS, *FEED_FAULTS, *MARKET_FAULTS):
            known = ", ".join((*REST_FAULTS, *FEED_FAULTS, *MARKET_FAULTS))
            raise InputError(f"there is no fault {self.kind!r}: use one of {known}")
        if not self.seconds > 0:
            raise InputError(f"a fault lasts more than 0 seconds, got {self.seconds!r}")
        if not _SHARES[0] < self.share <= _SHARES[1]:
            raise InputError(f"share is a chance above 0 and at most 1, got {self.share!r}")
        if self.kind in ("feed-kill", "unlisted", "delisted") and not self.coin:
            raise InputError(f"the fault {self.kind} needs a coin")

    @property
    def size(self) -> float:
        """The amount, or what is usual for the kind."""
        return _AMOUNTS.get(self.kind, math.nan) if math.isnan(self.amount) else self.amount


class Faults:
    """The faults of one exchange.

    Parameters
    ----------
    clock : callable
        Wall time, seconds.
    rng : random.Random, optional
        Decides whether a fault with a `share` below 1 strikes.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, rng: random.Random | None = None) -> None:
        self._clock = clock
        self._rng = rng if rng is not None else random.Random(0)
        self._active: list[tuple[float, Fault]] = []
        self._listeners: list[Callable[[Fault], None]] = []

    def listen(self, begun: Callable[[Fault], None]) -> None:
        """Have a function called with each fault that begins."""
        self._listeners.append(begun)

    def start(self, fault: Fault) -> None:
        """Let a fault begin now."""
        self._active.append((self._clock() + fault.seconds, fault))
        for begun in self._listeners:
            begun(fault)

    def clear(self) -> None:
        """End all faults."""
        self._active.clear()

    def active(self) -> list[Fault]:
        """Return the faults that go on now."""
        now = self._clock()
        self._active = [(until, fault) for until, fault in self._active if now < until]
        return [fault for _, fault in self._active]

    def strikes(self, *kinds: str, only: str = "", coin: str = "") -> Iterator[Fault]:
        """Yield the faults of some kinds that strike this time.

        Parameters
        ----------
        *kinds : str
            Which faults are asked for.
        only : str
            The type of the request, or the channel of the frame, that may be struck.
        coin : str
            The coin it is about.
        """
        for fault in self.active():
            meant = fault.kind in kinds and fault.only in ("", only) and fault.coin in ("", coin)
            if meant and (fault.share >= 1 or self._rng.random() < fault.share):
                yield fault

    def strike(self, *kinds: str, only: str = "", coin: str = "") -> Fault | None:
        """Return the first fault of some kinds that strikes this time, or None."""
        return next(self.strikes(*kinds, only=only, coin=coin), None)


def spoiled(payload: Any, kind: str, rng: random.Random) -> Any:
    """Return a payload in which about one number in three is of a wrong type (``types``), ``"NaN"`` or ``"0"``."""
    if isinstance(payload, dict):
        return {key: spoiled(value, kind, rng) for key, value in payload.items()}
    if isinstance(payload, list):
        return [spoiled(value, kind, rng) for value in payload]
    if _is_number(payload) and rng.random() < 1 / 3:
        return {"types": [payload], "nan": "NaN", "zero": "0"}[kind.removeprefix("feed-")]
    return payload


def _is_number(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        float(value)
    except ValueError:
        return False
    return True
