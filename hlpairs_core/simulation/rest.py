"""The exchange's REST side: request handlers for Tornado."""

import json
import logging
import math
from abc import abstractmethod
from dataclasses import asdict
from typing import Any, ClassVar, Protocol

import pandas as pd
from tornado.web import RequestHandler

from hlpairs_core.exceptions import InputError
from hlpairs_core.simulation.actions import refusal
from hlpairs_core.simulation.faults import Fault, Faults
from hlpairs_core.simulation.handlers import answer
from hlpairs_core.simulation.limits import WeightMeter, action_weight, info_weight
from hlpairs_core.simulation.market import SimulatedMarket
from hlpairs_core.simulation.reply import Reply
from hlpairs_core.simulation.rest_faults import RestFaults
from hlpairs_core.simulation.view import MarketView

__all__ = [
    "MALFORMED",
    "ExchangeHandler",
    "FaultsHandler",
    "HomeHandler",
    "InfoHandler",
    "NotFoundHandler",
    "StampedHandler",
]

_HOST_NAMES = frozenset({"127.0.0.1", "localhost"})
_MAX_REQUEST_BYTES = 64 * 1024
MALFORMED = "Failed to deserialize the JSON body into the target type"
# Over the limit the exchange says just this, and not when to try again.
_TOO_MUCH = Reply(status=429)

logger = logging.getLogger(__name__)


class Clock(Protocol):
    """The time of a market and how fast it runs."""

    speed: float

    def time_ms(self) -> int:
        """Return the market's time, milliseconds since the epoch."""


class Stamped(Protocol):
    """What a stamp says of a market; `synthetic` is what of it is made up."""

    @property
    def kind(self) -> str:
        """What sort of market it is."""

    @property
    def name(self) -> str:
        """Slug of its data."""

    @property
    def clock(self) -> Clock:
        """Its time."""

    @property
    def synthetic(self) -> str:
        """What of it is made up; empty where nothing is."""


class StampedHandler(RequestHandler):
    """Says on every reply, errors included, which market this is and what time it has."""

    SUPPORTED_METHODS: ClassVar[tuple[str, ...]] = ("GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE")  # type: ignore[misc]
    _time_ms: int | None = None

    def initialize(self, market: Stamped) -> None:
        """Take what the application hands over."""
        self.stamped = market
        self._stamp()

    def set_default_headers(self) -> None:
        """Stamp the reply again after Tornado cleared it."""
        if self._time_ms is not None:
            self._stamp()

    def prepare(self) -> None:
        """Refuse other host names, so that no web page can reach in through a name of its own."""
        if self.request.host_name not in _HOST_NAMES:
            self.refuse(403, f"unknown host {self.request.host_name}")
        elif len(self.request.body) > _MAX_REQUEST_BYTES:
            self.refuse(413, "the request is too large")

    def refuse(self, status: int, text: str) -> None:
        """End the request with a plain text."""
        self.set_status(status)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(text)

    def write_error(self, status_code: int, **_: Any) -> None:
        """Answer errors with their reason in plain text."""
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(self._reason if status_code < 500 else "Internal Server Error")

    @property
    def time_ms(self) -> int:
        """Market time of this reply: the one its headers carry."""
        if self._time_ms is None:
            self._time_ms = self.stamped.clock.time_ms()
        return self._time_ms

    @property
    def ahead_ms(self) -> int:
        """How far its clock, as it says it, is ahead of the market's (ms)."""
        return 0

    def stamp_now(self) -> None:
        """Say the time again: a reply that had to wait is of the moment at which it is sent."""
        self._time_ms = None
        self._stamp()

    def _stamp(self) -> None:
        self.clear_header("Server")
        self.set_header("X-Hlpairs-Market", self.stamped.kind)
        self.set_header("X-Hlpairs-Market-Name", self.stamped.name)
        self.set_header("X-Hlpairs-Speed", f"{self.stamped.clock.speed:g}")
        self.set_header("X-Hlpairs-Time", str(self.time_ms + self.ahead_ms))
        if self.stamped.synthetic:
            self.set_header("X-Hlpairs-Synthetic", self.stamped.synthetic)


