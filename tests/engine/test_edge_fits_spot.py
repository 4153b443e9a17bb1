"""The engine's models of both kinds: spot that is stored beside perpetuals is walked against them, never as one."""

import asyncio
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from edge_world import HOUR, SETTINGS, EdgeWorld, store, store_spots, with_spots

from hlpairs_core.backtest import walk_forward
from hlpairs_core.backtest.walk_carry import walk_carry
from hlpairs_core.costs import CostModel
from hlpairs_core.edge import CalibratedEdge, EdgeModel
from hlpairs_core.engine.edge_files import load_fit
from hlpairs_core.engine.edge_parts import EdgeJob, parts_of, read_panel, walk_part
from hlpairs_core.engine.edge_spot import walk_spot
from hlpairs_core.engine.edge_walk import Walked, walk_parts
from hlpairs_core.engine.history import History
from hlpairs_core.engine.refit import ScreenJob, screen_bar
from hlpairs_core.engine.selector import EXTRA_BARS
from hlpairs_core.engine.spots import SpotCandles
from hlpairs_core.market import MarketState, Panel, SpotMatch
from hlpairs_core.screening import ScreenSettings
from hlpairs_core.screening.carry import CARRY_FEATURES
from hlpairs_core.screening.signals import SIGNALS
from hlpairs_core.simulation import market_panel, synthetic_market

DAY = pd.Timedelta(days=1)
END = pd.Timestamp("2026-03-01T10:00", tz="UTC")
BAR = pd.Timestamp("2026-02-28T09:00", tz="UTC")
# Perpetuals are walked from the first day with a window before it, spot has its first week of history later.
FIRST_SIGNAL = pd.Timestamp("2025-11-26T00:00", tz="UTC")
STOP = pd.Timestamp("2026-02-25T19:00", tz="UTC")
COSTS = CostModel()


@pytest.fixture(scope="module")
def perps() -> Panel:
    """98 days of six perpetuals."""
    return market_panel(synthetic_market(7, 6, start=END, clock=lambda: 0.0), hours=98 * 24)


@pytest.fixture(scope="module")
def matches(perps) -> tuple[SpotMatch, ...]:
    a, b, c, *_ = perps.coins
    return (
        SpotMatch(coin="@142", token="UA", perp=a),
        SpotMatch(coin="PURR/USDC", token="PURR", perp=b),
        SpotMatch(coin="@7", token="UC", perp=c, per_perp=1000.0),
    )


@pytest.fixture(scope="module")
def spots(perps, matches) -> Panel:
    return with_spots(perps, matches)


@pytest.fixture(scope="module")
def late(perps) -> SpotMatch:
    """A spot pair that was listed 80 days before the end."""
    return SpotMatch(coin="@9", token="UD", perp=perps.coins[3])


@pytest.fixture(scope="module")
def fitted(perps, spots, matches, late, tmp_path_factory) -> Path:
    """What an engine has left that has fitted at `BAR`."""
    folder = tmp_path_factory.mktemp("fitted") / "market"
    store(perps, folder)
    store_spots(spots, folder)
    store_spots(with_spots(perps, (late,)).tail(80 * 24), folder)
    asyncio.run(EdgeWorld(folder, matches=matches).fit_at(BAR))
    return folder


@pytest.fixture
def open_fitted(fitted, matches, tmp_path):
    """Open what is left of a fit, once or again: as a restarted engine."""
    folder = shutil.copytree(fitted, tmp_path / "market")
    return lambda **options: EdgeWorld(folder, **{"matches": matches, **options})


@pytest.fixture
def of_kept(fitted):
    """A worker whose fit brings at once what it brought before."""

    async def call(work, job):
        return Walked(1, 1) if work is walk_parts else load_fit(fitted, job.settings)

    return call


@pytest.fixture(scope="module")
def directly(perps, spots, matches) -> dict[str, tuple[pd.DataFrame, EdgeModel]]:
    """Walks and fits of panels that were never stored, by kind."""
    options = {"settings": SETTINGS, "costs": COSTS, "every": 6, "start": FIRST_SIGNAL, "stop": STOP}
    known = perps.until(BAR + HOUR), spots.until(BAR + HOUR)
    rows = {
        "perp_perp": walk_forward(known[0], **options).rows,
        "spot_perp": walk_carry(*known, matches, **options).rows,
    }
    seed = int(BAR.timestamp())
    return {
        kind: (walked, EdgeModel.fit(walked, settings=SETTINGS, rng=np.random.default_rng(seed)))
        for kind, walked in rows.items()
    }


