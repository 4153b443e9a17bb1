from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlpairs_core.simulation import MarketClock, SimulatedMarket
from hlpairs_core.simulation.bars import BarHistory, FundingHistory
from hlpairs_core.simulation.candles import candle_open, candles_at
from hlpairs_core.simulation.coins import Coin, CoinKind
from hlpairs_core.simulation.market import RecordedHistory
from hlpairs_core.simulation.tape import last_trades, trades_between
from hlpairs_core.simulation.view import MarketView
from hlpairs_core.simulation.wire import on_price_tick

HOUR = 3_600_000
T0 = 1_746_057_600_000


def market_of(
    bars: Sequence[Sequence[float]], *, size_decimals: int, kind: CoinKind = "perp", interval_ms: int = HOUR
) -> SimulatedMarket:
    """A market of one coin with the given bars: open, high, low, close, volume."""
    columns = [column[:, None] for column in np.array(bars, dtype=np.float64).T]
    history = BarHistory(T0, interval_ms, *columns)
    funding = FundingHistory(T0, np.zeros((1, 1)), np.full((1, 1), T0))
    return SimulatedMarket(
        kind="replay",
        name="made",
        clock=MarketClock("2025-05-01", clock=lambda: 0.0),
        coins=(Coin("AAA", size_decimals, 3, 3, kind=kind, token="AAA" if kind == "spot" else None),),
        history=RecordedHistory(history, funding),
        seed=11,
    )


ticks = st.integers(0, 400)


@st.composite
def recorded(draw: st.DrawFn) -> list[tuple[float, float, float, float, float]]:
    """Bars around 1.0, where the tick changes; some are silent, some have next to no volume."""
    bars = []
    for _ in range(draw(st.integers(2, 4))):
        prices = sorted(draw(st.lists(ticks, min_size=2, max_size=2)))
        inside = st.integers(prices[0], prices[1])
        low, high, opened, close = (
            float(on_price_tick(0.985 + t * 1e-4, 5)) for t in (*prices, draw(inside), draw(inside))
        )
        lots = draw(st.sampled_from([0, 1, 2, 3, 4, 5, 40, 1000, 90_000, 5_000_000]))
        if lots == 0:
            opened = high = low = close
        bars.append((opened, high, low, close, lots / 10))
    return bars


