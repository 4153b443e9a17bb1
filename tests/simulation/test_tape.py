import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hlpairs_core.simulation import SimulatedMarket, replay_market
from hlpairs_core.simulation.candles import Candles, candle_open, candles_at
from hlpairs_core.simulation.liquidity import MOST_TRADES_A_MINUTE
from hlpairs_core.simulation.tape import Tape, last_trades, trades_between
from hlpairs_core.simulation.view import MarketView
from hlpairs_core.simulation.wire import on_price_tick

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
COLUMNS = ["open", "high", "low", "close", "volume", "trades"]
relaxed = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def summed(tape: Tape, interval: str) -> pd.DataFrame:
    """Candles by the book: first, highest, lowest and last price, total size and number of trades."""
    trades = pd.DataFrame({"price": tape.price, "size": tape.size, "t": candle_open(tape.time_ms, interval)})
    groups = trades.groupby("t")
    frame = groups["price"].agg(["first", "max", "min", "last"])
    frame["volume"], frame["trades"] = groups["size"].sum(), groups.size()
    return frame.set_axis(COLUMNS, axis=1)


def framed(candles: Candles) -> pd.DataFrame:
    return pd.DataFrame({name: getattr(candles, name) for name in COLUMNS}, index=pd.Index(candles.open_ms, name="t"))


def check_candles(view: MarketView, coin: int, interval: str, start_ms: int) -> None:
    """Candles of an interval, the unfinished one included, are what the trades add up to."""
    shown = framed(candles_at(view, coin, interval, start_ms, view.time_ms))
    since = int(shown.index[0])
    expected = summed(trades_between(view, coin, since - 1, view.time_ms), interval)
    lively = shown[shown["trades"] > 0]
    prices = ["open", "high", "low", "close", "trades"]
    pd.testing.assert_frame_equal(lively[prices], expected[prices], check_index_type=False)
    assert np.allclose(lively["volume"], expected["volume"], rtol=1e-9, atol=0)
    silent = shown[shown["trades"] == 0]
    assert (silent["volume"] == 0).all()
    assert (silent[["open", "high", "low"]].eq(silent["close"], axis=0)).all(axis=None)


@relaxed
@given(
    elapsed=st.integers(0, 20 * DAY),
    coin=st.sampled_from([0, 2, 9, 13, 21, 30, 32]),
    interval=st.sampled_from(["1m", "3m", "5m", "15m", "1h", "2h", "4h", "12h", "1d"]),
)
def test_candles_are_what_the_trades_add_up_to(demo: SimulatedMarket, elapsed: int, coin: int, interval: str) -> None:
    now = demo.clock.time_ms() + elapsed
    check_candles(MarketView.at(demo, now), coin, interval, now - (DAY if interval == "1d" else 7 * HOUR))


@pytest.mark.recordings
@pytest.mark.parametrize(("interval", "back"), [("1h", 40 * HOUR), ("5m", 5 * HOUR), ("1m", HOUR)])
def test_the_trades_of_a_replay_add_up_to_the_recorded_candles(recordings: Path, interval: str, back: int) -> None:
    market = replay_market(recordings, interval, clock=lambda: 0.0)
    now = market.clock.time_ms() + 17 * MINUTE + 4321
    view = MarketView.at(market, now)
    frame = pd.read_parquet(recordings / f"candles_{interval}.parquet")
    times = (frame["time"] - pd.Timestamp(0, tz="UTC")) // pd.Timedelta(milliseconds=1)
    frame = frame.assign(t=times)[(times >= now - back) & (times < candle_open(np.array([now]), interval)[0])]
    recorded = frame[frame["volume"] > 0].groupby("coin", observed=True)
    chosen = [name for name in recorded.groups if name in view.names][::9]
    assert len(chosen) >= 5
    for name in chosen:
        rows = recorded.get_group(name).set_index("t").sort_index()
        begin, end = int(rows.index[0]), int(candle_open(np.array([now]), interval)[0])
        coin = view.names[name]
        sums = summed(trades_between(view, coin, begin - 1, end - 1), interval)
        assert sums.index.tolist() == rows.index.tolist()
        enough = lots_suffice(market, coin, rows)
        for column in COLUMNS[:4]:
            assert sums[column][enough].tolist() == rows[column][enough].tolist(), (name, column)
        assert np.allclose(sums["volume"], rows["volume"], rtol=1e-9, atol=0)
        check_candles(view, coin, "15m", begin)
        check_candles(view, coin, "1h", begin)


