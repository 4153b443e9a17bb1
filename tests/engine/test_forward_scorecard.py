"""What the engine said of closed bars is marked at its exit, by the backtest's rules and on what is known by then."""

import asyncio
import json
from dataclasses import asdict, replace
from types import SimpleNamespace

import httpx
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from test_pair_history import serve

from hlpairs_core.backtest import simulate_trade, walk_carry, walk_forward
from hlpairs_core.cli import main
from hlpairs_core.costs import CostModel
from hlpairs_core.edge.prediction import PREDICTED
from hlpairs_core.engine.client import EngineClient
from hlpairs_core.engine.history import History
from hlpairs_core.engine.marking import PATIENCE, Marker, frozen
from hlpairs_core.engine.problems import Problems
from hlpairs_core.engine.scorecard import Scorecard, board_of, said_of
from hlpairs_core.engine.source import EngineSource, Parts
from hlpairs_core.engine.state import State
from hlpairs_core.exceptions import InputError, StoreNotWritable
from hlpairs_core.exchange import MarketStamp
from hlpairs_core.market import Panel, SpotMatch
from hlpairs_core.screening import Candidate, ScreenSettings, Verdict, screen
from hlpairs_core.store import Said, ScorecardFile, read_scorecard

HOUR = pd.Timedelta(hours=1)
START = pd.Timestamp("2025-01-01T00:00Z")
SETTINGS = ScreenSettings(window=60, horizon_hours=8.0, lag_rule=1, min_day_notional_usd=0.0, min_traded_share=0.5)
WIDE = replace(SETTINGS, p_max=0.9, z_in=0.6)
COSTS = CostModel(half_spread_bps=1.7)
HOLD = 17 * HOUR
AMOUNTS = [f"realised_{name}_bps" for name in ("gross", "fee", "slippage", "funding", "net")]


def candles_and_funding(n_bars: int = 130, n_coins: int = 6) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Coins around one market, some bars of which do not trade."""
    rng = np.random.default_rng(5)
    market = np.cumsum(rng.normal(0, 0.01, (n_bars, 1)), axis=0)
    own = 4 * pd.DataFrame(rng.normal(0, 0.004, (n_bars, n_coins))).ewm(alpha=0.2).mean().to_numpy()
    close = np.exp(market + own + rng.uniform(0, 6, n_coins))
    open_ = close * np.exp(rng.normal(0, 0.001, close.shape))
    traded = rng.random(close.shape) > 0.1
    open_ = np.where(traded, open_, close)
    time = pd.date_range(START, periods=n_bars, freq="h").as_unit("ms")
    at = {"coin": np.repeat([f"C{i}" for i in range(n_coins)], n_bars), "time": np.tile(time, n_coins)}
    prices = {"open": open_, "high": np.maximum(open_, close), "low": np.minimum(open_, close), "close": close}
    columns = {name: values.T.ravel() for name, values in prices.items()}
    volume = np.where(traded, 1e6 / close, 0.0).T.ravel()
    rates = {"funding_rate": rng.normal(1e-5, 5e-5, close.size), "premium": 0.0}
    return pd.DataFrame(at | columns | {"volume": volume}), pd.DataFrame(at | rates)


@pytest.fixture(scope="module")
def market() -> tuple[pd.DataFrame, pd.DataFrame]:
    return candles_and_funding()


@pytest.fixture(scope="module")
def panel(market) -> Panel:
    return Panel.from_candles(*market, interval="1h")


@pytest.fixture(scope="module")
def walked(panel) -> pd.DataFrame:
    """One candidate a bar, with what came of it."""
    rows = walk_forward(panel, settings=SETTINGS, costs=COSTS, candidate_p=0.5).rows
    return rows.drop_duplicates("signal_time", ignore_index=True)


class FillingFile(ScorecardFile):
    """A scorecard on a disk that has no room while `full` is True."""

    full = False

    def add(self, said):
        if self.full:
            raise StoreNotWritable("cannot write: disk is full")
        return super().add(said)

    def mark(self, came):
        if self.full and came:
            raise StoreNotWritable("cannot write: disk is full")
        return super().mark(came)


class Book:
    """A scorecard around a store, on a market clock that only the test moves."""

    def __init__(self, folder, candles, funding, *, delisted=frozenset(), matches=(), at_once=500):
        self.folder, self.at_once = folder, at_once
        self.history = History(folder, "1h")
        self.delisted, self.matches = set(delisted), matches
        for part, rows in ((self.history.candles, candles), (self.history.funding, funding)):
            part.add(rows, [(coin, one.min(), one.max()) for coin, one in rows.groupby("coin")["time"]])
        self.open()

    def open(self):
        """Start, or start anew."""
        self.state = State(settings={}, problems=Problems(lambda: 0.0))
        self.file = FillingFile(self.folder / "scorecard.sqlite", lambda: 1_000.0)
        marker = Marker(self.history, lambda: self.delisted, lambda: self.matches)
        self.scorecard = Scorecard(
            self.file,
            marker,
            state=self.state,
            bar=HOUR,
            at_once=self.at_once,
            clock=lambda: 0.0,
            sleep=lambda _: asyncio.sleep(0),
        )

    def say(self, rows: pd.DataFrame, rule: str = "answer", **settings) -> None:
        """Store what was said, as if these had been answers at their bars."""
        asked = {"settings": asdict(SETTINGS) | settings, "costs": asdict(COSTS)}
        for _, row in rows[["kind", *rows.loc[:, "signal_time":"is_top"]]].iterrows():
            closed_ms = int(row["signal_time"].timestamp() * 1000)
            model = {"mean_net_bps": 20.0, "raw_net_bps": row["expected_net_bps"]}
            said = {"qualifies": True, "calibrated": True, "text": "Said.", "asked": asked, "signal": frozen(row)}
            self.file.add([Said(closed_ms=closed_ms, rule=rule, **said, **model)])

    async def look(self, now: pd.Timestamp) -> pd.DataFrame:
        """Take a step at a market time, and read what is there."""
        self.state.stamp = MarketStamp("replay", "replay-x", 1.0, now, 0.0)
        await self.scorecard.step()
        return read_scorecard(self.file.path)

    def close(self):
        self.file.close()


@pytest.fixture
def make_book(tmp_path):
    books = []

    def make(candles, funding, **options) -> Book:
        books.append(Book(tmp_path / "market", candles, funding, **options))
        return books[-1]

    yield make
    for book in books:
        book.close()


def outcomes(read: pd.DataFrame) -> pd.DataFrame:
    """Return what the backtest's table has, too."""
    columns = [*AMOUNTS, "hold_hours", "entry_time", "exit_time", "exit_reason", "funding_assumed", "unknown"]
    times = {name: read[name].dt.as_unit("ms") for name in ("entry_time", "exit_time")}
    return read.assign(**times)[columns].reset_index(drop=True)


