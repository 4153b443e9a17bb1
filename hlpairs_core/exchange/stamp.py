"""Which market an answer came from, and what time it is there."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Literal, TypeAlias

import httpx
import pandas as pd

from hlpairs_core.exceptions import InputError, MalformedPayload
from hlpairs_core.exchange.fields import EARLIEST_MS, LATEST_MS
from hlpairs_core.exchange.payloads import utc_ms

__all__ = [
    "MAINNET_URL",
    "TESTNET_URL",
    "Address",
    "MarketKind",
    "MarketStamp",
    "parse_address",
    "read_stamp",
]

MAINNET_URL = "https://api.hyperliquid.xyz"
TESTNET_URL = "https://api.hyperliquid-testnet.xyz"

MarketKind: TypeAlias = Literal["live", "testnet", "demo", "replay", "unverified"]

_OFFICIAL: dict[str, tuple[MarketKind, str]] = {
    MAINNET_URL: ("live", "mainnet"),
    TESTNET_URL: ("testnet", "testnet"),
}
_DEFAULT_PORTS = {"http": 80, "https": 443}
_SIMULATED: dict[str, MarketKind] = {"demo": "demo", "replay": "replay"}
_HOST = re.compile("[a-z0-9._-]+|[0-9a-f:.]+")
_SLUG = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_FASTEST = 1e6


@dataclass(frozen=True)
class Address:
    """Where an exchange is.

    Attributes
    ----------
    url : str
        Normalised: lower case, no path, no default port.
    kind : {"live", "testnet", "unverified"}
        What the address alone proves. Only Hyperliquid's own, over https, is live or testnet.
    name : str
        ``mainnet``, ``testnet``, or ``unverified-<host>-<port>``: fit for a folder.
    """

    url: str
    kind: MarketKind
    name: str

    @property
    def is_official(self) -> bool:
        """Whether the address is Hyperliquid's."""
        return self.kind != "unverified"


@dataclass(frozen=True)
class MarketStamp:
    """Origin and market time of one answer.

    Attributes
    ----------
    kind : {"live", "testnet", "demo", "replay", "unverified"}
        Live and testnet follow from the address alone; demo and replay from what another address says of
        itself; everything else is unverified.
    name : str
        Of the market, fit for a folder (``mainnet``, ``demo-seed7-60``). A simulated market's name always
        begins with its kind, so it can never be taken for a real one.
    speed : float
        Market seconds per wall second.
    time : pandas.Timestamp
        Market time of the answer, UTC.
    received_at : float
        When the answer arrived, by the client's clock (seconds since 1970).
    """

    kind: MarketKind
    name: str
    speed: float
    time: pd.Timestamp
    received_at: float


def parse_address(base_url: str) -> Address:
    """Check the address of an exchange and say what it proves.

    Raises
    ------
    InputError
        If it is not ``http(s)://host[:port]``: another scheme, no host, credentials, a path or a query.
    """
    try:
        url = httpx.URL(base_url)
        port = url.port if url.port is not None else _DEFAULT_PORTS.get(url.scheme, 0)
        host = url.raw_host.decode("ascii")
    except (httpx.InvalidURL, TypeError, ValueError) as problem:
        raise _no_address(base_url, str(problem)) from None
    extras = url.userinfo or url.path not in ("", "/") or set("?#@\\") & set(base_url)
    if extras or url.scheme not in _DEFAULT_PORTS or _HOST.fullmatch(host) is None or not 0 < port < 65536:
        raise _no_address(base_url, "expected http(s)://host[:port] without credentials, path or query")
    clean = f"{url.scheme}://{url.netloc.decode('ascii')}"
    kind, name = _OFFICIAL.get(clean, ("unverified", _slug_of(host, port)))
    return Address(url=clean, kind=kind, name=name)


def _no_address(value: object, problem: str) -> InputError:
    shown = re.sub("//.*@", "//", repr(value))  # an address may hold a password
    return InputError(f"cannot use {shown} as the exchange's address: {problem}")


def _slug_of(host: str, port: int) -> str:
    slug = f"unverified-{re.sub('[^a-z0-9.-]', '_', host)}-{port}"
    return slug if len(slug) <= 64 else f"unverified-{hashlib.sha256(slug.encode()).hexdigest()[:16]}"


def read_stamp(address: Address, headers: Mapping[str, str], *, request: str, received_at: float) -> MarketStamp:
    """Read the stamp of an answer from its headers.

    Hyperliquid's own addresses ignore the ``X-Hlpairs-*`` headers. Elsewhere they count, but never make a
    market live. Market time is ``X-Hlpairs-Time``, else the HTTP ``Date`` (whole seconds, rounded down by the
    server), else, where that is absent or unreadable, `received_at`.

    Parameters
    ----------
    address : Address
        Where the answer came from.
    headers : mapping
        Its headers, case-insensitive.
    request : str
        The request, for messages.
    received_at : float
        Wall time of its arrival (seconds since 1970).

    Raises
    ------
    MalformedPayload
        If an ``X-Hlpairs-*`` header is unfit.
    """
    said = {} if address.is_official else headers
    kind = _SIMULATED.get(said.get("X-Hlpairs-Market", ""), address.kind)
    name = address.name if kind == address.kind else _simulated_name(said, kind, address, request)
    return MarketStamp(
        kind=kind,
        name=name,
        speed=_speed(said.get("X-Hlpairs-Speed"), request),
        time=_market_time(said.get("X-Hlpairs-Time"), headers.get("Date"), received_at, request),
        received_at=received_at,
    )


def _simulated_name(headers: Mapping[str, str], kind: str, address: Address, request: str) -> str:
    field = "X-Hlpairs-Market-Name"
    name = headers.get(field, address.name).lower()
    if _SLUG.fullmatch(name) is None:
        raise MalformedPayload(request, f"header {field}", f"expected up to 64 of a-z 0-9 . _ -, got {name[:80]!r}")
    return name if name.startswith(f"{kind}-") else f"{kind}-{name}"


def _speed(text: str | None, request: str) -> float:
    if text is None:
        return 1.0
    if re.fullmatch(r"[0-9]{1,7}(\.[0-9]{1,9})?", text) is None or float(text) > _FASTEST:
        raise MalformedPayload(request, "header X-Hlpairs-Speed", f"expected 0 to {_FASTEST:.0f}, got {text[:80]!r}")
    return float(text)


def _market_time(simulated: str | None, date: str | None, received_at: float, request: str) -> pd.Timestamp:
    if simulated is None:
        return utc_ms([_date_ms(date) or int(received_at * 1000)])[0]
    if re.fullmatch("[0-9]{13}", simulated) is None or not EARLIEST_MS <= int(simulated) <= LATEST_MS:
        problem = f"expected milliseconds between 2009 and 2100, got {simulated[:80]!r}"
        raise MalformedPayload(request, "header X-Hlpairs-Time", problem)
    return utc_ms([int(simulated)])[0]


def _date_ms(date: str | None) -> int | None:
    try:
        # A zone of "-0000" (or none) also means UTC, but leaves the time naive.
        moment = parsedate_to_datetime(date or "")
        milliseconds = int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None
    return milliseconds if EARLIEST_MS <= milliseconds <= LATEST_MS else None
