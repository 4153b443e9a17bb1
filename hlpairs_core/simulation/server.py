import time
from collections.abc import Callable
from typing import Any

from tornado.web import Application, RequestHandler

from hlpairs_core.simulation.faults import Faults
from hlpairs_core.simulation.feed import Feed
from hlpairs_core.simulation.feed_settings import FeedLimits, FeedSettings
from hlpairs_core.simulation.feed_socket import FeedSocket
from hlpairs_core.simulation.limits import Limits, WeightMeter
from hlpairs_core.simulation.listener import LoopbackServer, log_request
from hlpairs_core.simulation.market import SimulatedMarket
from hlpairs_core.simulation.rest import (
    ExchangeHandler,
    FaultsHandler,
    HomeHandler,
    InfoHandler,
    NotFoundHandler,
)
from hlpairs_core.simulation.rest_faults import RestFaults

__all__ = ["SimulatedExchange"]


class SimulatedExchange(LoopbackServer):
    """An exchange on loopback that speaks Hyperliquid's wire.

    Parameters
    ----------
    market : SimulatedMarket
        What it trades: `synthetic_market` or `replay_market`.
    limits : Limits, optional
        What an address may ask for; by default as much as it wants.
    feed : FeedSettings, optional
        How its WebSocket at ``/ws`` behaves; by default as the exchange's, limited where `limits` are given.
    faults : Faults, optional
        What goes wrong. Where given, ``/faults`` lists, begins (``POST``) and ends (``DELETE``) faults.
    clock : callable
        Wall time in seconds, for the limits and the feed; it must not run backwards.

    Attributes
    ----------
    meter : WeightMeter
        What requests weighed so far, limited or not.

    Notes
    -----
    Every reply carries ``X-Hlpairs-Market`` (``demo`` or ``replay``), ``X-Hlpairs-Market-Name``,
    ``X-Hlpairs-Speed``, ``X-Hlpairs-Time`` (the market time, in milliseconds, that it was given at) and
    ``X-Hlpairs-Synthetic`` (what of it is made up: in a replay the recorded candles and funding are not). Replies of
    ``/info`` and ``/exchange`` carry ``X-Hlpairs-Weight-Used`` too: the weight that the address spent in the last
    60 seconds of wall time, this request included.

    Examples
    --------
    ::

        exchange = SimulatedExchange(synthetic_market(seed=7))
        base_url = await exchange.start()
        ...
        await exchange.stop()
    """

    def __init__(
        self,
        market: SimulatedMarket,
        *,
        limits: Limits | None = None,
        feed: FeedSettings | None = None,
        faults: Faults | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self.market = market
        self.meter = WeightMeter(limits, clock)
        self._faults = faults
        settings = feed or FeedSettings(limits=None if limits is None else FeedLimits())
        self._feed = Feed(market, settings, weights=self.meter, faults=faults, clock=clock)

    async def _close(self) -> None:
        await self._feed.close()

    def _application(self) -> Application:
        given = {"market": self.market}
        weighed = given | {"meter": self.meter, "faults": RestFaults(self._feed.faults)}
        routes: list[tuple[str, type[RequestHandler], dict[str, Any]]] = [
            ("/", HomeHandler, given),
            ("/info", InfoHandler, weighed),
            ("/exchange", ExchangeHandler, weighed),
            ("/ws", FeedSocket, given | {"feed": self._feed}),
        ]
        if self._faults is not None:
            routes.append(("/faults", FaultsHandler, given | {"faults": self._faults}))
        return Application(
            routes,
            default_handler_class=NotFoundHandler,
            default_handler_args=given,
            log_function=log_request,
        )
