"""One fault after another against one live engine: what it says, that it recovers by itself, and that nothing is lost.

Each row begins and ends with an engine that is well, so that one engine lives through all of them. With ``-s`` the
measured times are printed.
"""

import os
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio
from resilience_world import HOUR, ResilienceWorld

from hlpairs_core.simulation.faults import FEED_FAULTS, MARKET_FAULTS, REST_FAULTS, Fault

COIN = "SOL"
# On two cores that others use too; alone it is well within a tenth.
BOUND_SECONDS = 60.0
LONGEST_SILENCE = 12.0
# 0 is a rate of funding like any other, so that a lie about it cannot be told: see docs/resilience.md.
NOT_FUNDING = ("metaAndAssetCtxs", "allMids", "candleSnapshot", "l2Book")


@dataclass(frozen=True)
class Row:
    """What goes wrong, and what the engine says of it; where that is nothing, it must go on closing bars.

    What is only noted does not make the engine unwell: it goes on without.
    """

    faults: tuple[Fault, ...]
    says: str = ""
    counts: str = ""
    is_noted: bool = False


def rest(kind: str, says: str, **options) -> Row:
    return Row((Fault(kind, **options),), says)


def feed(kind: str, counts: str = "", *, says: str = "", **options) -> Row:
    return Row((Fault(kind, **options),), says, counts)


NO_ANSWER = "(bars|exchange): .*no usable answer"
SILENT = "stream: the stream has been silent since .*: quotes by polling"

ROWS = {
    "refuse": rest("refuse", NO_ANSWER),
    "stall": rest("stall", NO_ANSWER),
    "slow": rest("slow", NO_ANSWER, amount=4.0),
    "cut": rest("cut", NO_ANSWER),
    "truncate": rest("truncate", "(bars|exchange): .*not JSON"),
    "html": rest("html", "(bars|exchange): .*HTTP 502"),
    "limited": rest("limited", "(bars|exchange): .*rate limited"),
    "types": rest("types", "(bars|exchange): .*malformed at .*expected a"),
    "nan": rest("nan", "(bars|exchange): .*malformed at .*'NaN'"),
    "zero": Row(tuple(Fault("zero", only=one) for one in NOT_FUNDING), "(bars|exchange): .*malformed at .*'0'"),
    "huge": rest("huge", "(bars|exchange): .*(more than 4194304 bytes|no usable answer)"),
    "feed-refuse": Row((Fault("feed-refuse"), Fault("feed-drop", seconds=0.5)), SILENT),
    "feed-drop": feed("feed-drop"),
    "feed-stall": feed("feed-stall", says=SILENT),
    "feed-mute": feed("feed-mute", says=SILENT),
    "feed-slow": feed("feed-slow"),
    "feed-split": feed("feed-split"),
    "feed-truncate": feed("feed-truncate", says=SILENT, counts="."),
    "feed-types": feed("feed-types", counts="malformed"),
    "feed-nan": feed("feed-nan", counts="malformed"),
    "feed-zero": feed("feed-zero", counts="malformed"),
    "feed-duplicate": feed("feed-duplicate"),
    "feed-reorder": feed("feed-reorder"),
    "feed-unknown": feed("feed-unknown", counts="channel"),
    "feed-huge": feed("feed-huge", says=SILENT, counts="too large"),
    "feed-lose": feed("feed-lose", share=0.3),
    "feed-kill": Row(
        (Fault("feed-kill", coin=COIN), Fault("feed-drop", seconds=0.5)), f"stream: .* of {COIN} is left", is_noted=True
    ),
    "skew": feed("skew"),
    "empty": Row((Fault("empty"),)),
    "shrink": Row((Fault("shrink"),)),
    "reorder": Row((Fault("reorder"),)),
    "unlisted": Row((Fault("unlisted", coin=COIN),)),
    "delisted": Row((Fault("delisted", coin=COIN),)),
}


# All rows take seven minutes: the suite has one of each sort, `make soak` has them all.
SHORT = ("refuse", "limited", "html", "feed-drop", "feed-mute", "unlisted", "delisted")
MINUTES = float(os.environ.get("HLPAIRS_SOAK", "0"))
LONG = (pytest.mark.soak, pytest.mark.skipif(not MINUTES, reason="a long run: `make soak`"))


def test_every_fault_that_there_is_has_a_row():
    assert set(ROWS) == {*REST_FAULTS, *FEED_FAULTS, *MARKET_FAULTS}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def living(tmp_path_factory) -> AsyncIterator[list[ResilienceWorld]]:
    """The one engine, until a row ends it: then the next."""
    worlds = [await ResilienceWorld(tmp_path_factory.mktemp("resilience")).open()]
    yield worlds
    await worlds[-1].close()


@pytest_asyncio.fixture(loop_scope="module")
async def world(living, tmp_path_factory) -> ResilienceWorld:
    living[-1].faults.clear()
    try:
        await living[-1].well(BOUND_SECONDS)
        if living[-1].wrong():
            raise AssertionError("an earlier row left something wrong behind")
    except AssertionError:
        await living[-1].close()
        living.append(await ResilienceWorld(tmp_path_factory.mktemp("resilience")).open())
        await living[-1].well(BOUND_SECONDS)
    return living[-1]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", [name if name in SHORT else pytest.param(name, marks=LONG) for name in ROWS])
async def test_a_fault_is_said_or_contained_then_over_and_nothing_is_lost(world, name):
    row = ROWS[name]
    bar = world.state.screened
    world.start(*row.faults)
    if row.says:
        took = await world.until(lambda: said(world, row.says), within=BOUND_SECONDS, what=f"it says {row.says!r}")
        assert world.source.health()["ok"] is row.is_noted
        assert re.search(row.says.split(": ", 1)[1], world.hub.page["told"])
    else:
        took = await world.until(
            lambda: world.state.screened - bar >= 2 * HOUR, within=BOUND_SECONDS, what="it goes on closing bars"
        )
    if row.counts:
        await world.until(lambda: counted(world, row.counts), within=BOUND_SECONDS, what=f"it counts {row.counts!r}")
    during = world.wrong()
    silence, published, texts = world.hub.longest_silence, world.hub.published, sorted(world.hub.said)
    world.faults.clear()
    recovery = await world.well(BOUND_SECONDS)
    print(f"\n| {name} | {took:.1f} | {recovery:.1f} | {world.hub.page['face']} | {'; '.join(texts)[:300]}")
    assert during == []
    assert world.wrong() == []
    assert published > 0
    assert silence < LONGEST_SILENCE, "answers went out all the time"


def said(world: ResilienceWorld, pattern: str) -> bool:
    return any(re.search(pattern, text) for text in world.hub.said)


def counted(world: ResilienceWorld, pattern: str) -> bool:
    return any(re.search(pattern, kind) for kind in world.stream.status().faults)