@settings(max_examples=60, deadline=None)
@given(bars=recorded())
def test_any_bar_comes_back_from_its_trades(bars: list[tuple[float, float, float, float, float]]) -> None:
    market = market_of(bars, size_decimals=1)
    end = T0 + len(bars) * HOUR
    view = MarketView.at(market, end)
    tape = trades_between(view, 0, T0 - 1, end)
    assert (np.rint(tape.size * 10) >= 1).all()
    for number, (opened, high, low, close, volume) in enumerate(bars):
        mine = tape.price[(tape.time_ms - T0) // HOUR == number]
        sizes = tape.size[(tape.time_ms - T0) // HOUR == number]
        assert sizes.sum() == pytest.approx(volume, rel=1e-9)
        assert (len(mine) == 0) is (volume == 0)
        needed = len({opened, high, low, close}) + (opened == close and (high > opened or low < close))
        if volume and round(volume * 10) >= needed:
            assert (mine[0], mine.max(), mine.min(), mine[-1]) == (opened, high, low, close)
        elif volume:
            # Too few lots to touch every price: as many trades as lots, none outside the bar.
            assert len(mine) == round(volume * 10)
            assert ((low <= mine) & (mine <= high)).all()
            assert mine[-1] == close
    hours = candles_at(view, 0, "1h", T0, end)
    for name, column in zip(("open", "high", "low", "close", "volume"), zip(*bars, strict=True), strict=True):
        assert getattr(hours, name).tolist() == list(column)


@settings(max_examples=30, deadline=None)
@given(bars=recorded(), moment=st.floats(0, 1))
def test_quotes_bracket_the_market_at_any_moment(
    bars: list[tuple[float, float, float, float, float]], moment: float
) -> None:
    market = market_of(bars, size_decimals=1)
    view = MarketView.at(market, T0 + int(moment * len(bars) * HOUR))
    bid, ask = float(view.quotes.bid[0]), float(view.quotes.ask[0])
    assert 0 < bid < ask
    for price in (bid, ask):
        assert float(on_price_tick(price, 5)) == price
    near = bars[max(0, view.bar - 1) : view.bar + 1]
    assert min(bar[2] for bar in near) * 0.99 < bid
    assert ask < max(bar[1] for bar in near) * 1.01


def brownian(n_bars: int) -> list[tuple[float, float, float, float, float]]:
    """Hourly bars of a Brownian motion of the log price, watched every second, 1 % an hour; liquid."""
    steps = np.random.default_rng(5).normal(0, 0.01 / 60, (n_bars, 3600))
    path = np.cumsum(steps.ravel()).reshape(n_bars, 3600)
    start = np.concatenate([[0.0], path[:-1, -1]])
    log_prices = np.column_stack(
        [start, np.maximum(path.max(axis=1), start), np.minimum(path.min(axis=1), start), path[:, -1]]
    )
    prices = np.round(50_000 * np.exp(log_prices))
    return [(*row, 3000.0) for row in prices.tolist()]


@pytest.fixture(scope="module")
def liquid() -> MarketView:
    bars = brownian(700)
    return MarketView.at(market_of(bars, size_decimals=4), T0 + len(bars) * HOUR)


@pytest.mark.parametrize(("minutes", "tolerance"), [(1, 0.02), (5, 0.03), (15, 0.06)])
def test_returns_inside_bars_are_as_uncorrelated_as_those_of_the_bars(
    liquid: MarketView, minutes: int, tolerance: float
) -> None:
    windows = range(T0 + 80 * HOUR, liquid.time_ms + 1, 80 * HOUR)
    views = [MarketView.at(liquid.market, end) for end in windows]
    candles = [candles_at(view, 0, f"{minutes}m", view.time_ms - 80 * HOUR, view.time_ms - 1) for view in views]
    returns = np.diff(np.log(np.concatenate([part.close for part in candles])))
    assert len(returns) == 640 * 60 // minutes - 1
    assert abs(np.corrcoef(returns[1:], returns[:-1])[0, 1]) < tolerance
    # An hour's worth of them has an hour's variance, here 1 % squared.
    assert np.var(returns) * 60 / minutes == pytest.approx(1e-4, rel=0.15)


def test_minutes_have_wicks_and_open_elsewhere_than_the_last_one_closed(liquid: MarketView) -> None:
    minutes = candles_at(liquid, 0, "1m", T0, liquid.time_ms)
    body, reach = np.abs(minutes.close - minutes.open), minutes.high - minutes.low
    assert 1.3 < reach.mean() / body.mean() < 2.1
    assert (minutes.open[1:] != minutes.close[:-1]).mean() > 0.5
    assert np.log(minutes.volume[minutes.trades > 0]).std() > 0.5


def test_prices_of_a_spot_pair_have_up_to_eight_decimals_less_those_of_a_size() -> None:
    bars = [(0.0123456, 0.0123999, 0.0122871, 0.0123457, 1e6)] * 3
    bars = [tuple(float(on_price_tick(price, 8)) for price in bar[:4]) + bar[4:] for bar in bars]
    assert bars[0][0] == 0.012346
    market = market_of(bars, size_decimals=0, kind="spot")
    view = MarketView.at(market, T0 + 2 * HOUR + 1234)
    tape = trades_between(view, 0, T0, view.time_ms)
    assert len(np.unique(tape.price)) > 20
    assert (on_price_tick(tape.price, 8) == tape.price).all()
    # A perpetual of this price would have a tick of a hundredth of a cent.
    assert (on_price_tick(tape.price, 6) == tape.price).all()
    cheap = [tuple(price / 100 for price in bar[:4]) + bar[4:] for bar in bars]
    cheap = [tuple(float(on_price_tick(price, 8)) for price in bar[:4]) + bar[4:] for bar in cheap]
    view = MarketView.at(market_of(cheap, size_decimals=0, kind="spot"), T0 + 2 * HOUR + 1234)
    tape = trades_between(view, 0, T0, view.time_ms)
    assert (on_price_tick(tape.price, 8) == tape.price).all()
    assert (on_price_tick(tape.price, 6) != tape.price).any()
    assert 0 < view.quotes.bid[0] < view.quotes.ask[0]


@pytest.mark.parametrize(
    ("interval_ms", "shown"),
    [(60_000, "1m"), (60_000, "3m"), (180_000, "5m"), (4 * HOUR, "1m"), (8 * HOUR, "12h"), (24 * HOUR, "5m")],
)
def test_bars_of_any_length_make_candles_of_any_other(interval_ms: int, shown: str) -> None:
    bars = [(100.0, 104.0, 97.0, 101.0, 400.0), (101.5, 103.0, 96.0, 96.5, 200.0), (96.0, 97.0, 95.0, 96.0, 100.0)] * 5
    view = MarketView.at(market_of(bars, size_decimals=2, interval_ms=interval_ms), T0 + 15 * interval_ms)
    candles = candles_at(view, 0, shown, T0, view.time_ms)
    tape = trades_between(view, 0, T0 - 1, view.time_ms)
    opens = candle_open(tape.time_ms, shown)
    assert np.isin(opens, candles.open_ms).all()
    for number, opened in enumerate(candles.open_ms.tolist()):
        mine = opens == opened
        assert candles.trades[number] == mine.sum()
        assert candles.volume[number] == pytest.approx(tape.size[mine].sum(), rel=1e-9)
        if mine.any():
            price = tape.price[mine]
            found = tuple(getattr(candles, name)[number] for name in ("open", "high", "low", "close"))
            assert found == (price[0], price.max(), price.min(), price[-1])
    assert (tape.price.min(), tape.price.max()) == (95.0, 104.0)


def test_when_a_recording_has_ended_nothing_trades_and_the_quotes_stand() -> None:
    bars = [(100.0, 102.0, 99.0, 101.0, 60.0)] * 3
    end = T0 + 3 * HOUR
    market = market_of(bars, size_decimals=2)
    views = [MarketView.at(market, end + wait) for wait in (-1, 0, 1000)]
    assert len(trades_between(views[2], 0, end - 1, end + 1000)) == 0
    assert last_trades(views[2], 0, 5).tid.tolist() == last_trades(views[0], 0, 5).tid.tolist()
    assert views[2].price[0] == 101.0
    assert views[1].quotes.bid[0] == views[2].quotes.bid[0] < views[2].quotes.ask[0]
    assert views[2].quotes.bid[0] <= 101.0 <= views[2].quotes.ask[0]


def test_bars_that_an_exchange_filled_in_before_a_listing_move_without_a_trade() -> None:
    bars = [(100.0, 102.0, 99.0, 101.0, 0.0), (101.0, 103.0, 98.0, 100.0, 0.0), (100.0, 101.0, 99.0, 100.5, 50.0)]
    view = MarketView.at(market_of(bars, size_decimals=2), T0 + 3 * HOUR)
    minutes = candles_at(view, 0, "1m", T0, T0 + 2 * HOUR - 1)
    assert minutes.trades.sum() == 0
    assert len(trades_between(view, 0, T0 - 1, T0 + 2 * HOUR - 1)) == 0
    first = slice(0, 60)
    assert (minutes.open[0], minutes.high[first].max(), minutes.low[first].min(), minutes.close[59]) == bars[0][:4]