def lots_suffice(market: SimulatedMarket, coin: int, rows: pd.DataFrame) -> np.ndarray:
    """Whether a bar has as many lots as trades are needed to touch its four prices."""
    return (rows["volume"] * 10.0 ** market.coins[coin].size_decimals).round().to_numpy() >= 4


@pytest.mark.recordings
def test_the_minutes_of_an_hourly_replay_add_up_to_its_hours(recordings: Path) -> None:
    market = replay_market(recordings, "1h", clock=lambda: 0.0)
    view = MarketView.at(market, market.clock.time_ms())
    for name in ("BTC", "kPEPE", "OM", "PAXG", "RSR", "USTC"):
        coin = view.names[name]
        minutes = framed(candles_at(view, coin, "1m", view.time_ms - 80 * HOUR, view.time_ms))
        lively = minutes[minutes["trades"] > 0]
        groups = lively.groupby(candle_open(lively.index.to_numpy(), "1h"))
        sums = groups.agg(dict(zip(COLUMNS, ["first", "max", "min", "last", "sum", "sum"], strict=True)))
        hours = framed(candles_at(view, coin, "1h", view.time_ms - 80 * HOUR, view.time_ms)).loc[sums.index]
        assert len(sums) > 70
        pd.testing.assert_frame_equal(sums, hours, check_names=False, check_index_type=False, rtol=1e-9)


@relaxed
@given(
    elapsed=st.integers(0, 20 * DAY),
    coin=st.sampled_from([0, 9, 21, 32]),
    cuts=st.lists(st.integers(0, 3 * HOUR), min_size=1, max_size=8),
)
def test_the_tape_is_the_same_however_it_is_cut(
    demo: SimulatedMarket, elapsed: int, coin: int, cuts: list[int]
) -> None:
    view = MarketView.at(demo, demo.clock.time_ms() + elapsed)
    begin = view.time_ms - 3 * HOUR
    whole = trades_between(view, coin, begin, view.time_ms)
    edges = [begin, *sorted(begin + cut for cut in cuts), view.time_ms]
    parts = [trades_between(view, coin, after, upto) for after, upto in itertools.pairwise(edges)]
    for name in ("time_ms", "price", "size", "is_buy", "tid"):
        assert np.concatenate([getattr(part, name) for part in parts]).tolist() == getattr(whole, name).tolist()
    earlier = MarketView.at(demo, edges[1])
    assert trades_between(earlier, coin, begin, view.time_ms).tid.tolist() == parts[0].tid.tolist()