def compare(read: pd.DataFrame, expected: pd.DataFrame) -> None:
    texts = {"exit_reason": "str", "unknown": "str"}
    pd.testing.assert_frame_equal(outcomes(read), outcomes(expected.astype(texts)), rtol=1e-12, atol=1e-9)


async def test_each_pair_is_marked_when_its_exit_bar_has_closed_and_exactly_as_the_backtest_says(
    make_book, market, walked
):
    book = make_book(*market)
    book.say(walked)
    ended = walked["exit_reason"].isin(["reverted", "horizon"])
    assert (ended.sum() > 30, walked["exit_reason"].nunique() >= 3) == (True, True)
    seen_at: dict[pd.Timestamp, pd.Timestamp] = {}
    for now in pd.date_range(START + 60 * HOUR, START + 140 * HOUR, freq="h"):
        read = await book.look(now)
        for time in read.loc[read["marked_at"].notna(), "closed_at"]:
            seen_at.setdefault(time, now)
    expected = {row.signal_time: row.exit_time + HOUR for row in walked[ended].itertuples()}
    assert seen_at == expected, "neither before the bar of the exit has closed nor later"
    compare(read[read["marked_at"].notna()], walked[ended])


async def test_a_marked_pair_earned_what_its_trade_alone_earns(make_book, market, panel, walked):
    book = make_book(*market)
    book.say(walked)
    read = await book.look(START + 140 * HOUR)
    compared = 0
    for row, said in zip(read.itertuples(), walked.itertuples(), strict=True):
        if pd.isna(row.marked_at):
            continue
        names = dict.fromkeys(Candidate.__dataclass_fields__, 0.0) | {"gates_failed": (), "misses": ()}
        kept = json.loads(row.signal)
        own = {one: kept[one] for one in ("y", "x", "side_y", "side_x", "alpha", "beta", "sigma")}
        entry = int(panel.time.get_loc(said.signal_time))
        alone = simulate_trade(panel, Candidate(**(names | own)), entry_bar=entry, settings=SETTINGS, costs=COSTS)
        assert row.realised_net_bps == pytest.approx(alone.net_bps, rel=1e-12, abs=1e-9)
        assert (row.entry_time, row.exit_time, row.exit_reason) == (
            alone.entry_time, alone.exit_time, alone.exit_reason,
        )  # fmt: skip
        compared += 1
    assert compared > 30


