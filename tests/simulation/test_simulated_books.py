import numpy as np
import pytest
from mixed_market import hand_made_market

from hlpairs_core.simulation import SimulatedMarket
from hlpairs_core.simulation.book import LEVELS, aggregated, best_levels, book_side
from hlpairs_core.simulation.coins import Coin
from hlpairs_core.simulation.tape import trades_between
from hlpairs_core.simulation.view import MarketView

NAMES = ("BTC", "ETH", "SUI", "kPEPE", "SEI", "HBAR", "UMA")


def numbered(market: SimulatedMarket, name: str) -> int:
    return [coin.name for coin in market.coins].index(name)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("asks", [False, True])
def test_levels_lie_on_ticks_and_lots_and_lead_away_from_the_best(demo: SimulatedMarket, name: str, asks: bool) -> None:
    coin = numbered(demo, name)
    side = book_side(MarketView.at(demo, demo.clock.time_ms()), coin, asks=asks)
    decimals = demo.coins[coin].size_decimals
    assert len(side.price) > 100
    assert ((np.diff(side.price) > 0) == asks).all()
    assert (side.price > 0).all()
    assert (side.size * 10.0**decimals >= 1 - 1e-9).all()
    assert np.allclose(side.size, np.round(side.size, decimals), rtol=1e-12)
    assert (side.orders >= 1).all()
    figures = [float(f"{price:.5g}") for price in side.price]
    assert all(price in (figure, round(price)) for price, figure in zip(side.price, figures, strict=True))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("figures", [2, 3, 4, 5])
def test_a_book_is_deep_enough_to_be_added_up(demo: SimulatedMarket, name: str, figures: int) -> None:
    coin = numbered(demo, name)
    view = MarketView.at(demo, demo.clock.time_ms())
    decimals = demo.coins[coin].size_decimals
    side = book_side(view, coin, asks=True)
    shown = aggregated(side, asks=True, figures=figures, mantissa=1, size_decimals=decimals)
    # Two figures of a price such as 1.05 are steps of a tenth of it.
    assert len(shown.price) >= (6 if figures == 2 else LEVELS)
    assert shown.size.sum() == pytest.approx(side.size.sum(), rel=1e-9)
    assert shown.price[0] >= side.price[0]


def test_a_spot_book_is_added_up_on_its_own_tick() -> None:
    spot = hand_made_market(((Coin("PURR/USDC", 0, 1, 0, kind="spot", token="PURR"), 0.0017),))
    side = book_side(MarketView.at(spot, spot.clock.time_ms()), 0, asks=True)
    assert (np.round(side.price[:3], 6) != side.price[:3]).any()
    shown = aggregated(side, asks=True, figures=5, mantissa=1, size_decimals=0, price_decimals=8)
    assert shown.price[:LEVELS].tolist() == side.price[:LEVELS].tolist()


def test_liquid_books_are_tight_and_deep_as_real_ones_are(demo: SimulatedMarket) -> None:
    """Recorded: 0.2 bps and some 2 m USD within five ticks of BTC; a few thousand USD a level of coins of 400 k."""
    view = MarketView.at(demo, demo.clock.time_ms())
    bitcoin, small = numbered(demo, "BTC"), numbered(demo, "UMA")
    bid, ask = view.quotes.bid[bitcoin], view.quotes.ask[bitcoin]
    assert (ask - bid) / bid < 1e-4
    side = book_side(view, bitcoin, asks=True)
    five_ticks = (side.price * side.size)[side.price < side.price[0] + 5].sum()
    assert 3e5 < five_ticks < 6e6
    side = book_side(view, small, asks=True)
    assert 300 < np.median((side.price * side.size)[:LEVELS]) < 10_000
    assert side.price[LEVELS] / side.price[0] - 1 > 0.005


@pytest.mark.parametrize("name", NAMES)
def test_within_a_second_sizes_change_only_by_trades(demo: SimulatedMarket, name: str) -> None:
    coin = numbered(demo, name)
    second = demo.clock.time_ms() // 1000 * 1000
    for begin in range(second, second + 20_000, 1000):
        early, late = MarketView.at(demo, begin), MarketView.at(demo, begin + 999)
        tape = trades_between(late, coin, begin, begin + 999)
        for asks in (False, True):
            one, other = (book_side(view, coin, asks=asks) for view in (early, late))
            common, first, second_ = np.intersect1d(one.price[1:], other.price[1:], return_indices=True)
            taken = [tape.size[(tape.price == price) & (tape.is_buy == asks)].sum() for price in common]
            left = one.size[1:][first] - other.size[1:][second_]
            assert len(common) > 50
            assert np.allclose(left, taken, rtol=1e-6, atol=1e-9)


def test_levels_stay_where_they_are_and_are_refilled(demo: SimulatedMarket) -> None:
    coin, now = numbered(demo, "HBAR"), demo.clock.time_ms()
    books = [book_side(MarketView.at(demo, now + wait), coin, asks=True) for wait in (0, 1000, 10_000, 600_000)]
    kept = [np.isin(books[0].price[1:], book.price).mean() for book in books[1:]]
    assert kept[0] > 0.9
    assert kept[0] >= kept[1] > kept[2]
    same = np.isin(books[0].size[1:], books[2].size)
    assert same.mean() < 0.5


def test_the_best_levels_of_all_coins_are_the_first_of_each_book(demo: SimulatedMarket) -> None:
    for wait in range(0, 5000, 730):
        view = MarketView.at(demo, demo.clock.time_ms() + wait)
        for asks in (False, True):
            best = best_levels(view, asks=asks)
            for coin in range(len(demo.coins)):
                side = book_side(view, coin, asks=asks)
                if view.delisted[coin]:
                    assert len(side.price) == best.orders[coin] == 0
                    assert np.isnan([best.price[coin], best.size[coin]]).all()
                    continue
                first = (side.price[0], side.size[0], side.orders[0])
                assert (best.price[coin], best.size[coin], best.orders[coin]) == first