class HomeHandler(StampedHandler):
    """Says in words what answers here."""

    def get(self) -> None:
        """Answer ``GET /``."""
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        time = pd.Timestamp(self.time_ms, unit="ms", tz="UTC").isoformat()
        self.finish(f"hlpairs simulated exchange: {self.stamped.name}, market time {time}\n")


class _WeighedHandler(StampedHandler):
    """Answers JSON with JSON while the address has weight left."""

    def initialize(  # type: ignore[override]
        self, market: SimulatedMarket, meter: WeightMeter, faults: RestFaults
    ) -> None:
        """Take what the application hands over."""
        self.market, self.meter, self.faults = market, meter, faults
        super().initialize(market)

    @property
    def ahead_ms(self) -> int:
        """How far its clock is ahead, when that is what is wrong (ms)."""
        return self.faults.skew_ms

    @abstractmethod
    def weight(self, request: Any, rows: int) -> int:
        """Return what a request weighs with an answer of some rows."""

    @abstractmethod
    def answer(self, request: Any) -> Reply:
        """Answer a request; `InputError` refuses it as malformed."""

    async def post(self) -> None:
        """Answer, or say that it was too much, or that it could not be read."""
        request, sender = _parsed(self.request.body), self.request.remote_ip or ""
        if await self.faults.strikes(self, request):
            return
        weight = self.weight(request, 0)
        if not self.meter.admit(sender, weight):
            self._send(request, _TOO_MUCH, sender)
            return
        try:
            reply = self.faults.said(request, self.answer(self.faults.heard(request)))
        except InputError as error:
            logger.debug("refused: %s", error)
            self._say_used(sender)
            self.refuse(422, MALFORMED)
            return
        self.meter.charge(sender, self.weight(request, reply.rows) - weight)
        self._send(request, reply, sender)

    def _send(self, request: Any, reply: Reply, sender: str) -> None:
        self._say_used(sender)
        self.set_status(reply.status)
        self.set_header("Content-Type", "application/json")
        body = self.faults.sent(self, request, reply.body)
        if body is not None:
            self.finish(body)

    def _say_used(self, sender: str) -> None:
        self.set_header("X-Hlpairs-Weight-Used", str(self.meter.used(sender)))


class InfoHandler(_WeighedHandler):
    """Answers ``POST /info``."""

    def weight(self, request: Any, rows: int) -> int:
        """Weigh by type and rows."""
        return info_weight(request, rows)

    def answer(self, request: Any) -> Reply:
        """Answer as of this moment."""
        return answer(MarketView.at(self.market, self.time_ms), request)


class ExchangeHandler(_WeighedHandler):
    """Answers ``POST /exchange``."""

    def weight(self, request: Any, rows: int) -> int:  # noqa: ARG002
        """Weigh by the size of a batch."""
        return action_weight(request)

    def answer(self, request: Any) -> Reply:
        """Refuse every action."""
        return refusal(request)


class FaultsHandler(StampedHandler):
    """Answers ``/faults``: what is wrong now, and what shall be."""

    def initialize(self, market: Stamped, faults: Faults) -> None:  # type: ignore[override]
        """Take what the application hands over."""
        super().initialize(market)
        self.faults = faults

    def get(self) -> None:
        """Say what goes on."""
        # Seconds without end have no JSON.
        active = [
            {key: value for key, value in asdict(fault).items() if value not in (math.inf,) and value == value}
            for fault in self.faults.active()
        ]
        self.finish(json.dumps(active))

    def post(self) -> None:
        """Begin a fault: its fields as JSON."""
        try:
            self.faults.start(Fault(**(_parsed(self.request.body) or {})))
        except (InputError, TypeError) as error:
            self.refuse(422, str(error))
            return
        self.get()

    def delete(self) -> None:
        """End all faults."""
        self.faults.clear()
        self.get()


class NotFoundHandler(StampedHandler):
    """Answers everything else."""

    def prepare(self) -> None:
        """Answer 404."""
        self.refuse(404, "not found")


def _parsed(body: bytes) -> Any:
    """Read a body; None, which no request is, where it cannot be read."""
    try:
        return json.loads(body, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        logger.debug("the body is not JSON: %s", error)
        return None


def _no_number(constant: str) -> None:
    """Refuse NaN and infinities: Python reads them, JSON has none."""
    raise ValueError(f"{constant} is no number")
