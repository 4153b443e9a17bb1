"""``python -m benchmarks.watched_exchange COINS SPEED [limits]``: a simulated exchange that can be looked into.

``GET /weight`` says the weight of the last minute and how many requests were refused, and weighs nothing.
``POST /mark?coin=X`` scales the best prices of a coin by `FACTOR`, and back at the next call, from its next tick on:
the answer comes once that tick was sent and says when, in seconds since 1970; null where none came for a while.
"""

import asyncio
import json
import sys
import time
from typing import Any

from tornado.web import Application, RequestHandler

from hlpairs_core.simulation import FeedLimits, FeedSettings, Limits, Pace, SimulatedExchange, run, synthetic_market
from hlpairs_core.simulation.feed_socket import FeedSocket
from hlpairs_core.simulation.limits import WeightMeter

__all__ = ["FACTOR", "Marks", "WatchedExchange"]

FACTOR = 1.1
TICK_SECONDS = 0.1
LOST_SECONDS = 20.0


class Marks:
    """Which coins are scaled now, and who waits for their next tick."""

    def __init__(self) -> None:
        self._scaled: set[str] = set()
        self._waiting: dict[str, asyncio.Future[float]] = {}

    def turn(self, coin: str) -> asyncio.Future[float]:
        """Scale a coin, or scale it no longer; the time at which its next tick is sent follows."""
        self._scaled ^= {coin}
        self._waiting[coin] = asyncio.get_running_loop().create_future()
        return self._waiting[coin]

    def applied(self, text: str) -> str:
        """Return a frame as it is to be sent."""
        if '"channel":"bbo"' not in text[:40]:
            return text
        frame = json.loads(text)
        coin = frame["data"]["coin"]
        if coin in self._scaled:
            for level in frame["data"]["bbo"]:
                level["px"] = f"{float(level['px']) * FACTOR:.5g}"
            text = json.dumps(frame, separators=(",", ":"))
        waiting = self._waiting.pop(coin, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(time.time())
        return text


class _MarkedSocket(FeedSocket):
    marks: Marks

    def initialize(self, marks: Marks, **given: Any) -> None:  # type: ignore[override]
        super().initialize(**given)
        self.marks = marks

    def transmit(self, text: str) -> None:
        super().transmit(self.marks.applied(text))


class _MarkHandler(RequestHandler):
    def initialize(self, marks: Marks) -> None:
        self.marks = marks

    async def post(self) -> None:
        tick = self.marks.turn(self.get_query_argument("coin"))
        done, _ = await asyncio.wait([tick], timeout=LOST_SECONDS)
        self.write({"sent_at": tick.result() if done else None})


class _WeightHandler(RequestHandler):
    def initialize(self, meter: WeightMeter) -> None:
        self.meter = meter

    def get(self) -> None:
        self.write({"used": self.meter.used(), "refused": self.meter.refused})


class WatchedExchange(SimulatedExchange):
    """A simulated exchange with marks, and with a look at its meter."""

    def _application(self) -> Application:
        marks, given = Marks(), {"market": self.market, "feed": self._feed}
        application = super()._application()
        # The newest rule goes first.
        application.add_handlers(".*", [("/ws", _MarkedSocket, {**given, "marks": marks})])
        application.add_handlers(".*", [("/mark", _MarkHandler, {"marks": marks})])
        application.add_handlers(".*", [("/weight", _WeightHandler, {"meter": self.meter})])
        return application


if __name__ == "__main__":
    _market = synthetic_market(seed=7, n_coins=int(sys.argv[1]), speed=float(sys.argv[2]))
    _limits = "limits" in sys.argv[3:]
    _feed = FeedSettings(pace=Pace(block=TICK_SECONDS), limits=FeedLimits() if _limits else None)
    _exchange = WatchedExchange(_market, limits=Limits() if _limits else None, feed=_feed)
    asyncio.run(run(_exchange, announce=lambda url: print(url, flush=True)))
