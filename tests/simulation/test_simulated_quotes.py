import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hlpairs_core.simulation import SimulatedMarket
from hlpairs_core.simulation.book import book_side
from hlpairs_core.simulation.tape import Tape, trades_between
from hlpairs_core.simulation.view import MarketView
from hlpairs_core.simulation.wire import on_price_tick

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
COINS = (0, 1, 5, 9, 13, 21, 36, 37)
relaxed = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def orders(view: MarketView, coin: int, *, most: int = 40, sweeps: bool = False) -> list[Tape]:
    """Some of the last half hour's orders: trades with the same time, alone within five milliseconds."""
    tape = trades_between(view, coin, view.time_ms - 30 * MINUTE, view.time_ms)
    starts = np.flatnonzero(np.diff(tape.time_ms, prepend=0) >= 5)
    ends = np.searchsorted(tape.time_ms, tape.time_ms[starts], side="right")
    found = [tape.part(slice(start, end)) for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
    found = [order for order in found if not sweeps or order.price[0] != order.price[-1]]
    return found[:: len(found) // most + 1]


@pytest.mark.parametrize("coin", COINS)
def test_every_trade_happens_at_the_quote(demo: SimulatedMarket, coin: int) -> None:
    orders_seen = 0
    for order in orders(MarketView.at(demo, demo.clock.time_ms()), coin):
        before, after = (MarketView.at(demo, int(order.time_ms[0]) - wait).quotes for wait in (1, 0))
        name = "ask" if order.is_buy[0] else "bid"
        assert getattr(before, name)[coin] == order.price[0]
        assert getattr(after, name)[coin] == order.price[-1]
        orders_seen += 1
    assert orders_seen >= 10


@pytest.mark.parametrize("sweeps", [False, True], ids=["any", "sweeps"])
@pytest.mark.parametrize("coin", COINS)
def test_a_trade_takes_what_it_trades_from_its_level(demo: SimulatedMarket, coin: int, sweeps: bool) -> None:
    checked = 0
    for order in orders(MarketView.at(demo, demo.clock.time_ms()), coin, sweeps=sweeps):
        moment = int(order.time_ms[0])
        if moment % 1000 == 0:
            # Orders are refilled when a second begins.
            continue
        before, after = (
            book_side(MarketView.at(demo, moment - wait), coin, asks=bool(order.is_buy[0])) for wait in (1, 0)
        )
        assert np.isin(order.price, before.price).all()
        taken = order.size[order.price == order.price[-1]].sum()
        old, new = (float(side.size[side.price == order.price[-1]][0]) for side in (before, after))
        assert old - new == pytest.approx(taken, rel=1e-6)
        assert new > 0
        assert (before.price[0], after.price[0]) == (order.price[0], order.price[-1])
        checked += 1
    assert checked >= (1 if sweeps else 10)


@relaxed
@given(elapsed=st.integers(0, 60 * DAY))
def test_bids_are_below_asks_on_their_ticks_and_around_the_last_price(demo: SimulatedMarket, elapsed: int) -> None:
    view = MarketView.at(demo, demo.clock.time_ms() + elapsed)
    listed = view.universe[~view.delisted[view.universe]]
    bid, ask, mid = (side[listed] for side in (view.quotes.bid, view.quotes.ask, view.quotes.mid))
    decimals = demo.price_decimals[listed]
    assert (bid > 0).all()
    assert (bid < ask).all()
    assert np.allclose(mid, (bid + ask) / 2, rtol=1e-12)
    assert (on_price_tick(bid, decimals) == bid).all()
    assert (on_price_tick(ask, decimals) == ask).all()
    assert np.abs(view.price[listed] / mid - 1).max() < 0.03


@relaxed
@given(hours=st.integers(0, 24 * 60), wait=st.sampled_from([MINUTE, HOUR]))
def test_quotes_pass_smoothly_from_bar_to_bar_and_step_to_step(demo: SimulatedMarket, hours: int, wait: int) -> None:
    edge = demo.clock.time_ms() // HOUR * HOUR + hours * HOUR + wait
    before, after = MarketView.at(demo, edge - 1), MarketView.at(demo, edge)
    spread = np.maximum(after.quotes.ask - after.quotes.bid, before.quotes.ask - before.quotes.bid)
    untouched = ~before.delisted & (after.done == after.prints.bounds[:-1])
    moved = np.abs(after.quotes.mid - before.quotes.mid) / spread
    assert np.nanmax(moved[untouched]) < 2


def test_quotes_move_between_trades(demo: SimulatedMarket) -> None:
    coin, now = 21, demo.clock.time_ms()
    moments = range(now - 5 * MINUTE, now, 500)
    views = [MarketView.at(demo, moment) for moment in moments]
    mids = np.array([view.quotes.mid[coin] for view in views])
    traded = np.array([len(trades_between(view, coin, view.time_ms - 500, view.time_ms)) for view in views])
    quiet = (np.diff(mids) != 0) & (traded[1:] == 0)
    assert quiet.sum() > 20


def test_last_prices_bounce_between_the_quotes_and_mids_do_not(demo: SimulatedMarket) -> None:
    view = MarketView.at(demo, demo.clock.time_ms())
    coin = [item.name for item in demo.coins].index("HBAR")
    tape = trades_between(view, coin, view.time_ms - 6 * HOUR, view.time_ms)
    tape = tape.part(slice(None, None, 2))
    quotes = [MarketView.at(demo, time).quotes for time in tape.time_ms.tolist()]
    mids = np.log([quote.mid[coin] for quote in quotes])

    half = np.mean([quote.ask[coin] / quote.bid[coin] - 1 for quote in quotes]) / 2

    def covariance(prices: np.ndarray) -> float:
        """Of neighbouring returns, in squared half spreads: -1 for nothing but independent bounces (Roll 1984)."""
        returns = np.diff(prices)
        return float(np.mean(returns[1:] * returns[:-1]) / half**2)

    assert len(tape) > 300
    assert covariance(np.log(tape.price)) < covariance(mids) - 0.2


def test_prices_on_the_wire_agree_at_every_moment(demo: SimulatedMarket) -> None:
    for wait in range(0, 10 * MINUTE, 37_123):
        view = MarketView.at(demo, demo.clock.time_ms() + wait)
        for coin in COINS:
            tape = trades_between(view, coin, view.time_ms - 6 * HOUR, view.time_ms)
            assert view.price[coin] == tape.price[-1]
            for asks, best in ((True, view.quotes.ask[coin]), (False, view.quotes.bid[coin])):
                assert book_side(view, coin, asks=asks).price[0] == best
