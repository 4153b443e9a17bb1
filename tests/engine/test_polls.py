import asyncio

import httpx

from hlpairs_core.engine.polls import Polls


async def test_each_poll_brings_mids_and_the_market_s_time(world):
    world.now += 1234
    await world.polls.step()
    assert world.mids["BTC"] > 0
    assert world.state.stamp.received_at == world.now
    assert world.count("ticks_total") == 1
    assert len(world.state.seconds.frame(["BTC"])) == 0, "no coin is followed before the universe is known"
    await world.contexts.refresh()
    await world.polls.step()
    assert len(world.state.seconds.frame(["BTC"])) == 1


async def test_an_answer_that_does_not_come_is_given_up_and_told(world):
    never = asyncio.Event()

    async def stuck(_):
        await never.wait()

    world.wire.handle_async_request = stuck
    polls = Polls(
        world.client,
        state=world.state,
        metrics=world.metrics,
        moved=lambda _: None,
        answer_seconds=0.01,
        clock=world.clock,
        sleep=world.sleep,
    )
    await polls.step()
    (problem,) = world.state.problems.all()
    assert "allMids: no answer in 0.01 s" in problem["text"]
    assert world.count("exchange_errors_total") == 1


async def test_an_exchange_that_fails_and_comes_back_is_told_while_it_fails(world):
    world.wire.fault = lambda _: httpx.Response(502, text="<html>bad gateway</html>")
    await world.polls.step()
    assert [problem["source"] for problem in world.state.problems.all()] == ["exchange"]
    world.wire.fault = lambda _: None
    await world.polls.step()
    assert world.state.problems.all() == []
