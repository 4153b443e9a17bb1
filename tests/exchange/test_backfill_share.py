"""How much of the allowed weight a backfill of the whole exchange uses, in virtual time."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from functools import partial

import pytest
from exchange_doubles import NOON, in_virtual_time, virtual_time

from hlpairs_core.exchange import Priority, WeightBudget
from hlpairs_core.exchange.requests import InfoRequest, all_mids, candle_snapshot, funding_history

HOUR_MS = 3_600_000
COINS, BARS, PAGES, WORKERS = 190, 5000, 10, 8


class CountingExchange:
    """Takes a while to answer and counts weight, as the exchange does, somewhere between question and answer."""

    def __init__(self, budget: WeightBudget, seconds: float) -> None:
        self.budget, self.seconds = budget, seconds
        self.rng = random.Random(3)
        self.counted: list[tuple[float, float, int]] = []  # asked, answered, weight
        self.longest_wait = 0.0

    async def ask(self, request: InfoRequest, rows: int, priority: Priority = Priority.BACKGROUND) -> None:
        before = virtual_time()
        charge = await self.budget.spend(request.weight(request.rows_expected), priority)
        asked = virtual_time()
        if priority is Priority.URGENT:
            self.longest_wait = max(self.longest_wait, asked - before)
        await asyncio.sleep(self.seconds * self.rng.uniform(0.5, 1.5))
        self.budget.settle(charge, request.weight(rows))
        self.counted.append((asked, virtual_time(), request.weight(rows)))

    def share(self) -> float:
        """Return the weight used, as a fraction of what was allowed from the first question to the last answer."""
        minutes = (self.counted[-1][1] - self.counted[0][0]) / 60
        return sum(weight for *_, weight in self.counted) / (1200 * minutes)

    def fullest_minute(self) -> float:
        fullest = 0
        for pick in (0, 1):
            ordered = sorted((entry[pick], entry[2]) for entry in self.counted)
            first = total = 0
            for end, weight in ordered:
                total += weight
                while ordered[first][0] <= end - 60 + 1e-6:
                    total -= ordered[first][1]
                    first += 1
                fullest = max(fullest, total)
        return fullest


async def candles_of(exchange: CountingExchange, rows: int) -> None:
    end = NOON * 1000
    await exchange.ask(candle_snapshot("BTC", "1h", end - (BARS - 1) * HOUR_MS, end), rows)


async def funding_of(exchange: CountingExchange, rows: int) -> None:
    pages, rest = divmod(rows, 500)
    for page in [500] * min(pages, PAGES) + [rest] * (rest > 0):
        await exchange.ask(funding_history("BTC", 0, None), page)


Work = Callable[[CountingExchange], Awaitable[None]]


def candles_then_funding(rows: list[int]) -> list[Work]:
    return [partial(job, rows=n) for job in (candles_of, funding_of) for n in rows]


def coin_by_coin(rows: list[int]) -> list[Work]:
    return [partial(job, rows=n) for n in rows for job in (candles_of, funding_of)]


def backfill(work: list[Work], *, seconds: float, ticks: bool = False) -> CountingExchange:
    """Do the work with eight workers; with `ticks`, ask for all mids each second meanwhile."""

    async def main() -> None:
        queue = iter(work)

        async def worker() -> None:
            for job in queue:
                await job(exchange)

        async def tick() -> None:
            while True:
                await exchange.ask(all_mids(), 0, Priority.URGENT)
                await asyncio.sleep(1)

        exchange = CountingExchange(WeightBudget(clock=virtual_time), seconds)
        result.append(exchange)
        ticking = asyncio.create_task(tick()) if ticks else None
        await asyncio.gather(*(worker() for _ in range(WORKERS)))
        if ticking is not None:
            ticking.cancel()

    result: list[CountingExchange] = []
    in_virtual_time(main)
    return result[0]


FULL = [BARS] * COINS
# As on the exchange: a third of the coins were listed lately, so that their candles were overestimated by far.
MIXED = [BARS if coin % 3 else 200 + 20 * coin for coin in range(COINS)]


@pytest.mark.parametrize("rows", [FULL, MIXED], ids=["full", "some listed lately"])
@pytest.mark.parametrize("order", [candles_then_funding, coin_by_coin])
@pytest.mark.parametrize("ticks", [False, True], ids=["alone", "beside ticks"])
def test_a_backfill_uses_at_least_nineteen_twentieths_of_the_limit_and_delays_no_tick(
    rows: list[int], order: Callable[[list[int]], list[Work]], ticks: bool
):
    exchange = backfill(order(rows), seconds=0.4, ticks=ticks)
    assert exchange.fullest_minute() <= 1200
    assert exchange.share() >= 0.95
    assert exchange.longest_wait < 0.5


def test_slow_answers_cost_little_of_it():
    # Each counts from its question until a minute after its answer, as nobody knows when the exchange counts it.
    exchange = backfill(coin_by_coin(FULL), seconds=1.5)
    assert exchange.fullest_minute() <= 1200
    assert exchange.share() >= 0.95 * 60 / 61.5
