"""Fetches history into the store without an engine, and shows how far it has come."""

import asyncio
import sys
from collections.abc import Awaitable, Callable

import pandas as pd
from tqdm import tqdm

from hlpairs_core.engine.contexts import by_liquidity
from hlpairs_core.engine.history import History
from hlpairs_core.engine.ingest import Ingest
from hlpairs_core.engine.opening import market_client, weight_budget
from hlpairs_core.engine.venue import choose_venue
from hlpairs_core.exceptions import ExchangeError, InputError, StoreNotWritable
from hlpairs_core.intervals import interval_duration
from hlpairs_core.settings import Settings
from hlpairs_core.store import FolderLock, finish_restore

__all__ = ["run_backfill"]


async def run_backfill(
    settings: Settings,
    *,
    coins: list[str] | None,
    bars: int,
    announce: Callable[[str], None],
    interval: str = "1h",
) -> None:
    """Fetch the newest `bars` closed candles and their funding, most liquid coins first; only what is missing.

    Raises
    ------
    EngineRunning
        If an engine works in the data folder: it fills in history itself.
    UnknownCoin, InputError
        If a coin is not listed.
    StoreNotWritable
        If what was fetched cannot be stored.
    ExchangeError
        If a coin could not be fetched; the others are stored.
    """
    with FolderLock(settings.data_dir, "engine"):
        finish_restore(settings.data_dir)
        venue = await choose_venue(settings)
        try:
            if venue.fallback:
                announce(f"! {venue.fallback}")
            async with market_client(venue, weight_budget(settings, venue.url)) as client:
                contexts = await client.contexts()
                assert client.stamp is not None
                wanted = by_liquidity(contexts) if coins is None else _listed(coins, contexts)
                history = History(settings.data_dir / client.stamp.name, interval)
                duration = interval_duration(interval)
                last = client.stamp.time.floor(duration) - duration
                ingest = Ingest(client, history)
                announce(f"{len(wanted)} coins, {bars} bars up to {last:%Y-%m-%d %H:%M} UTC -> {history.folder}")
                first = last - (bars - 1) * duration
                failed: dict[str, str] = {}
                try:
                    for name, fetch in (("candles", ingest.candles), ("funding", ingest.funding)):
                        failed |= await _round(name, fetch, wanted, first, last)
                finally:
                    trouble = history.flush()
                if trouble:
                    raise StoreNotWritable(trouble)
                if failed:
                    raise ExchangeError(f"{len(failed)} of {len(wanted)} coins are not complete: run it again")
        finally:
            if venue.simulator is not None:
                await asyncio.to_thread(venue.simulator.stop)


def _listed(coins: list[str], contexts: pd.DataFrame) -> list[str]:
    unknown = [coin for coin in coins if coin not in contexts.index]
    if unknown:
        raise InputError(f"the exchange lists no coin {unknown[0]!r}: names are case-sensitive, as BTC or kPEPE")
    return coins


async def _round(
    name: str,
    fetch: Callable[..., Awaitable[dict[str, str]]],
    coins: list[str],
    first: pd.Timestamp,
    last: pd.Timestamp,
) -> dict[str, str]:
    with tqdm(total=len(coins), desc=name, unit="coin") as bar:
        failed = await fetch(coins, first, last, progress=lambda done: bar.update(done - bar.n))
    for coin, reason in failed.items():
        tqdm.write(f"{coin}: {reason}", file=sys.stderr)
    return failed
