import pytest

from hlpairs_core.engine.venue import Simulator, choose_venue
from hlpairs_core.exchange import MAINNET_URL, TESTNET_URL
from hlpairs_core.settings import load_settings


class Probe:
    def __init__(self, trouble):
        self.trouble, self.asked = trouble, []

    async def __call__(self, url):
        self.asked.append(url)
        return self.trouble


def simulate(*, seed, speed):
    return Simulator(f"http://127.0.0.1:1/{seed}/{speed:g}", None)


async def test_auto_takes_the_mainnet_when_it_answers():
    probe = Probe(None)
    venue = await choose_venue(load_settings(market="auto"), probe=probe, simulate=simulate)
    assert (venue.url, venue.fallback, venue.simulator) == (MAINNET_URL, None, None)
    assert probe.asked == [MAINNET_URL]


async def test_auto_falls_back_to_the_demo_and_says_why():
    settings = load_settings(market="auto", demo_seed=9, demo_speed=30)
    venue = await choose_venue(settings, probe=Probe("allMids: no route to host"), simulate=simulate)
    assert venue.url == "http://127.0.0.1:1/9/30"
    assert "no route to host" in venue.fallback
    assert "simulated" in venue.fallback


@pytest.mark.parametrize(
    ("market", "urls"),
    [
        ("mainnet", [MAINNET_URL]),
        ("testnet", [TESTNET_URL]),
        ("http://127.0.0.1:5", ["http://127.0.0.1:5"]),
        ("http://127.0.0.1:5, http://127.0.0.1:6/", ["http://127.0.0.1:5", "http://127.0.0.1:6"]),
    ],
)
async def test_a_market_that_was_asked_for_is_never_replaced(market, urls):
    probe = Probe("down")
    venue = await choose_venue(load_settings(market=market), probe=probe, simulate=simulate)
    assert (list(venue.urls), venue.url, venue.fallback, probe.asked) == (urls, urls[0], None, [])


async def test_the_demo_is_no_fallback_when_it_was_asked_for():
    venue = await choose_venue(load_settings(market="demo"), probe=Probe("down"), simulate=simulate)
    assert venue.fallback is None
    assert venue.simulator is not None
