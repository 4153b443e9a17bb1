import math
from dataclasses import replace

import numpy as np
import pytest

from hlpairs_core.engine.marks import SPARKLINE_STEP_SECONDS, Marks
from hlpairs_core.engine.metrics import Metrics
from hlpairs_core.engine.payload import iso
from hlpairs_core.market.second_bars import SecondBars
from hlpairs_core.screening import mark

NUMBERS = ("zscore", "hold_hours", "gross_bps", "funding_bps", "net_edge_bps", "signal_zscore", "signal_net_edge_bps")
AS_THEY_ARE = ("y", "x", "side_y", "side_x", "same_side", "qualifies", "mark_state", "slippage_source")


@pytest.fixture
async def result(world):
    await world.polls.step()
    await world.bars.step()
    return world.state.selection.result


def shown(result):
    return list(zip(result.candidates["y"], result.candidates["x"], strict=True))


def followed(*coins, seconds=900) -> SecondBars:
    bars = SecondBars(seconds)
    bars.follow(coins)
    return bars


async def test_marks_are_those_of_the_screening_package_to_the_last_digit(world, result):
    marks, rng = Marks(result, shown(result)), np.random.default_rng(0)
    for spread in (0.0, 0.001, 0.05, 0.5):
        mids = {coin: mid * math.exp(spread * rng.standard_normal()) for coin, mid in world.mids.items()}
        expected = mark(result, mids, pairs=shown(result)).to_dict("records")
        for row, one in zip(marks.rows(mids, followed()), expected, strict=True):
            assert [row[name] for name in AS_THEY_ARE] == [one[name] for name in AS_THEY_ARE]
            assert [row[name] for name in NUMBERS] == pytest.approx([one[name] for name in NUMBERS], rel=1e-14)
            usd = one["net_edge_bps"] * result.settings.notional_usd / 1e4
            assert row["net_edge_usd"] == pytest.approx(usd, rel=1e-14)


@pytest.mark.parametrize("mid", [None, math.nan, 0.0, -1.0, math.inf])
async def test_a_leg_without_a_usable_mid_leaves_its_pairs_unknown_and_the_others_alone(world, result, mid):
    y, _ = shown(result)[0]
    mids = {coin: value for coin, value in world.mids.items() if coin != y} | ({} if mid is None else {y: mid})
    for row in Marks(result, shown(result)).rows(mids, followed()):
        unknown = y in (row["y"], row["x"])
        assert (row["zscore"] is None, row["mark_state"] == "unknown") == (unknown, unknown)
        assert row["signal_zscore"] is not None


async def test_only_the_legs_of_the_pairs_move_them(result):
    marks = Marks(result, shown(result)[:1])
    y, x = shown(result)[0]
    others = set(result.candidates["y"]) | set(result.candidates["x"])
    assert {coin for coin in others if marks.hang_on(coin)} == {y, x}
    assert Marks(result, []).rows({}, followed()) == []


async def test_a_sparkline_point_is_the_frozen_z_of_the_mids_of_its_second(result):
    one = result.candidates.iloc[0]
    seconds = followed(one["y"], one["x"])
    seconds.take(one["y"], 50.0, 1_600_000_000.2)
    seconds.take(one["x"], 7.0, 1_600_000_000.7)
    (row,) = Marks(result, [(one["y"], one["x"])]).rows({}, seconds)
    z = (math.log(50.0) - one["alpha"] - one["beta"] * math.log(7.0) - one["mean"]) / one["sigma"]
    assert row["sparkline"] == {"t": [iso(1_600_000_000)], "z": [pytest.approx(z, abs=1e-4)]}


async def test_spot_has_no_sparkline_of_z(result):
    table = result.candidates.assign(kind="spot_perp")
    pair = shown(result)[0]
    seconds = followed(*pair)
    for coin in pair:
        seconds.take(coin, 50.0, 1_600_000_000.2)
    (row,) = Marks(replace(result, candidates=table), [pair]).rows({}, seconds)
    assert (row["zscore"], row["sparkline"]) == (None, {"t": [], "z": []})


async def test_a_lead_without_z_is_not_counted():
    metrics = Metrics()
    for zscore in (-2.5, math.nan):
        metrics.observe_lead(zscore)
    counted = [metrics.registry.get_sample_value(f"hlpairs_top_abs_zscore_{one}") for one in ("sum", "count")]
    assert counted == [2.5, 1.0]


async def test_a_sparkline_has_a_point_every_eight_seconds_and_none_where_a_leg_was_not_quoted(result):
    one = result.candidates.iloc[0]
    seconds, began = followed(one["y"], one["x"]), 1_600_000_000
    for second in range(began, began + 2_000):
        seconds.take(one["y"], 1.0, float(second))
        if not began + 1_500 <= second < began + 1_600:
            seconds.take(one["x"], 1.0, float(second))
    line = Marks(result, [(one["y"], one["x"])]).rows({}, seconds)[0]["sparkline"]
    assert line["t"][-1] == iso(began + 1_999)
    assert line["t"][0] >= iso(began + 1_999 - 900)
    gap = [time for time in line["t"] if iso(began + 1_508) <= time < iso(began + 1_592)]
    assert gap == []
    assert len(line["t"]) == len(line["z"]) == pytest.approx((900 - 100) / SPARKLINE_STEP_SECONDS, abs=3)
