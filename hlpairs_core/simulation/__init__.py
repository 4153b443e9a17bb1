"""A simulated exchange on loopback: Hyperliquid's wire over a synthetic or a replayed market.

It is what the demo, the tests and the benchmarks talk to, through the same client as the real exchange. Every
answer is given as of the market's own clock and uses nothing that happens later.
"""

from hlpairs_core.simulation.clock import MarketClock
from hlpairs_core.simulation.faults import Fault, Faults
from hlpairs_core.simulation.feed_settings import FeedLimits, FeedSettings, Pace
from hlpairs_core.simulation.limits import Limits
from hlpairs_core.simulation.listener import run, serve
from hlpairs_core.simulation.market import SimulatedMarket
from hlpairs_core.simulation.panels import market_panel
from hlpairs_core.simulation.planted import PlantedPair
from hlpairs_core.simulation.playback import Playback
from hlpairs_core.simulation.playback_server import PlaybackExchange
from hlpairs_core.simulation.replay import replay_market
from hlpairs_core.simulation.server import SimulatedExchange
from hlpairs_core.simulation.synthetic import synthetic_market

__all__ = [
    "Fault",
    "Faults",
    "FeedLimits",
    "FeedSettings",
    "Limits",
    "MarketClock",
    "Pace",
    "PlantedPair",
    "Playback",
    "PlaybackExchange",
    "SimulatedExchange",
    "SimulatedMarket",
    "market_panel",
    "replay_market",
    "run",
    "serve",
    "synthetic_market",
]