@pytest.mark.parametrize("kind", ["perp_perp", "spot_perp"])
async def test_the_model_of_each_kind_is_that_of_its_own_walk(open_fitted, directly, kind):
    """Of perpetuals as if there were no spot in the store."""
    world, (rows, model) = open_fitted(), directly[kind]
    await world.fits.load()
    edge = world.state.edge
    pd.testing.assert_frame_equal(edge.models[kind].report(), model.report(), check_dtype=False)
    asked = rows[~(rows["zscore"].abs() < SETTINGS.z_in)].tail(20)
    expected = model.predict(asked, settings=SETTINGS, past=rows)
    assert np.isfinite(expected["mean_net_bps"]).all()
    said = edge.predict(asked, settings=SETTINGS)
    pd.testing.assert_frame_equal(said[list(expected)], expected, check_dtype=False)


def trades(model: EdgeModel) -> str:
    first, last = (f"{time:%Y-%m-%d}" for time in model.span)
    return f"on {model.report()['n_rows'][0]:,} trades from {first} to {last}"


def test_spot_is_never_walked_as_a_perpetual(fitted, perps, spots):
    job = EdgeJob(folder=fitted, bar=BAR, settings=SETTINGS, costs=COSTS)
    panel = read_panel(job)
    assert panel.coins == perps.coins
    rows = pd.concat([walk_part(panel, first, job) for first in parts_of(panel, job)])
    assert len(rows) > 90
    assert not {*rows["y"], *rows["x"]} & set(spots.coins)


async def test_what_is_told_is_of_both_kinds(open_fitted, directly):
    world = open_fitted()
    await world.fits.load()
    of_pairs, of_spot = (trades(model) for _, model in directly.values())
    text = f"The model of pairs was fitted {of_pairs}; that of spot against perpetuals was fitted {of_spot}."
    assert world.told.text.startswith(text)
    assert world.told.spans == {kind: model.span for kind, (_, model) in directly.items()}
    models = world.told.status()["models"]
    assert models["spot_perp"]["last_exit"] == directly["spot_perp"][1].span[1].strftime("%Y-%m-%dT%H:%M:%S.000Z")
    assert world.notes == []


async def test_where_spot_is_too_short_the_model_of_pairs_is_used_alone(open_fitted, directly, late):
    world = open_fitted(matches=(late,))
    await world.fit_at(BAR + DAY)
    assert world.told.stage == "fitted"
    assert world.told.text.startswith("The model of pairs was fitted on ")
    assert "; spot against perpetuals: trades that have ended span " in world.told.text
    assert "days are missing." in world.told.text
    assert list(world.told.spans) == ["perp_perp"]
    rows = directly["spot_perp"][0].tail(9)
    assert not world.state.edge.predict(rows, settings=SETTINGS)["qualifies"].any()
    # What a restart tells is the same, and nothing is wrong.
    again = open_fitted()
    again.at(BAR + 2 * DAY)
    await again.fits.load()
    assert (again.told.text, again.notes) == (world.told.text, [])
    assert not (world.folder / "edge-model-spot_perp.json").exists()


async def test_where_pairs_cannot_be_calibrated_spot_is_used_alone(open_fitted):
    """No two coins move alike to a thousandth."""
    world = open_fitted(settings=replace(SETTINGS, rho_min=0.999))
    await world.fit_at(BAR)
    assert list(world.state.edge.models) == ["spot_perp"]
    assert world.told.stage == "fitted"
    assert world.told.text.startswith("The model of spot against perpetuals was fitted on ")
    assert "; pairs: no candidate's trade has ended" in world.told.text


async def test_where_neither_can_be_calibrated_both_are_told(open_fitted):
    world = open_fitted()
    await world.fit_at(FIRST_SIGNAL + 20 * DAY)
    assert world.told.stage == "too short"
    assert world.told.text.startswith("The stored history is too short: pairs: trades that have ended span ")
    assert "; spot against perpetuals: trades that have ended span " in world.told.text
    assert (world.state.edge, world.notes) == (None, [])


async def test_spot_without_a_stored_candle_is_told_and_pairs_are_fitted(open_fitted, matches):
    world = open_fitted(matches=(replace(matches[0], coin="@999"),))
    await world.fit_at(BAR)
    assert list(world.state.edge.models) == ["perp_perp"]
    assert "; spot against perpetuals: no candles of it are stored." in world.told.text


async def test_a_restarted_engine_has_both_models_at_once(open_fitted):
    world = open_fitted()
    world.worker.before = pytest.fail
    world.close_bar(BAR + HOUR)
    await world.fits.load()
    await world.fits.step()
    assert list(world.state.edge.models) == ["perp_perp", "spot_perp"]
    assert set(world.state.edge.past["kind"]) == {"perp_perp", "spot_perp"}
    assert world.naps == 1


