"""The model behind the expected edges is fitted once a day on the engine's own history, beside everything else."""

import asyncio
import logging
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from edge_world import HOUR, SETTINGS, EdgeWorld, store

from hlpairs_core.backtest import walk_forward
from hlpairs_core.costs import CostModel
from hlpairs_core.edge import CalibratedEdge, EdgeModel, with_record
from hlpairs_core.engine.edge_fits import TOO_OLD
from hlpairs_core.engine.edge_parts import EdgeJob
from hlpairs_core.engine.edge_walk import Walked, fit_edge, walk_parts
from hlpairs_core.engine.fitted_edge import FittedEdge
from hlpairs_core.engine.refit import Refitter, spawn_idle
from hlpairs_core.engine.snapshot import build_payload
from hlpairs_core.exceptions import EngineError
from hlpairs_core.market import Panel
from hlpairs_core.screening import ScreenSettings
from hlpairs_core.simulation import market_panel, synthetic_market
from hlpairs_core.store import CandleStore

DAY = pd.Timedelta(days=1)
END = pd.Timestamp("2026-03-01T10:00", tz="UTC")
BAR = pd.Timestamp("2026-02-26T09:00", tz="UTC")
FIRST_SIGNAL = pd.Timestamp("2025-11-26T00:00", tz="UTC")
# Its last signal and the longest hold of 49 hours are over when the bar has closed.
LAST_DAY = pd.Timestamp("2026-02-23T00:00", tz="UTC")
GONE = pd.Timestamp("2026-02-12T00:00", tz="UTC")
N_PARTS = (LAST_DAY - FIRST_SIGNAL) // DAY + 1


@pytest.fixture(scope="module")
def panel() -> Panel:
    """The market that the tests store: 98 days up to three days after `BAR`; its first coin ends before `GONE`."""
    panel = market_panel(synthetic_market(7, 6, start=END, clock=lambda: 0.0), hours=98 * 24)
    bars = {name: getattr(panel, name).copy() for name in ("open", "high", "low", "close", "volume", "funding")}
    for values in bars.values():
        values[panel.time >= GONE, 0] = np.nan
    return replace(panel, **bars)


