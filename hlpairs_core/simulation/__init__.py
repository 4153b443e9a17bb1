"""A simulated exchange on loopback: Hyperliquid's wire over a synthetic or a replayed market.

It is what the demo, the tests and the benchmarks talk to, through the same client as the real exchange. Every
answer is given as of the market's own clock and uses nothing that happens later.
"""

from hlpairs_core.simulation.clock import MarketClock
from hlpairs_core.simulation.market import PlantedPair, SimulatedMarket
from hlpairs_core.simulation.replay import replay_market
from hlpairs_core.simulation.server import SimulatedExchange, run, serve
from hlpairs_core.simulation.synthetic import synthetic_market

__all__ = [
    "MarketClock",
    "PlantedPair",
    "SimulatedExchange",
    "SimulatedMarket",
    "replay_market",
    "run",
    "serve",
    "synthetic_market",
]
