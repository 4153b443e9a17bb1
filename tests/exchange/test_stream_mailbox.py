import asyncio
import itertools
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stream_doubles import NOON_MS, settle

from hlpairs_core.exceptions import InputError
from hlpairs_core.exchange import (
    CandleEvent,
    ContextEvent,
    Event,
    GapEvent,
    MidsEvent,
    QuarantineEvent,
    QuoteEvent,
    Subscription,
    Trade,
    TradesEvent,
)
from hlpairs_core.exchange.mailbox import Mailbox


def quote(coin: str = "BTC", bid: float = 99.0) -> QuoteEvent:
    return QuoteEvent(coin, NOON_MS, bid, 1.0, 101.0, 1.0, 0.0)


def trades(count: int = 1, coin: str = "BTC") -> TradesEvent:
    return TradesEvent(coin, tuple(Trade(NOON_MS, 100.0, 1.0, True, tid) for tid in range(count)), 0.0)


def candle(index: int, *, is_closed: bool, volume: float = 1.0, corrects: bool = False) -> CandleEvent:
    return CandleEvent(
        coin="BTC",
        interval="1m",
        time_ms=NOON_MS + index * 60_000,
        open=1.0,
        high=1.0,
        low=1.0,
        close=1.0,
        volume=volume,
        trades=1,
        is_closed=is_closed,
        is_confirmed=False,
        corrects=corrects,
        source="stream",
        received_at=0.0,
    )


async def drain(mailbox: Mailbox, events: AsyncIterator[Event]) -> list[Any]:
    return [await anext(events) for _ in range(len(mailbox))]


async def test_of_what_has_a_newest_only_the_newest_waits():
    mailbox = Mailbox(10)
    for event in (
        quote(bid=98.0),
        quote("ETH"),
        MidsEvent({"BTC": 1.0}, 0.0),
        ContextEvent("BTC", {}, 0.0),
        quote(bid=99.0),
        MidsEvent({"BTC": 2.0}, 0.0),
        ContextEvent("BTC", {"mark_price": 1.0}, 0.0),
        candle(0, is_closed=False, volume=1.0),
        candle(0, is_closed=False, volume=2.0),
    ):
        mailbox.put(event)
    assert mailbox.conflated == 4
    assert await drain(mailbox, mailbox.read()) == [
        quote(bid=99.0),
        quote("ETH"),
        MidsEvent({"BTC": 2.0}, 0.0),
        ContextEvent("BTC", {"mark_price": 1.0}, 0.0),
        candle(0, is_closed=False, volume=2.0),
    ]


async def test_what_counts_each_time_is_never_conflated():
    mailbox = Mailbox(1)
    gap = GapEvent(Subscription("bbo", "BTC"), 0.0, 1.0, True)
    held = QuarantineEvent(Subscription("bbo", "BTC"), "reason", 0.0)
    events = [trades(), trades(), candle(0, is_closed=True), candle(0, is_closed=True, corrects=True), gap, gap, held]
    for event in events:
        mailbox.put(event)
    assert await drain(mailbox, mailbox.read()) == events
    assert mailbox.conflated == 0


async def test_an_open_candle_never_overtakes_the_closed_one_before_it():
    mailbox = Mailbox(10)
    mailbox.put(candle(0, is_closed=False))
    mailbox.put(candle(0, is_closed=True))
    mailbox.put(candle(1, is_closed=False))
    mailbox.put(candle(0, is_closed=True, corrects=True))
    mailbox.put(candle(1, is_closed=False, volume=2.0))
    assert [(event.time_ms, event.is_closed) for event in await drain(mailbox, mailbox.read())] == [
        (NOON_MS, True),
        (NOON_MS + 60_000, False),
        (NOON_MS, True),
    ]


async def test_it_is_full_until_the_reader_has_caught_up_by_half():
    mailbox = Mailbox(10)
    for _ in range(3):
        mailbox.put(trades(3))
    assert not mailbox.is_full
    mailbox.put(trades(3))
    assert mailbox.is_full
    waiting = asyncio.create_task(mailbox.room())
    events = mailbox.read()
    await anext(events)
    await anext(events)
    await settle()
    assert mailbox.is_full
    assert not waiting.done()
    await anext(events)
    await waiting
    assert not mailbox.is_full


async def test_quotes_do_not_fill_it():
    mailbox = Mailbox(2)
    for number in range(1000):
        mailbox.put(quote(f"C{number}"))
    assert not mailbox.is_full
    assert len(mailbox) == 1000


async def test_the_reader_waits_for_events_and_reads_the_rest_after_the_end():
    mailbox = Mailbox(10)
    events = mailbox.read()
    waiting = asyncio.ensure_future(anext(events))
    await settle()
    assert not waiting.done()
    mailbox.put(trades())
    assert await waiting == trades()
    mailbox.put(quote())
    mailbox.close()
    assert [event async for event in events] == [quote()]


async def test_a_failure_reaches_the_reader_after_what_came_before_it():
    mailbox = Mailbox(10)
    mailbox.put(quote())
    mailbox.close(RuntimeError("broken"))
    mailbox.close()
    events = mailbox.read()
    assert await anext(events) == quote()
    with pytest.raises(RuntimeError, match="broken"):
        await anext(events)


async def test_there_is_one_reader():
    mailbox = Mailbox(10)
    mailbox.read()
    with pytest.raises(InputError, match="one reader"):
        mailbox.read()


async def test_a_reader_with_much_to_read_lets_others_run():
    mailbox, ran = Mailbox(10_000), []

    async def other() -> None:
        while True:
            ran.append(1)
            await asyncio.sleep(0)

    for number in range(5000):
        mailbox.put(quote(f"C{number}"))
    task = asyncio.create_task(other())
    await drain(mailbox, mailbox.read())
    task.cancel()
    assert len(ran) >= 9


MOVES = st.lists(st.sampled_from(["update", "close", "correct", "read", "quote", "trade"]), max_size=60)


@given(MOVES)
async def test_a_reader_of_any_speed_sees_candles_in_order_and_every_closed_one(moves: list[str]):
    mailbox, index, seen = Mailbox(5), 0, []
    events = mailbox.read()
    for number, move in enumerate(moves):
        if move == "update":
            mailbox.put(candle(index, is_closed=False, volume=number))
        elif move == "close":
            mailbox.put(candle(index, is_closed=True))
            index += 1
        elif move == "correct" and index:
            mailbox.put(candle(index - 1, is_closed=True, corrects=True))
        elif move == "quote":
            mailbox.put(quote(bid=float(number)))
        elif move == "trade":
            mailbox.put(replace(trades(), received_at=float(number)))
        elif move == "read" and len(mailbox):
            seen.append(await anext(events))
    seen += await drain(mailbox, events)
    candles = [event for event in seen if isinstance(event, CandleEvent) and not event.corrects]
    times = [event.time_ms for event in candles]
    assert times == sorted(times)
    assert sum(event.is_closed for event in candles) == index
    assert len([event for event in seen if isinstance(event, TradesEvent)]) == moves.count("trade")
    for event, after in itertools.pairwise(candles):
        assert not (event.is_closed and after.time_ms == event.time_ms)
    await events.aclose()  # type: ignore[attr-defined]