@pytest.fixture(scope="module")
def stored(panel, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("stored") / "market"
    store(panel, folder)
    return folder


@pytest.fixture(scope="module")
def fitted(stored, tmp_path_factory) -> Path:
    """What an engine has left that has fitted at `BAR`."""
    folder = tmp_path_factory.mktemp("fitted") / "market"
    shutil.copytree(stored, folder)
    asyncio.run(EdgeWorld(folder).fit_at(BAR))
    return folder


@pytest.fixture
def world(stored, tmp_path) -> EdgeWorld:
    return EdgeWorld(shutil.copytree(stored, tmp_path / "market"))


@pytest.fixture
def open_fitted(fitted, tmp_path):
    """Open what is left of a fit, once or again: as a restarted engine."""
    folder = shutil.copytree(fitted, tmp_path / "market")

    def make(settings: ScreenSettings = SETTINGS) -> EdgeWorld:
        return EdgeWorld(folder, settings=settings)

    return make


def walked_directly(panel: Panel, bar: pd.Timestamp) -> pd.DataFrame:
    """Every sixth bar of whole days from the first with a window before it; what came of it up to a bar."""
    start = FIRST_SIGNAL
    stop = (bar + HOUR - 49 * HOUR - 18 * HOUR).floor("D") + 19 * HOUR
    return walk_forward(
        panel.until(bar + HOUR), settings=SETTINGS, costs=CostModel(), every=6, start=start, stop=stop
    ).rows


async def test_a_fitted_model_is_that_of_a_walk_forward_over_the_bars_up_to_the_newest(open_fitted, panel):
    """Later bars are in the store: the model does not know them."""
    world = open_fitted()
    await world.fits.load()
    rows = walked_directly(panel, BAR)
    model = EdgeModel.fit(rows, settings=SETTINGS, rng=np.random.default_rng(int(BAR.timestamp())))
    found = world.state.edge.models["perp_perp"]
    pd.testing.assert_frame_equal(found.report(), model.report(), check_dtype=False)
    last, edge = rows[rows["zscore"].abs() >= SETTINGS.z_in].tail(20), world.state.edge
    directly = model.predict(last, settings=SETTINGS, past=rows)
    said = edge.predict(last, settings=SETTINGS)
    pd.testing.assert_frame_equal(said[list(directly)], directly, check_dtype=False)
    records, of_all = (with_record(last, horizon_hours=24.0, past=past) for past in (edge.past, rows))
    pd.testing.assert_frame_equal(records, of_all)
    assert records["record_trades"].max() > 3


async def test_what_is_told_of_a_fit_are_its_stages_and_bars(world):
    told = []
    world.worker.before = lambda work: told.append((work, world.told.stage, world.told.done, world.told.total))
    await world.fit_at(BAR)
    total = 4 * N_PARTS
    assert told == [
        ("walk_parts", "walking", 0, 0),
        ("walk_parts", "walking", 120, total),
        ("walk_parts", "walking", 240, total),
        ("fit_edge", "fitting", total, total),
    ]
    assert world.told.stage == "fitted"
    assert world.told.fitted_at == BAR + HOUR
    (model,) = world.state.edge.models.values()
    assert world.told.spans == {"perp_perp": model.span}
    assert f"{model.report()['n_rows'][0]} trades from 2025-11-2" in world.told.text
    status = world.told.status()
    assert (status["stage"], status["bars_done"], status["fitted_at"]) == ("fitted", total, "2026-02-26T10:00:00.000Z")


async def test_readers_are_told_what_the_model_s_own_report_says(open_fitted):
    world = open_fitted()
    await world.fits.load()
    said = build_payload(world.state, now=world.now)["edge_model"]
    (told,), ((kind, model),) = said["history"], world.state.edge.models.items()
    row = model.report().iloc[0]
    assert (told["kind"], told["form"], told["trades"], told["choices"]) == (
        kind, row["form"], row["n_rows"], row["n_choices"],
    )  # fmt: skip
    for name, theirs in (("arrived", "arrived_of_choices"), ("arrived_error", "arrived_standard_error")):
        assert told[name] == (pytest.approx(row[theirs]) if np.isfinite(row[theirs]) else None)
    assert said["text"] == world.state.edge_fit.text
    assert pd.Timestamp(said["fitted_at"]) == BAR + HOUR


@pytest.mark.parametrize("why", ["no answer", "not final", "history on its way"])
async def test_nothing_is_fitted_before_there_is_a_final_answer_and_all_history(world, why):
    world.worker.before = pytest.fail
    if why != "no answer":
        world.close_bar(BAR, final=why != "not final")
    world.is_complete = why != "history on its way"
    await world.fits.step()
    assert (world.told.stage, world.naps) == ("waiting", 1)


async def test_a_day_later_only_the_new_day_is_walked_and_until_then_nothing(open_fitted):
    world = open_fitted()
    await world.fits.load()
    before, first = world.parts, world.state.edge
    await world.fit_at(BAR + 23 * HOUR)
    assert (world.state.edge, world.parts) == (first, before)
    await world.fit_at(BAR + DAY)
    assert len(world.parts) == len(before) + 1
    assert {name: world.parts[name] for name in before} == before
    assert world.told.fitted_at == BAR + DAY + HOUR
    assert world.state.edge is not first


async def test_a_restarted_engine_has_the_model_at_once(open_fitted):
    world = open_fitted()
    world.at(BAR + 2 * HOUR)
    world.worker.before = pytest.fail
    await world.fits.load()
    assert (world.told.stage, world.told.fitted_at) == ("fitted", BAR + HOUR)
    assert len(world.state.edge.past) > 50
    assert world.notes == []


async def test_an_engine_that_finds_no_model_says_so_and_nothing_is_wrong(world):
    await world.fits.load()
    assert (world.told.stage, world.state.edge, world.notes) == ("waiting", None, [])


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"window": 72}, "the model was fitted with window 48 and the settings say 72"),
        ({"horizon_hours": 12.0}, "horizon_hours 12 is outside the model's grid"),
        ({"p_max": 0.2}, "it knows pairs with p of at most 0.1 and the settings' p_max is 0.2"),
    ],
)
async def test_a_model_of_other_settings_is_not_taken(open_fitted, settings, reason):
    world = open_fitted(
        ScreenSettings(**{"window": 48, "horizon_hours": 24.0, "min_day_notional_usd": 0.0, **settings})
    )
    await world.fits.load()
    assert world.state.edge is None
    assert reason in world.told.text
    assert world.notes == [world.told.text]


