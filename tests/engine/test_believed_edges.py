"""A model that says what can be believed: from the screen of a closed bar to what readers get."""

import json

import pandas as pd
import pytest

from hlpairs_core.engine.report import to_text
from hlpairs_core.screening import mark
from hlpairs_core.screening.forecast import FORECASTS

LOOSE = {"z_in": 0.5, "z_out": 0.1, "p_max": 0.9}


class Says:
    """Says that all net edges are 12 bps, give or take `error`."""

    def __init__(self, error=5.0):
        self.error, self.models = error, {}

    def predict(self, rows, *, settings):
        assert settings.z_in == LOOSE["z_in"]
        said = pd.DataFrame(0.6, index=rows.index, columns=list(FORECASTS))
        share = (12.0 + rows["expected_fee_bps"] + rows["expected_slippage_bps"]) / rows["expected_gross_bps"]
        bound = 12.0 - 1.2816 * self.error
        return said.assign(mean_net_bps=12.0, lower_net_bps=bound, gross_share=share, funding_share=0.0)


async def screened(world):
    await world.polls.step()
    await world.bars.step()
    world.engine.ticks.publish()
    return world.hub.current


async def test_what_is_believed_is_the_answer_and_the_projection_stays_beside_it(make_world):
    world = await make_world(n_coins=6, **LOOSE)
    world.state.edge = Says()
    payload = await screened(world)
    json.dumps(payload, allow_nan=False)
    assert payload["verdict"]["calibrated"]
    top, result = payload["top"], world.state.selection.result
    assert top["believed"]["signal_mean_net_bps"] == pytest.approx(12.0)
    assert top["believed"]["signal_lower_net_bps"] == pytest.approx(12.0 - 1.2816 * 5.0)
    assert payload["expected_edge_bps"] == top["believed"]["mean_net_bps"]
    assert top["signal_net_edge_bps"] == pytest.approx(result.top.net_edge_bps)


async def test_marks_of_believed_edges_are_those_of_the_screening_package(make_world):
    world = await make_world(n_coins=6, **LOOSE)
    world.state.edge = Says()
    await screened(world)
    result = world.state.selection.result
    mids = {coin: mid * (1 + 0.001 * place) for place, (coin, mid) in enumerate(sorted(world.mids.items()))}
    rows = world.state.selection.marks.rows(mids, world.state.seconds)
    expected = mark(result, mids, pairs=world.state.selection.shown).to_dict("records")
    asked = [(row, one) for row, one in zip(rows, expected, strict=True) if one["calibrated"]]
    assert asked
    for row, one in asked:
        for name in ("mean_net_bps", "lower_net_bps"):
            assert row["believed"][name] == pytest.approx(one[name], rel=1e-12)
        usd = one["mean_net_bps"] * result.settings.notional_usd / 1e4
        assert row["believed"]["mean_net_usd"] == pytest.approx(usd, rel=1e-12)
    assert all(row["believed"] is None for row, one in zip(rows, expected, strict=True) if not one["calibrated"])


async def test_a_model_that_comes_within_a_bar_speaks_from_the_next_one_on(make_world):
    world = await make_world(n_coins=6, **LOOSE)
    assert not (await screened(world))["verdict"]["calibrated"]
    world.state.edge = Says(error=50.0)
    coins = list(world.bars.eligible())
    await world.engine.selector.select(coins, world.state.screened, wanted=len(coins), final=True)
    assert not world.state.selection.result.verdict.calibrated
    world.now += 3600
    payload = await screened(world)
    assert payload["verdict"]["calibrated"]
    assert payload["top"] is None
    assert "above -52.1 with 90 %" in payload["nearest_miss"]["misses"][0]


async def test_the_screen_command_prints_mean_and_bound(make_world):
    world = await make_world(n_coins=6, **LOOSE)
    world.state.edge = Says()
    await screened(world)
    text = to_text(world.state.selection.result, 2)
    assert "Edges in bps of gross notional, calibrated." in text
    assert "believed above, 90 %" in " ".join(text.split())
    assert "+12.0" in text
    assert "+5.6" in text


async def test_a_bound_that_is_not_known_is_printed_as_unknown(make_world):
    world = await make_world(n_coins=6, **LOOSE)
    world.state.edge = Says(error=float("nan"))
    await screened(world)
    text = to_text(world.state.selection.result, 2)
    assert "unknown" in text
    assert "nan" not in text