async def test_a_restart_keeps_what_was_said_and_goes_on(make_book, market, walked):
    book = make_book(*market)
    book.say(walked)
    half = await book.look(START + 90 * HOUR)
    book.close()
    book.open()
    book.say(walked.assign(expected_net_bps=-1.0))
    whole = await book.look(START + 140 * HOUR)
    ended = walked["exit_reason"].isin(["reverted", "horizon"])
    assert 0 < half["marked_at"].notna().sum() < ended.sum()
    compare(whole[whole["marked_at"].notna()], walked[ended])
    assert whole["raw_net_bps"].tolist() == walked["expected_net_bps"].tolist(), "the first answer counts"


def one_that_reverts(walked: pd.DataFrame) -> pd.DataFrame:
    """Return one row whose trade lasts some hours and ends well before the data does."""
    good = walked[(walked["exit_reason"] == "reverted") & walked["hold_hours"].between(3, 8)]
    return good[good["signal_time"] < START + 90 * HOUR].head(1)


@pytest.mark.parametrize("leg", ["y", "x"])
async def test_a_candle_that_is_missing_is_waited_for(make_book, market, walked, leg):
    candles, funding = market
    row = one_that_reverts(walked)
    coin, hole = row[leg].iloc[0], row["entry_time"].iloc[0] + HOUR
    lost = (candles["coin"] == coin) & (candles["time"] == hole)
    book = make_book(candles[~lost], funding)
    book.history.candles.doubt(coin, hole, hole)
    book.say(row)
    read = await book.look(START + 120 * HOUR)
    assert read["marked_at"].isna().all()
    book.history.candles.add(candles[lost], [(coin, hole, hole)])
    read = await book.look(START + 121 * HOUR)
    compare(read, row)


async def test_what_never_comes_makes_it_unknown_after_a_week(make_book, market, walked):
    candles, funding = market
    row = one_that_reverts(walked)
    book = make_book(candles, funding)
    coin, hole = row["y"].iloc[0], row["entry_time"].iloc[0] + HOUR
    book.history.candles.doubt(coin, hole, hole)
    book.say(row)
    last = row["signal_time"].iloc[0] + HOLD + PATIENCE
    await book.look(last - 3 * 24 * HOUR)
    assert (await book.look(last - HOUR))["marked_at"].isna().all()
    (read,) = (await book.look(last)).itertuples()
    assert (read.unknown, read.exit_reason) == ("candles", "")
    assert np.isnan([getattr(read, name) for name in AMOUNTS]).all()


async def test_an_engine_that_was_off_for_long_looks_for_a_day_before_it_gives_up(make_book, market, walked):
    candles, funding = market
    row = one_that_reverts(walked)
    coin, hole = row["y"].iloc[0], row["entry_time"].iloc[0] + HOUR
    book = make_book(candles, funding)
    book.history.candles.doubt(coin, hole, hole)
    book.say(row)
    back = START + pd.Timedelta(days=90)
    assert (await book.look(back))["marked_at"].isna().all()
    assert (await book.look(back + 23 * HOUR))["marked_at"].isna().all()
    lost = (candles["coin"] == coin) & (candles["time"] == hole)
    book.history.candles.add(candles[lost], [(coin, hole, hole)])
    compare(await book.look(back + 24 * HOUR), row)


async def test_funding_that_is_not_known_is_waited_for_and_at_last_said_to_be_unknown(make_book, market, walked):
    candles, funding = market
    row = one_that_reverts(walked)
    lost = (funding["coin"] == row["x"].iloc[0]) & (funding["time"] == row["entry_time"].iloc[0] + HOUR)
    book = make_book(candles, funding[~lost])
    book.say(row)
    last = row["signal_time"].iloc[0] + HOLD + PATIENCE
    await book.look(last - 3 * 24 * HOUR)
    assert (await book.look(last - HOUR))["marked_at"].isna().all()
    (read,) = (await book.look(last)).itertuples()
    assert (read.unknown, read.exit_reason) == ("funding", "reverted")
    assert np.isnan(read.realised_net_bps)
    assert read.realised_gross_bps == row["realised_gross_bps"].iloc[0]