def test_other_settings_walk_anew(open_fitted):
    world = open_fitted()
    job = EdgeJob(folder=world.folder, bar=BAR, settings=replace(SETTINGS, z_in=1.8), costs=CostModel(), at_most=1)
    walked = walk_parts(job)
    assert (walked.done, walked.total) == (0, N_PARTS)
    assert "was made by other rules: z_in is 2.0 there, 1.8 here" in walked.anew
    assert walk_parts(job) == Walked(1, N_PARTS)
    assert len(world.parts) == 1


def test_the_walk_of_an_earlier_year_is_removed_and_what_a_crash_has_left(open_fitted):
    world = open_fitted()
    old = world.folder / "edge-walk" / "2024-01-01"
    old.mkdir()
    (old / "bars-0-0.parquet").write_bytes(b"")
    (walk,) = {path.parent for path in world.folder.glob("edge-walk/*/*.parquet")} - {old}
    half = walk / "bars-0-0.parquet.0123abcd.tmp"
    half.write_bytes(b"")
    walk_parts(EdgeJob(folder=world.folder, bar=BAR, settings=SETTINGS, costs=CostModel(), at_most=0))
    assert not old.exists()
    assert not half.exists()
    assert len(world.parts) == N_PARTS


async def test_prices_that_have_changed_are_walked_anew(open_fitted, panel, caplog):
    world = open_fitted()
    await world.fits.load()
    coin, at = panel.coins[0], panel.time[200]
    old = CandleStore(world.folder, "1h").read([coin], at, at)
    CandleStore(world.folder, "1h").append(old.assign(high=old["high"] * 1.001), [])
    before = world.parts
    with caplog.at_level(logging.WARNING):
        await world.fit_at(BAR + DAY)
    assert f"was made from another panel: bars of {coin} differ" in caplog.text
    assert world.told.fitted_at == BAR + DAY + HOUR
    assert len(world.parts) == N_PARTS + 1
    assert not set(before.values()) & set(world.parts.values())
    assert world.notes == []


async def test_a_coin_that_is_gone_by_now_is_walked_while_it_was_there(open_fitted, panel):
    world = open_fitted()
    await world.fits.load()
    past = world.state.edge.past
    of_gone = past[(past["y"] == panel.coins[0]) | (past["x"] == panel.coins[0])]
    assert len(of_gone) > 5
    assert of_gone["exit_time"].max() <= GONE


async def test_a_history_that_is_too_short_says_what_is_missing_and_is_no_problem(panel, tmp_path):
    store(panel.until(FIRST_SIGNAL + 20 * DAY), tmp_path)
    world = EdgeWorld(tmp_path)
    await world.fit_at(FIRST_SIGNAL + 20 * DAY - HOUR)
    assert world.told.stage == "too short"
    assert "84 are needed to calibrate (12 blocks of 7 days)" in world.told.text
    assert world.told.text.endswith("days are missing.")
    assert (world.state.edge, world.notes) == (None, [])


