"""A leg that the visible levels do not hold is priced from aggregated ones before it is refused."""

import httpx
import numpy as np
import pandas as pd

from hlpairs_core.costs import book_depth_usd, slippage_bps
from hlpairs_core.exchange import OrderBook
from hlpairs_core.exchange.book import deepened

LARGE = {
    "n_coins": 8, "notional_usd": 1e6, "z_in": 0.5, "z_out": 0.1, "p_max": 0.9, "max_day_volume_share": 1.0,
    "max_book_share": 1.0,
}  # fmt: skip
NOON = pd.Timestamp("2026-03-01T12:00Z")


def book(asks, bids=((99.0, 1.0),)):
    return OrderBook("BTC", NOON, np.array(bids, dtype=float), np.array(asks, dtype=float))


def test_levels_beyond_the_last_one_are_added_and_the_one_that_holds_it_is_not_counted_twice():
    fine = book([(100.1, 1.0), (100.2, 2.0), (100.4, 1.0)], [(99.9, 1.0), (99.5, 1.0)])
    tens = book([(100.5, 6.0), (101.0, 5.0), (102.0, 7.0)], [(99.9, 1.0), (99.0, 4.0), (98.0, 3.0)])
    whole = deepened(fine, [tens])
    assert whole.asks.tolist() == [[100.1, 1.0], [100.2, 2.0], [100.4, 1.0], [101.0, 5.0], [102.0, 7.0]]
    assert whole.bids.tolist() == [[99.9, 1.0], [99.5, 1.0], [98.0, 3.0]]
    assert whole.mid == fine.mid


def test_a_walk_beyond_the_visible_levels_costs_at_least_what_it_would():
    rng = np.random.default_rng(3)
    prices = 100 + np.cumsum(rng.uniform(0.001, 0.02, 400))
    every = np.column_stack([prices, rng.uniform(0.1, 5.0, 400)])
    cents = np.ceil(prices * 10) / 10
    coarse = np.array([[price, every[cents == price, 1].sum()] for price in np.unique(cents)])[:20]
    whole = deepened(book(every[:20]), [book(coarse)])
    for notional in np.linspace(1_000, book_depth_usd(whole.asks), 30):
        true, said = (float(slippage_bps(levels, notional, mid=99.5, action="buy")) for levels in (every, whole.asks))
        assert said >= true - 1e-9
    assert book_depth_usd(whole.asks) > 2 * book_depth_usd(every[:20])


def test_an_empty_side_stays_empty():
    assert len(deepened(book(np.empty((0, 2))), [book([(1.0, 1.0)])]).asks) == 0


async def test_a_thin_book_is_deepened_before_its_pair_is_refused(make_world):
    world = await make_world(**LARGE)
    await world.bars.step()
    asked = [(one["coin"], one["nSigFigs"]) for one in world.wire.asked if "nSigFigs" in one]
    assert asked
    assert len(asked) == len(set(asked)), "no level of a book is asked for twice in one bar"
    result = world.state.selection.result
    assert not any("slippage" in failed for failed in result.candidates["gates_failed"])
    assert (result.candidates["slippage_source"] == "book").any()


async def test_where_there_is_no_deeper_book_the_pair_is_refused_with_what_the_visible_one_holds(make_world):
    world = await make_world(**LARGE)
    world.wire.fault = lambda request: httpx.Response(500) if "nSigFigs" in request else None
    await world.bars.step()
    result = world.state.selection.result
    said = [misses[0] for misses in result.candidates["misses"] if misses]
    assert any("book is too thin: at most" in miss for miss in said)


async def test_a_bar_that_is_screened_again_asks_for_no_level_a_second_time(make_world):
    def cut(request, answer):
        """Aggregated levels hold no more than the visible ones: the book stays too thin."""
        return answer | {"levels": [side[:1] for side in answer["levels"]]} if "nSigFigs" in request else answer

    world = await make_world(**LARGE)
    world.wire.change = cut
    await world.bars.step()
    asked = [(one["coin"], one["nSigFigs"]) for one in world.wire.asked if "nSigFigs" in one]
    coins, last = world.bars.eligible(), world.state.screened
    await world.selector.select(coins, last, wanted=len(coins), final=True)
    assert asked
    assert [(one["coin"], one["nSigFigs"]) for one in world.wire.asked if "nSigFigs" in one] == asked