async def test_no_entry_is_certain_when_the_longest_hold_is_over(make_book, market, walked):
    candles, funding = market
    row = walked.head(1)
    idle = (candles["coin"] == row["y"].iloc[0]) & (candles["time"] >= row["signal_time"].iloc[0])
    book = make_book(candles.assign(volume=candles["volume"].where(~idle, 0.0)), funding)
    book.say(row)
    over = row["signal_time"].iloc[0] + HOLD
    assert (await book.look(over))["marked_at"].isna().all()
    (read,) = (await book.look(over + HOUR)).itertuples()
    assert (read.exit_reason, read.unknown) == ("no entry", "no entry")


async def test_a_coin_that_went_is_marked_after_a_week_at_its_last_price(make_book, market, walked):
    candles, funding = market
    row = walked[walked["hold_hours"] > 4].head(1)
    coin, gone = row["y"].iloc[0], row["entry_time"].iloc[0] + 2 * HOUR
    left = candles[(candles["coin"] != coin) | (candles["time"] < gone)]
    book = make_book(left, funding, delisted={coin})
    book.say(row)
    last = row["signal_time"].iloc[0] + HOLD + PATIENCE
    await book.look(last - 3 * 24 * HOUR)
    assert (await book.look(last - HOUR))["marked_at"].isna().all(), "it may trade again"
    (read,) = (await book.look(last)).itertuples()
    assert (read.exit_reason, read.exit_time, read.unknown) == ("delisted", gone, "")


async def test_a_gap_before_the_end_of_a_coin_that_went_leaves_it_unknown(make_book, market, walked):
    candles, funding = market
    row = walked[walked["hold_hours"] > 4].head(1)
    coin, gone = row["y"].iloc[0], row["entry_time"].iloc[0] + 3 * HOUR
    book = make_book(candles[(candles["coin"] != coin) | (candles["time"] < gone)], funding, delisted={coin})
    book.history.candles.doubt(coin, gone - 2 * HOUR, gone - 2 * HOUR)
    book.say(row)
    last = row["signal_time"].iloc[0] + HOLD + PATIENCE
    await book.look(last - 3 * 24 * HOUR)
    assert (await book.look(last))["unknown"].tolist() == ["candles"]


async def test_spot_held_against_its_perpetual_is_marked_too(make_book):
    candles, funding = candles_and_funding(n_bars=260)
    perp = candles[candles["coin"] == "C3"]
    scaled = {name: perp[name] / 1000.0 for name in ("open", "high", "low", "close")}
    spot = perp.assign(coin="@7", **scaled, volume=1000.0 * perp["volume"])
    paid = funding.assign(funding_rate=3e-4)
    match = SpotMatch(coin="@7", token="UC3", perp="C3", per_perp=1000.0)
    panels = (Panel.from_candles(perp, paid, interval="1h"), Panel.from_candles(spot, interval="1h"))
    carried = walk_carry(*panels, [match], settings=SETTINGS, costs=COSTS).rows
    rows = carried.drop_duplicates("signal_time", ignore_index=True)
    book = make_book(pd.concat([candles, spot]), paid)
    book.say(rows)
    assert (await book.look(START + 260 * HOUR))["marked_at"].isna().all(), "which perpetual it is of is not known yet"
    book.matches = (match,)
    read = await book.look(START + 261 * HOUR)
    ended = rows["exit_reason"] == "horizon"
    assert ended.sum() > 20
    compare(read[read["marked_at"].notna()], rows[ended])


async def test_a_verdict_of_the_bar_that_just_closed_is_left_alone(make_book, market, walked):
    book = make_book(*market)
    book.say(walked.tail(1))
    read = await book.look(walked["signal_time"].iloc[-1])
    assert read["marked_at"].isna().all()
    assert book.state.problems.all() == []


