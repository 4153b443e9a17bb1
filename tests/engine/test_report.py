import json
import math

import httpx
import pandas as pd
import pytest

from hlpairs_core.engine.client import EngineClient
from hlpairs_core.engine.report import READY_SECONDS, to_json, to_text, wait_until_ready
from hlpairs_core.exceptions import EngineError

HOSTILE = "\x1b[2J<b>"


@pytest.fixture
async def result(world):
    await world.tick()
    await world.bars.step()
    return world.state.selection.result


async def test_the_table_has_the_verdict_the_funnel_and_the_best_pairs(result):
    text = to_text(result, 3)
    first = result.candidates.iloc[0]
    assert result.verdict.text in text
    assert f"{result.funnel.pairs_qualifying:,} qualify" in text
    assert f"{first['y']}/{first['x']}" in text
    assert f"{first['net_edge_bps']:+.1f}" in text
    assert len(text.splitlines()) == 3 + 1 + 3


async def test_a_name_that_would_steer_the_terminal_is_shown_and_not_obeyed(result):
    result.candidates.loc[0, "y"] = HOSTILE
    object.__setattr__(result.verdict, "text", f"Long {HOSTILE}")
    text = to_text(result, 3)
    assert "\x1b" not in text
    assert text.count(r"\x1b[2J<b>") == 2


async def test_the_json_has_the_same_numbers_and_null_for_the_unknown(result):
    result.candidates.loc[0, "net_edge_bps"] = math.nan
    text = json.dumps(to_json(result, 2), allow_nan=False)
    said = json.loads(text)
    assert len(said["candidates"]) == 2
    assert said["candidates"][0]["net_edge_bps"] is None
    assert said["candidates"][1]["p_value"] == pytest.approx(result.candidates["p_value"].iloc[1], rel=1e-12)
    assert pd.Timestamp(said["closed_at"]) == result.closed_at


def engine_that_says(*payloads):
    left = list(payloads)
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=left.pop(0) if len(left) > 1 else left[0]))
    return EngineClient("http://127.0.0.1:9", transport=transport)


def payload(phase, *, loading=None, problems=()):
    return {"phase": phase, "loading": loading, "problems": [{"text": text} for text in problems]}


def test_waiting_says_each_stage_once_and_what_is_wrong():
    stages = [
        payload("loading"),
        payload("loading", loading={"text": "3 of 12 coins"}),
        payload("loading", loading={"text": "3 of 12 coins"}),
        payload("error", problems=["no answer"]),
        payload("ready"),
    ]
    said = []
    with engine_that_says(*stages) as client:
        assert wait_until_ready(client, note=said.append, sleep=lambda _: None)["phase"] == "ready"
    assert said == [f"waiting for the engine: {text}" for text in ("starting", "3 of 12 coins", "no answer")]


def test_waiting_ends_after_a_quarter_of_an_hour_with_the_reason():
    times = iter([0.0, 1.0, READY_SECONDS + 1.0])
    with (
        engine_that_says(payload("error", problems=["no answer"])) as client,
        pytest.raises(EngineError, match="not ready after 15 minutes: no answer"),
    ):
        wait_until_ready(client, note=lambda _: None, clock=lambda: next(times), sleep=lambda _: None)