def test_trades_are_numbered_in_their_order_and_none_is_shown_before_it_happens(demo: SimulatedMarket) -> None:
    view = MarketView.at(demo, demo.clock.time_ms())
    for coin in (0, 2, 21):
        tape = trades_between(view, coin, view.time_ms - DAY, view.time_ms + HOUR)
        assert len(tape) > 300
        assert (np.diff(tape.time_ms) >= 0).all()
        assert (np.diff(tape.tid) > 0).all()
        assert view.time_ms - DAY < tape.time_ms[0] <= tape.time_ms[-1] <= view.time_ms
        assert 0 <= tape.tid[-1] < 2**53
        assert (on_price_tick(tape.price, demo.price_decimals[coin]) == tape.price).all()
        assert (np.round(tape.size, demo.size_decimals[coin]) == tape.size).all()
        assert (tape.size > 0).all()
        assert np.unique(tape.time_ms // MINUTE, return_counts=True)[1].max() <= MOST_TRADES_A_MINUTE


def test_trades_come_in_sweeps_of_one_side_that_go_ever_further(demo: SimulatedMarket) -> None:
    view = MarketView.at(demo, demo.clock.time_ms())
    tape = trades_between(view, 1, view.time_ms - HOUR, view.time_ms)
    together = np.diff(tape.time_ms) == 0
    assert 0.02 < together.mean() < 0.6
    assert (tape.is_buy[1:] == tape.is_buy[:-1])[together].all()
    assert (np.diff(tape.price) * np.where(tape.is_buy[1:], 1, -1))[together].min() == 0
    assert (np.diff(tape.price) * np.where(tape.is_buy[1:], 1, -1))[together].max() > 0


def test_sizes_have_a_heavy_tail_and_both_sides_trade(demo: SimulatedMarket) -> None:
    view = MarketView.at(demo, demo.clock.time_ms())
    tape = trades_between(view, 2, view.time_ms - 6 * HOUR, view.time_ms)
    assert np.mean(tape.size) > 1.5 * np.median(tape.size)
    assert 0.3 < tape.is_buy.mean() < 0.7


def test_the_last_trades_are_the_end_of_the_tape(demo: SimulatedMarket) -> None:
    view = MarketView.at(demo, demo.clock.time_ms())
    for coin, count in ((0, 30), (21, 30), (36, 500)):
        last = last_trades(view, coin, count)
        tape = trades_between(view, coin, int(last.time_ms[0]) - 1, view.time_ms)
        assert len(last) == count
        assert last.tid.tolist() == tape.tid[-count:].tolist()
        assert view.price[coin] == last.price[-1]


def test_a_delisted_coin_trades_no_more_and_its_last_trades_stay(demo: SimulatedMarket) -> None:
    view = MarketView.at(demo, demo.clock.time_ms())
    coin = int(np.flatnonzero(view.delisted)[0])
    ended = view.bars.start_ms + (int(view.bars.last[coin]) + 1) * HOUR
    assert len(trades_between(view, coin, ended - 1, view.time_ms)) == 0
    last = last_trades(view, coin, 10)
    assert len(last) == 10
    assert ended - DAY < last.time_ms[-1] < ended
    assert view.price[coin] == last.price[-1]


def test_a_coin_has_no_trades_before_its_listing(demo: SimulatedMarket) -> None:
    view = MarketView.at(demo, demo.clock.time_ms())
    coin = int(np.argmax(np.where(view.bars.listed < view.bars.n_bars, view.bars.first, -1)))
    listed = view.bars.start_ms + int(view.bars.listed[coin]) * HOUR
    assert len(trades_between(view, coin, 0, listed - 1)) == 0
    assert len(trades_between(view, coin, listed - 1, listed + HOUR)) > 0
    early = MarketView.at(demo, listed + HOUR)
    assert len(last_trades(early, coin, 100_000)) == len(trades_between(early, coin, 0, early.time_ms))


def test_the_volume_of_a_day_is_that_of_its_trades(demo: SimulatedMarket) -> None:
    view = MarketView.at(demo, demo.clock.time_ms())
    for coin in (0, 9, 21, 32):
        tape = trades_between(view, coin, view.time_ms - DAY, view.time_ms)
        assert view.day_base[coin] == pytest.approx(tape.size.sum(), rel=1e-9)
        # Whole hours count at the mean of their four prices.
        assert view.day_notional[coin] == pytest.approx((tape.size * tape.price).sum(), rel=2e-3)


PROGRAM = """
import hashlib
from hlpairs_core.simulation import synthetic_market
from hlpairs_core.simulation.book import book_side
from hlpairs_core.simulation.tape import trades_between
from hlpairs_core.simulation.view import MarketView

market = synthetic_market(seed=7, n_coins=8, start="2025-04-01T12:34:56.789Z", clock=lambda: 0.0)
view = MarketView.at(market, market.clock.time_ms())
digest = hashlib.sha256()
for coin in range(8):
    tape, book = trades_between(view, coin, view.time_ms - 7_200_000, view.time_ms), book_side(view, coin, asks=True)
    for array in (tape.time_ms, tape.price, tape.size, tape.is_buy, tape.tid, book.price, book.size, book.orders):
        digest.update(array.tobytes())
print(digest.hexdigest())
"""


def test_another_process_finds_the_same_trades_and_books() -> None:
    root = Path(__file__).resolve().parents[2]
    runs = [
        subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, cwd=root).stdout
        for _ in range(2)
    ]
    assert len(runs[0]) == 65
    assert runs[0] == runs[1]
