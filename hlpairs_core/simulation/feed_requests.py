"""What a client may say to the feed: from a text to a request."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from hlpairs_core.exceptions import InputError

__all__ = ["FeedRequest", "Ping", "Post", "Subscription", "Unsubscription", "read_request"]

Value: TypeAlias = str | int | bool | None
FeedRequest: TypeAlias = "Ping | Post | Subscription | Unsubscription"

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_MOST = 2**64


@dataclass(frozen=True)
class Ping:
    """Asks for a pong."""


@dataclass(frozen=True)
class Post:
    """A request that would otherwise go to REST.

    Attributes
    ----------
    id : int
        Given by the client, repeated in the answer.
    kind : {"info", "action"}
        Which endpoint it would go to.
    payload : object
        The body it would have there.
    text : str
        The whole message as it was sent.
    """

    id: int
    kind: Literal["info", "action"]
    payload: Any
    text: str


@dataclass(frozen=True)
class Subscription:
    """What a client wants to be sent; equal ones are the same subscription.

    Attributes
    ----------
    kind : str
        Its ``type``.
    fields : tuple of (str, value)
        The rest, defaults filled in, in the order in which the exchange repeats them.
    """

    kind: str
    fields: tuple[tuple[str, Value], ...] = ()

    def get(self, name: str) -> Value:
        """Return a field, None without it."""
        return dict(self.fields).get(name)

    def text(self, name: str) -> str:
        """Return a field that is a text, empty without it."""
        value = self.get(name)
        return value if isinstance(value, str) else ""

    def echo(self) -> dict[str, Value]:
        """Return it as the exchange repeats it."""
        return {"type": self.kind, **dict(self.fields)}


@dataclass(frozen=True)
class Unsubscription:
    """Ends a subscription."""

    subscription: Subscription


def read_request(text: str) -> FeedRequest:
    """Read what a client sent. What it need not contain is ignored.

    Raises
    ------
    InputError
        If it is no request.
    """
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"the message is not JSON: {error}") from error
    if not isinstance(message, dict):
        raise InputError(f"a message must be a JSON object, got {type(message).__name__}")
    method = message.get("method")
    if method == "ping":
        return Ping()
    if method == "post":
        return _post(message, text)
    if method not in ("subscribe", "unsubscribe"):
        raise InputError(f"unknown method {method!r}")
    subscription = _subscription(message.get("subscription"))
    return subscription if method == "subscribe" else Unsubscription(subscription)


def _post(message: Mapping[str, Any], text: str) -> Post:
    number, request = message.get("id"), message.get("request")
    if type(number) is not int or not 0 <= number < _MOST:
        raise InputError(f"`id` must be a whole number, got {number!r}")
    if not isinstance(request, dict) or request.get("type") not in ("info", "action") or "payload" not in request:
        raise InputError("`request` must have a `type`, info or action, and a `payload`")
    return Post(number, request["type"], request["payload"], text)


def _subscription(value: Any) -> Subscription:
    if not isinstance(value, dict):
        raise InputError("`subscription` must be a JSON object")
    kind = value.get("type")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise InputError(f"unknown subscription {kind!r}: use one of {', '.join(_KINDS)}")
    read = ((entry.name, entry.of(value)) for entry in _KINDS[kind])
    return Subscription(kind, tuple((name, found) for name, found in read if found is not _LEFT_OUT))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise InputError(f"must be a string, got {value!r}")
    return value


def _address(value: Any) -> str:
    if not isinstance(value, str) or not _ADDRESS.fullmatch(value):
        raise InputError(f"must be an address of 42 characters, got {value!r}")
    return value.lower()


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise InputError(f"must be true or false, got {value!r}")
    return value


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value < _MOST:
        raise InputError(f"must be a whole number, got {value!r}")
    return value


_NEEDED: Any = object()
_LEFT_OUT: Any = object()


@dataclass(frozen=True)
class _Field:
    """One field of a subscription: how it is read and what stands in for it."""

    name: str
    read: Callable[[Any], Value]
    default: Any = _NEEDED

    def of(self, message: Mapping[str, Any]) -> Value:
        value = message.get(self.name)
        if value is None:
            if self.default is _NEEDED:
                raise InputError(f"`{self.name}` is missing")
            return self.default  # type: ignore[no-any-return]
        try:
            return self.read(value)
        except InputError as error:
            raise InputError(f"`{self.name}` {error}") from None


_COIN, _USER = _Field("coin", _text), _Field("user", _address)
_ANY_DEX, _MAIN_DEX = _Field("dex", _text, _LEFT_OUT), _Field("dex", _text, "")

_KINDS: dict[str, tuple[_Field, ...]] = {
    "activeAssetCtx": (_COIN,),
    "activeAssetData": (_USER, _COIN),
    "allDexsAssetCtxs": (),
    "allDexsClearinghouseState": (_USER,),
    "allMids": (_ANY_DEX,),
    "assetCtxs": (_MAIN_DEX,),
    "bbo": (_COIN,),
    "candle": (_Field("interval", _text), _COIN),
    "clearinghouseState": (_USER, _MAIN_DEX),
    "fastAssetCtxs": (),
    "l2Book": (
        _COIN,
        _Field("nSigFigs", _count, None),
        _Field("mantissa", _count, None),
        _Field("fast", _flag, False),
    ),
    "notification": (_USER,),
    "openOrders": (_USER, _MAIN_DEX),
    "orderUpdates": (_USER,),
    "spotAssetCtxs": (),
    "spotState": (_USER, _Field("ignorePortfolioMargin", _flag, False)),
    "trades": (_COIN,),
    "twapStates": (_USER, _MAIN_DEX),
    "userEvents": (_USER,),
    "userFills": (_USER, _Field("aggregateByTime", _flag, False)),
    "userFundings": (_USER,),
    "userHistoricalOrders": (_USER,),
    "userNonFundingLedgerUpdates": (_USER,),
    "userTwapHistory": (_USER,),
    "userTwapSliceFills": (_USER,),
    "webData2": (_USER,),
    "webData3": (_USER,),
}