async def test_a_model_that_does_not_know_all_that_the_screen_lets_pass_is_not_used(open_fitted):
    """With few candidates in the history, the largest p among them may lie below the gate."""
    world = open_fitted()
    await world.fits.load()
    before = world.state.edge
    model = before.models["perp_perp"]
    few = CalibratedEdge({"perp_perp": replace(model, grid=replace(model.grid, p_max=0.04))}, before.past)

    async def call(work, job):
        return Walked(1, 1) if work is walk_parts else FittedEdge(few, BAR + DAY + HOUR)

    world.worker.call = call
    await world.fit_at(BAR + DAY)
    assert world.state.edge is before
    assert world.told.stage == "too short"
    assert "pairs with p of at most 0.04 and the settings' p_max is 0.05" in world.told.text


async def test_without_a_single_trade_that_has_ended_it_says_so_too(panel, tmp_path):
    store(panel.until(FIRST_SIGNAL + 2 * DAY), tmp_path)
    world = EdgeWorld(tmp_path)
    await world.fit_at(FIRST_SIGNAL + 2 * DAY - HOUR)
    assert world.told.stage == "too short"
    assert "84 days of trades that have ended are needed" in world.told.text
    assert world.notes == []


async def test_much_more_history_is_tried_at_the_next_bar_and_a_little_more_is_not(panel, tmp_path):
    short = FIRST_SIGNAL + 10 * DAY
    store(panel.until(short), tmp_path)
    world = EdgeWorld(tmp_path)
    await world.fit_at(short - HOUR)
    calls = []
    world.worker.before = calls.append
    store(panel.until(short + HOUR).tail(1), tmp_path)
    await world.fit_at(short)
    assert (calls, world.told.stage) == ([], "too short")
    store(panel.until(short + DAY).tail(23), tmp_path)
    await world.fit_at(short + HOUR)
    assert calls == ["walk_parts", "fit_edge"]


async def test_a_worker_that_dies_is_told_and_the_last_model_goes_on(open_fitted):
    world = open_fitted()
    await world.fits.load()
    before = world.state.edge

    def die_at(deadly: str) -> None:
        def die(work: str) -> None:
            if work == deadly:
                raise EngineError(f"died at {deadly}")

        world.worker.before = die

    for number, work in enumerate(("walk_parts", "fit_edge")):
        die_at(work)
        await world.fit_at(BAR + DAY + number * HOUR)
        assert world.state.edge is before
        assert (world.told.stage, world.told.fitted_at) == ("failed", BAR + HOUR)
        assert world.notes[-1] == f"the model could not be renewed: died at {work}"
        assert not world.state.problems.is_anything_wrong
    die_at("nothing")
    await world.fits.step()
    assert (world.told.stage, world.naps) == ("failed", 1)
    await world.fit_at(BAR + DAY + 2 * HOUR)
    assert (world.told.stage, world.told.fitted_at) == ("fitted", BAR + DAY + 3 * HOUR)


async def test_a_model_of_a_week_ago_is_let_go_of(open_fitted):
    world = open_fitted()
    world.at(BAR + HOUR + TOO_OLD)
    await world.fits.load()
    assert world.state.edge is not None
    world.at(BAR + HOUR + TOO_OLD + HOUR)
    await world.fits.step()
    assert (world.state.edge, world.told.fitted_at, world.told.stage) == (None, None, "waiting")
    assert "knows all bars up to 2026-02-26 10:00 UTC and it is 2026-03-05 11:00" in world.told.text


