"""The hours of a synthetic market: what they depend on, and what they look like."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlpairs_core.simulation import SimulatedMarket, synthetic_market
from hlpairs_core.simulation.factors import FactorModel
from hlpairs_core.simulation.listings import Listing, listed_coins
from hlpairs_core.simulation.process import Chunk, MarketProcess

SEED = 11
HOURS = 400
BAR_FIELDS = ("open", "high", "low", "close", "volume")


def process(listings: tuple[Listing, ...], *, planted: bool = True) -> MarketProcess:
    return MarketProcess(SEED, listings, FactorModel.drawn(SEED, listings, planted=planted), planted=planted)


def everything(chunks: list[Chunk]) -> list[np.ndarray]:
    bars = [np.concatenate([getattr(chunk.bars, field) for chunk in chunks]) for field in BAR_FIELDS]
    others = ("premium_open", "premium_mean", "rate", "settled_ms")
    return bars + [np.concatenate([getattr(chunk, field) for chunk in chunks]) for field in others]


@pytest.fixture(scope="module")
def at_once() -> list[np.ndarray]:
    return everything([process(listed_coins(41)).advance(HOURS)])


@settings(max_examples=15, deadline=None)
@given(cuts=st.sets(st.integers(1, HOURS - 1), max_size=6))
def test_the_size_of_the_chunks_changes_no_bit(at_once: list[np.ndarray], cuts: set[int]) -> None:
    made = process(listed_coins(41))
    chunks = [made.advance(int(length)) for length in np.diff([0, *sorted(cuts), HOURS])]
    for one, other in zip(everything(chunks), at_once, strict=True):
        assert np.array_equal(one, other, equal_nan=True)


@pytest.mark.parametrize("n_coins", [2, 3, 5, 9, 15, 20, 29, 250])
def test_every_size_of_market_has_sound_bars(n_coins: int) -> None:
    listings = listed_coins(n_coins)
    assert sum(listing.coin.kind == "perp" for listing in listings) == n_coins
    assert len({listing.coin.name for listing in listings}) == len(listings)
    opened, high, low, close, volume, *_ = everything([process(listings).advance(200)])
    alive = np.isfinite(close)
    assert alive[:, [listing.first_hour == 0 for listing in listings]].all()
    assert (low[alive] > 0).all()
    assert (high[alive] >= np.maximum(opened, close)[alive]).all()
    assert (low[alive] <= np.minimum(opened, close)[alive]).all()
    assert (volume[alive] >= 0).all()


def test_prices_and_volumes_keep_to_ticks_and_lots(demo: SimulatedMarket) -> None:
    bars, _ = demo.history.upto(demo.clock.time_ms())
    for column, coin in enumerate(demo.coins):
        close, volume = bars.close[-500:, column], bars.volume[-500:, column]
        close, volume = close[np.isfinite(close)], volume[np.isfinite(volume)]
        figures = 4 - np.floor(np.log10(close))
        decimals = np.clip(figures, 0, coin.price_decimals)
        assert np.allclose(close, np.round(close * 10**decimals) / 10**decimals, rtol=1e-12)
        assert np.allclose(volume, np.round(volume * 10.0**coin.size_decimals) / 10.0**coin.size_decimals, rtol=1e-12)


def test_a_coin_that_was_silent_opens_where_it_should_be() -> None:
    """Its stale price must be worth nothing: what it opens with says nothing about the rest of the hour."""
    market = synthetic_market(SEED, 40, start="2026-01-01", clock=lambda: 0.0)
    bars, _ = market.history.upto(market.clock.time_ms())
    coin = [coin.name for coin in market.coins].index("RLB")
    silent = bars.volume[:, coin] == 0
    assert 0.4 < silent.mean() < 0.6
    after = np.flatnonzero(silent[:-1] & ~silent[1:]) + 1
    jump = np.log(bars.open[after, coin] / bars.close[after - 1, coin])
    rest = np.log(bars.close[after, coin] / bars.open[after, coin])
    assert jump.std() > rest.std() / 2
    assert abs(np.corrcoef(jump, rest)[0, 1]) < 3 / np.sqrt(len(after))


def test_late_listings_and_delistings_go_on_for_the_life_of_a_large_market() -> None:
    market = synthetic_market(SEED, 250, start="2025-12-01", clock=lambda: 0.0)
    bars, _ = market.history.upto(market.clock.time_ms())
    perps = market.kinds == "perp"
    now = bars.index(market.clock.time_ms())
    late = (bars.listed > 24) & perps
    assert np.count_nonzero(late & (bars.listed <= now)) == 4
    assert np.count_nonzero(perps & (bars.last < now) & (bars.last > 0)) == 2
    assert (
        bars.listed[late & (bars.listed < bars.n_bars)] - bars.first[late & (bars.listed < bars.n_bars)] >= 800
    ).all()
    assert {"kPEPE", "kBONK", "PURR", "HYPE"} <= {coin.name for coin in market.coins}


def test_the_builders_coins_are_there_whatever_the_size_and_hang_on_nothing() -> None:
    for n_coins in (2, 250):
        market = synthetic_market(SEED, n_coins, start="2025-03-01", clock=lambda: 0.0)
        builders = [coin.name for coin in market.coins if coin.kind == "builder"]
        assert builders == ["sim:GOLD", "sim:TSLA", "sim:NVDA"]
        assert not {"sim:GOLD", "sim:TSLA", "sim:NVDA"} & {name for pair in market.truth() for name in (pair.y, pair.x)}


def test_volatility_comes_in_clusters() -> None:
    market = synthetic_market(SEED, 60, start="2026-06-01", clock=lambda: 0.0)
    bars, _ = market.history.upto(market.clock.time_ms())
    returns = pd.DataFrame(np.diff(np.log(bars.close[:, (bars.first == 0) & (market.kinds == "perp")]), axis=0))
    own = returns.dropna(axis="columns").sub(returns.mean(axis=1), axis=0)
    size = np.log(own.abs() + 1e-4).mean(axis=1)
    # Recorded: 0.68 and 0.43.
    assert size.autocorr(1) == pytest.approx(0.7, abs=0.15)
    assert size.autocorr(24) == pytest.approx(0.4, abs=0.15)