async def test_a_damaged_model_of_one_kind_leaves_the_other_and_is_fitted_anew_at_once(open_fitted, of_kept):
    world = open_fitted()
    (world.folder / "edge-model-spot_perp.json").write_text("{}")
    await world.fits.load()
    assert list(world.state.edge.models) == ["perp_perp"]
    reason = "edge-model-spot_perp.json is not what was written"
    assert world.notes == [
        f"the model of spot against perpetuals that was kept is not used: {reason}. A new one is fitted"
    ]
    assert f"; spot against perpetuals: {reason}." in world.told.text
    world.worker.call = of_kept
    await world.fit_at(BAR)
    assert list(world.state.edge.models) == ["perp_perp", "spot_perp"]


async def test_other_settings_refuse_only_the_model_that_they_concern(open_fitted):
    """Spot has no test, so that its model knows candidates whatever p may be."""
    world = open_fitted(settings=replace(SETTINGS, p_max=0.2))
    await world.fits.load()
    assert list(world.state.edge.models) == ["spot_perp"]
    assert "pairs: it knows pairs with p of at most 0.1 and the settings' p_max is 0.2" in world.told.text


async def test_the_folder_of_an_earlier_version_is_refused_fitted_anew_and_left_clean(open_fitted, of_kept):
    world = open_fitted()
    (world.folder / "edge-model-perp_perp.json").rename(world.folder / "edge-model.json")
    listed = json.loads((world.folder / "edge-fit.json").read_text())
    (world.folder / "edge-fit.json").write_text(json.dumps(listed | {"format": 1}))
    await world.fits.load()
    assert world.state.edge is None
    assert "edge-fit.json is of another version of hlpairs" in world.told.text
    world.worker.call = of_kept
    await world.fit_at(BAR)
    kept = sorted(path.name for path in world.folder.glob("edge-model*"))
    assert kept == ["edge-model-perp_perp.json", "edge-model-spot_perp.json"]


@pytest.fixture(scope="module")
def lived(fitted, matches) -> tuple[EdgeJob, pd.DataFrame]:
    """A walk of spot whose settings have a live screen that reads a week of bars, which is what carry looks back on."""
    settings = ScreenSettings(window=120, horizon_hours=24.0, min_day_notional_usd=0.0)
    job = EdgeJob(folder=fitted, bar=BAR, settings=settings, costs=COSTS, matches=matches)
    panel = read_panel(job)
    return job, walk_spot(panel, parts_of(panel, job), job)


def live_job(job: EdgeJob, closed_at: pd.Timestamp, edge: CalibratedEdge, perps: list[str]) -> ScreenJob:
    """What the engine hands to its worker at a bar, from the store."""
    history, last = History(job.folder, "1h"), closed_at - HOUR
    first = last - (job.settings.window + EXTRA_BARS) * HOUR
    said = {"is_delisted": False, "max_leverage": 10, "funding_rate": 9e-5, "day_notional_usd": 1e9}
    market = MarketState(as_of=closed_at, contexts=pd.DataFrame(said, index=perps))
    return ScreenJob(
        history.candles.read(perps, first, last),
        history.funding_of_bars(perps, first, last),
        closed_at,
        job.settings,
        job.costs,
        market,
        20,
        edge,
        SpotCandles(job.matches, history.candles.read([one.coin for one in job.matches], first, last)),
    )


@pytest.mark.parametrize("nth", [-1, -40, 5])
def test_a_live_screen_believes_what_the_model_says_of_the_walks_row_of_that_bar(lived, perps, nth):
    job, rows = lived
    closed_at = rows["signal_time"].drop_duplicates().iloc[nth]
    walked = rows[rows["signal_time"] == closed_at].set_index("x", drop=False).sort_index()
    model = EdgeModel.fit(rows, settings=job.settings, rng=np.random.default_rng(1))
    edge = CalibratedEdge({"spot_perp": model}, rows)
    result = screen_bar(live_job(job, closed_at, edge, list(perps.coins))).result
    found = result.candidates[(result.candidates["kind"] == "spot_perp") & result.candidates["calibrated"]]
    found = found.set_index(np.where(found["spot_leg"] == "y", found["x"], found["y"])).sort_index()
    said = model.predict(walked, settings=job.settings)
    assert list(found.index) == list(walked.index)
    for name in ("mean_net_bps", "standard_error_bps", "lower_net_bps", "low_net_bps", "deviation_bps"):
        assert np.isfinite(said[name]).all()
        np.testing.assert_allclose(found[name], said[name], rtol=1e-9, err_msg=name)
    signals = result.signals[result.signals["kind"] == "spot_perp"].set_index("x", drop=False).sort_index()
    # How long both have traded is counted in the bars that are read; no model reads it.
    numbers = [name for name in (*SIGNALS, *CARRY_FEATURES) if walked[name].dtype == float and name != "history_hours"]
    assert {"hold_noise_bps", "funding_week_bps", "expected_funding_bps"} < set(numbers)
    np.testing.assert_allclose(signals[numbers].astype(float), walked[numbers], rtol=1e-9)