async def test_a_round_that_is_too_long_for_one_step_goes_on_in_the_next(make_book, market, walked):
    book = make_book(*market, at_once=7)
    book.say(walked)
    end, ended = START + 140 * HOUR, walked["exit_reason"].isin(["reverted", "horizon"])
    counts = [int((await book.look(end))["marked_at"].notna().sum()) for _ in range(len(walked) // 7 + 1)]
    assert counts == sorted(counts)
    assert (counts[0] <= 7, counts[-1]) == (True, ended.sum())


async def test_pairs_of_settings_that_are_no_longer_allowed_do_not_stop_the_others(make_book, market, walked):
    book = make_book(*market)
    book.say(walked[:5], window=-1)
    book.say(walked[5:20])
    read = await book.look(START + 140 * HOUR)
    assert not read["marked_at"][:5].notna().any()
    assert read["marked_at"][5:].notna().any()
    assert book.state.problems.all() == []


async def test_summing_up_takes_a_twentieth_of_the_time_at_most(make_book, market, walked):
    """Rows are kept for ever: one day summing them up takes longer than a bar."""
    book, now = make_book(*market), [0.0]
    book.state.stamp = MarketStamp("replay", "replay-x", 1.0, START + 140 * HOUR, 0.0)

    class Slow(Scorecard):
        def _summed_up(self):
            now[0] += 10.0
            return super()._summed_up()

    marker = Marker(book.history, set, tuple)
    slow = Slow(book.file, marker, state=book.state, bar=HOUR, clock=lambda: now[0], sleep=lambda _: asyncio.sleep(0))
    sums = []
    for place in range(60):
        book.say(walked[place : place + 1])
        slow._next = (0, "")  # so that each step looks, and marks what was said just now
        await slow.step()
        now[0] += 5.0
        if book.state.track_record not in sums:
            sums.append(book.state.track_record)
    assert len(sums) == 1 + 60 * 5 // 205
    assert sums[-1]["calibrated"]["said"] > 1


@pytest.fixture(scope="module")
def answer(panel):
    """The answer of a screen of a bar, with a pair that qualifies."""
    return screen(panel.rows(0, 100), settings=WIDE, costs=COSTS)


async def test_answers_wait_for_room_and_the_page_says_so(make_book, market, answer):
    book = make_book(*market)
    book.file.full = True
    book.scorecard.add(answer, final=True)
    assert (await book.look(answer.closed_at)).empty
    (problem,) = book.state.problems.all()
    assert problem["source"] == "scorecard"
    assert "disk is full. The page goes on; answers of bars that wait in memory: 1" in problem["text"]
    book.file.full = False
    assert (await book.look(answer.closed_at))["rule"].tolist() == ["answer", "raw"]
    assert (book.state.problems.all(), book.scorecard.waiting) == ([], 0)


async def test_of_answers_that_wait_the_first_counts_too(make_book, market, answer):
    book = make_book(*market)
    book.scorecard.add(answer, final=True)
    book.scorecard.add(replace(answer, verdict=Verdict(False, "Now none.")), final=True)
    assert answer.verdict.text in (await book.look(answer.closed_at))["text"].tolist()


def test_an_answer_that_may_still_change_is_not_kept(make_book, market, answer):
    book = make_book(*market)
    book.scorecard.add(answer, final=False)
    assert book.scorecard.waiting == 0


class Believer:
    """An edge that expects a tenth of what is projected, and is sure of it within 1 bp."""

    def __init__(self, error=1.0):
        self.error = error
        self.models = {"perp_perp": SimpleNamespace(span=(START, START + 40 * HOUR))}

    def predict(self, rows, *, settings):
        mean = 0.1 * rows["expected_net_bps"]
        said = pd.DataFrame(0.1, index=rows.index, columns=list(PREDICTED))
        said["mean_net_bps"], said["standard_error_bps"] = mean, self.error
        said["lower_net_bps"] = mean - 1.28 * self.error
        return said.assign(qualifies=said["lower_net_bps"] > 0)


@pytest.mark.parametrize("error", [1.0, 1e6], ids=["named", "none named"])
def test_a_calibrated_answer_says_what_its_model_expects_and_the_raw_rule_stands_beside_it(panel, answer, error):
    believed = screen(panel.rows(0, 100), settings=WIDE, costs=COSTS, edge=Believer(error))
    ours, raw = said_of(believed, market_time=believed.closed_at + 3 * HOUR, edge=Believer(error))
    assert (ours.rule, ours.calibrated, ours.qualifies) == ("answer", True, error == 1.0)
    assert (raw.rule, raw.calibrated, raw.qualifies) == ("raw", False, True)
    assert (raw.signal["y"], raw.signal["x"]) == (answer.top.y, answer.top.x)
    assert raw.raw_net_bps == answer.top.net_edge_bps
    assert np.isnan(raw.mean_net_bps)
    assert pd.Timestamp(ours.fitted_ms, unit="ms", tz="UTC") == START + 40 * HOUR
    assert pd.Timestamp(ours.market_ms, unit="ms", tz="UTC") == believed.closed_at + 3 * HOUR
    if error == 1.0:
        assert ours.mean_net_bps == pytest.approx(0.1 * ours.raw_net_bps)
        assert ours.lower_net_bps == pytest.approx(ours.mean_net_bps - 1.28)
        assert ours.standard_error_bps == 1.0
    else:
        assert ours.signal is None
        assert np.isnan([ours.mean_net_bps, ours.raw_net_bps]).all()


def test_an_answer_that_names_the_long_leg_first_is_the_signal_of_the_same_legs(answer):
    """As spot that is sold against its perpetual: the answer turns the pair, the signal does not."""
    top = answer.top
    turned = replace(top, y=top.x, x=top.y, side_y=top.side_x, side_x=top.side_y)
    ours, _ = said_of(answer)
    same, _ = said_of(replace(answer, top=turned))
    assert (dict(same.signal), same.raw_net_bps) == (dict(ours.signal), ours.raw_net_bps)


async def test_a_pair_that_is_not_among_the_signals_stops_nothing_and_counts_as_unknown(
    make_book, market, answer, caplog
):
    book = make_book(*market)
    believed = replace(answer, verdict=replace(answer.verdict, calibrated=True), signals=answer.signals.head(0))
    book.scorecard.add(believed, final=True)
    read = await book.look(answer.closed_at + 10 * HOUR)
    assert read["qualifies"].tolist() == [True, False]
    assert "is not among the signals" in caplog.text
    score = board_of(read).calibrated
    assert (score.said, score.open, score.unknown) == (1, 0, 1)


async def test_outcomes_wait_for_room(make_book, market, walked):
    book = make_book(*market)
    book.say(walked)
    book.file.full = True
    read = await book.look(START + 140 * HOUR)
    assert read["marked_at"].isna().all()
    assert "scorecard" in book.state.problems
    book.file.full = False
    read = await book.look(START + 141 * HOUR)
    assert read["marked_at"].notna().sum() == walked["exit_reason"].isin(["reverted", "horizon"]).sum()


async def test_a_file_that_was_set_aside_is_told(make_book, market, walked):
    book = make_book(*market)
    book.close()
    book.file.path.write_bytes(b"no database" * 1000)
    await book.look(START)
    (problem,) = book.state.problems.all()
    assert "cannot be read as a scorecard" in problem["text"]


async def test_every_final_answer_of_the_engine_is_kept_with_what_the_raw_rule_says(make_world):
    world = await make_world(n_coins=12, p_max=0.5, z_in=1.0)
    answers = []
    for _ in range(3):
        await world.bars.step()
        await world.scorecard.step()
        answers.append(world.state.selection.result)
        world.pass_hour()
    read = read_scorecard(world.scorecard_file.path)
    assert read["rule"].tolist() == ["answer", "raw"] * 3
    assert read["closed_at"].tolist() == [one.closed_at for one in answers for _ in range(2)]
    assert (read["said_at"] >= read["closed_at"]).all()
    for result, (_, rows) in zip(answers, read.groupby("closed_at"), strict=True):
        answer, raw = rows.to_dict("records")
        assert (answer["qualifies"], answer["text"]) == (result.verdict.qualifies, result.verdict.text)
        assert (raw["y"], raw["x"]) == (result.raw_top or ("", ""))
        assert (answer["y"], answer["x"]) == ((result.top.y, result.top.x) if result.top else ("", ""))
        if result.top is not None:
            row = result.signals[(result.signals["y"] == result.top.y) & (result.signals["x"] == result.top.x)]
            assert answer["raw_net_bps"] == row["expected_net_bps"].iloc[0] == result.top.net_edge_bps
            assert json.loads(answer["signal"]) == frozen(row.iloc[0])
    assert any(result.top is not None for result in answers)
    assert world.state.track_record["raw"]["bars"] == 3
    assert world.state.track_record["calibrated"]["bars"] == 0


async def test_what_waits_when_the_engine_stops_is_stored(make_world):
    world = await make_world(n_coins=5)
    await world.bars.step()
    assert world.scorecard.waiting == 1
    world.engine.store_the_rest()
    assert len(read_scorecard(world.scorecard_file.path)) == 2


@pytest.fixture
async def served(make_book, market, walked):
    """A scorecard with outcomes, and hostile names, where it is served."""
    names = {"C0": "<b>ETH</b>", "C1": "../x\x1b[31m", "C2": '=cmd("a"),\n💥'}
    candles, funding = (frame.assign(coin=frame["coin"].replace(names)) for frame in market)
    book = make_book(candles, funding)
    rows = walked.assign(**{leg: walked[leg].astype(str).replace(names) for leg in ("y", "x")})
    book.say(rows)
    await book.look(START + 140 * HOUR)
    source = EngineSource(None)
    source.open(Parts(None, None, None, None, None, None, None, None, book.file))
    url, close = serve(source)
    yield url, book, rows
    await close()


async def asked(url, name, *arguments, **options):
    with EngineClient(url) as client:
        return await asyncio.to_thread(getattr(client, name), *arguments, **options)


async def test_readers_get_every_row_with_its_names_as_they_are(served):
    url, book, rows = served
    read = await asked(url, "scorecard_rows")
    pd.testing.assert_frame_equal(read, read_scorecard(book.file.path))
    assert read[["y", "x"]].values.tolist() == rows[["y", "x"]].values.tolist()
    assert "../x\x1b[31m" in set(read["y"]) | set(read["x"])
    since = rows["signal_time"].iloc[-2]
    assert len(await asked(url, "scorecard_rows", since=since)) == 2
    with pytest.raises(InputError, match="since is 'long ago', which is no time"):
        await asked(url, "scorecard_rows", since="long ago")


async def test_readers_get_it_summed_up(served):
    url, book, rows = served
    record = await asked(url, "scorecard")
    board = board_of(read_scorecard(book.file.path))
    assert record == book.state.track_record
    assert record["calibrated"]["said"] == len(rows)
    assert record["calibrated"]["every"]["mean_realised_bps"] == board.calibrated.every.realised_bps.mean
    async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
        answer = await http.get("/scorecard")
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert answer.json() == record


def run(*arguments: str):
    return CliRunner().invoke(main, ["scorecard", *arguments])


async def test_the_command_prints_it_without_an_engine_and_names_cannot_steer_the_terminal(served, tmp_path):
    _, book, rows = served
    done = run("--data", str(tmp_path), "--rows", "1000")
    assert done.exit_code == 0, done.output
    assert "\x1b" not in done.output
    assert r"../x\x1b[31m" in done.output
    score = board_of(read_scorecard(book.file.path)).calibrated
    lines = done.output.splitlines()
    realised = next(line for line in lines if line.startswith("overlapping bars: realised"))
    assert str(score.every.realised_bps) in realised
    assert "worst 5 %" in realised
    assert sum(line.endswith(" open") for line in lines) == score.open
    assert json.loads(run("--data", str(tmp_path), "--json").output)["calibrated"]["said"] == len(rows)


async def test_the_command_writes_every_row_to_a_table(served, tmp_path):
    _, book, _ = served
    done = run("--data", str(tmp_path), "--csv", str(tmp_path / "said.csv"), "--rows", "1")
    assert done.exit_code == 0, done.output
    table = pd.read_csv(tmp_path / "said.csv", keep_default_na=False)
    read = read_scorecard(book.file.path)
    assert table[["y", "x", "text"]].values.tolist() == read[["y", "x", "text"]].values.tolist()
    nets = pd.to_numeric(table["realised_net_bps"], errors="coerce")
    np.testing.assert_allclose(nets, read["realised_net_bps"], rtol=1e-12)
    refused = run("--data", str(tmp_path), "--csv", str(tmp_path / "no" / "said.csv"))
    assert (refused.exit_code, "Traceback" in refused.output) == (1, False)


def test_a_folder_without_a_scorecard_and_an_empty_one_say_so(tmp_path):
    assert "no market in" in run("--data", str(tmp_path)).output
    ScorecardFile(tmp_path / "mainnet" / "scorecard.sqlite").close()
    assert run("--data", str(tmp_path)).output == "nothing was said of a closed bar since then\n"
    ScorecardFile(tmp_path / "testnet" / "scorecard.sqlite").close()
    assert "mainnet, testnet in" in run("--data", str(tmp_path)).output
    assert "a scorecard, 'demo' has not" in run("--data", str(tmp_path), "--market", "demo").output
    assert run("--data", str(tmp_path), "--since", "June").exit_code == 1