async def test_a_model_that_knows_the_future_is_not_used(open_fitted):
    """As where a replay begins anew."""
    world = open_fitted()
    world.at(BAR - DAY)
    await world.fits.load()
    assert world.state.edge is None
    assert "it is not used" in world.told.text
    await world.fit_at(BAR - DAY)
    assert world.told.fitted_at == BAR - DAY + HOUR


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("edge-fit.json", b"{", "edge-fit.json cannot be read"),
        ("edge-fit.json", b'{"format": 99}', "edge-fit.json is of another version of hlpairs"),
        (
            "edge-model-perp_perp.json",
            b'{"hlpairs_edge_model": 0}',
            "edge-model-perp_perp.json is not what was written",
        ),
        ("edge-past.parquet", b"PAR1", "edge-past.parquet is not what was written"),
        ("edge-past.parquet", None, "it is damaged"),
    ],
)
async def test_a_damaged_model_is_not_used(open_fitted, name, content, reason):
    world = open_fitted()
    if content is None:
        (world.folder / name).unlink()
    else:
        (world.folder / name).write_bytes(content)
    await world.fits.load()
    assert world.state.edge is None
    assert reason in world.told.text


async def test_a_new_model_takes_the_place_of_a_damaged_one(open_fitted):
    world = open_fitted()
    (world.folder / "edge-past.parquet").write_bytes(b"")
    await world.fits.load()
    await world.fit_at(BAR)
    again = EdgeWorld(world.folder)
    await again.fits.load()
    assert (again.told.stage, again.told.fitted_at) == ("fitted", BAR + HOUR)


async def test_a_model_that_cannot_be_kept_is_used_and_that_is_told(open_fitted):
    world = open_fitted()
    (world.folder / "edge-fit.json").unlink()
    (world.folder / "edge-fit.json").mkdir()
    await world.fit_at(BAR)
    assert world.told.stage == "fitted"
    assert world.notes[0].startswith("the model is used and could not be kept: ")


async def test_a_damaged_segment_is_told_and_set_aside_for_the_backfill(open_fitted):
    world = open_fitted()
    await world.fits.load()
    segment = next((world.folder / "candles-1h").glob("*.parquet"))
    data = bytearray(segment.read_bytes())
    data[1000] ^= 0xFF
    segment.write_bytes(data)
    await world.fit_at(BAR + DAY)
    assert world.told.stage == "failed"
    assert "counts as missing" in world.notes[0]
    assert not segment.exists()
    assert world.state.edge is not None


async def test_the_idle_process_reads_the_store_itself_and_hands_the_model_back(open_fitted):
    world, worker = open_fitted(), Refitter(spawn_idle)
    job = EdgeJob(folder=world.folder, bar=BAR, settings=SETTINGS, costs=CostModel(), at_most=1)
    await world.fits.load()
    try:
        assert await worker.call(walk_parts, job) == Walked(1, N_PARTS)
        found = await worker.call(fit_edge, job)
    finally:
        worker.close()
    kept = world.state.edge
    pd.testing.assert_frame_equal(found.edge.past, kept.past, check_dtype=False, check_categorical=False)
    pd.testing.assert_frame_equal(
        found.edge.models["perp_perp"].report(), kept.models["perp_perp"].report(), check_dtype=False
    )
    assert found.closed_at == BAR + HOUR


async def test_in_an_engine_the_fit_waits_for_the_backfill_and_its_state_is_served(make_world):
    """The exchange has three weeks of each coin."""
    world = await make_world(n_coins=3, window=48)
    since = int((FIRST_SIGNAL.timestamp() + 75 * 86400) * 1000)

    def recent(request, answer):
        return [one for one in answer if one["t"] >= since] if request["type"] == "candleSnapshot" else answer

    world.wire.change = recent
    await world.bars.step()
    fit = world.engine.works["expected edge"]
    await fit()
    assert world.source.status()["edge_model"]["stage"] == "waiting"
    await world.settle()
    await fit()
    status = world.source.status()["edge_model"]
    assert (status["stage"], status["fitted_at"]) == ("too short", None)
    assert "days are missing" in status["text"]
    assert status["bars_done"] == status["bars_total"] > 20
    world.pass_hour()
    await world.bars.step()
    await fit()
    assert world.state.edge_fit.stage == "too short"
