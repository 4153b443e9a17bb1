"""From a tick at the exchange to the message at a reader, and what the engine uses meanwhile.

The exchange (`benchmarks.watched_exchange`), the engine and the reader are processes of their own on one machine. The
exchange looks at its market ten times a second and sends the best prices of each coin that changed, all others too.
About once a second the reader has it scale the prices of one leg of the leading pair by a tenth, at a random moment.

Latency is the time from when the exchange hands the first such tick to its socket until the reader has received the
first message of ``/ws/top`` in which the pair's z has jumped by more than `JUMP` (both by the machine's clock). It
holds all that lies between: both sockets, the engine's queue, and the tenth of a second in which it gathers moves.
"""

import asyncio
import json
import os
import random
import tempfile
import time
import urllib.request
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.live import CLI, Usage, get, metrics, running
from benchmarks.report import Report

N_COINS = 190
# At this pace of the market nearly all quotes change within a tenth of a second of wall time.
SPEED = 60.0
MINUTES = float(os.environ.get("BENCH_MINUTES", "5"))
JUMP = 0.5
# Seconds; on this machine the exchange may be asked without limit.
PATIENCE = 240.0
LOST_SECONDS = 5.0

Leg = tuple[str, str, str]


@dataclass(frozen=True)
class _Heard:
    at: float
    leg: Leg | None  # y and x of the leading pair, and its bar
    zscore: float | None


class _Reader:
    """Reads ``/ws/top`` and keeps what its newest messages said."""

    def __init__(self) -> None:
        self.heard: deque[_Heard] = deque(maxlen=500)
        self.messages = self.bytes = 0
        self.came = asyncio.Event()

    async def read(self, socket: ClientConnection) -> None:
        async for text in socket:
            at, said = time.time(), json.loads(text)
            row = said["top"] or said["nearest_miss"]
            leg = None if row is None else (row["y"], row["x"], said["bar"]["time"])
            self.heard.append(_Heard(at, leg, None if row is None else row["zscore"]))
            self.messages += 1
            self.bytes += len(text)
            self.came.set()

    async def jump_after(self, sent_at: float, before: _Heard) -> float | None:
        """Return when the first message came that shows the jump; None where the pair changed or none came."""
        assert before.zscore is not None
        while time.time() < sent_at + LOST_SECONDS:
            for one in [one for one in self.heard if one.at >= before.at]:
                if one.leg != before.leg or one.zscore is None:
                    return None
                if abs(one.zscore - before.zscore) > JUMP:
                    return one.at
            self.came.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self.came.wait(), LOST_SECONDS)
        return None


def run(_data: Path | None) -> Report:
    """Measure for `MINUTES` (environment variable BENCH_MINUTES) once the history is there, or `PATIENCE` has ended."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        exchange = ("-m", "benchmarks.watched_exchange", str(N_COINS), str(SPEED))
        with running(*exchange, log=folder / "exchange.log") as (address, exchange_pid):
            engine = (*CLI, "engine", "--market", address, "--data", str(folder / "data"))
            with running(*engine, log=folder / "engine.log") as (url, pid):
                complete = _until_complete(url, time.monotonic() + PATIENCE)
                report = asyncio.run(_measure(address, url, pid, exchange_pid))
    report.numbers["history_complete_before"] = complete
    return report


def _until_complete(url: str, deadline: float) -> bool:
    """Wait until all coins are screened; then until nothing is left to fetch, but no longer than to the deadline."""
    while (get(f"{url}/pairs/top")["bar"] or {}).get("coins", 0) < N_COINS * 0.8:
        time.sleep(1)
    while get(f"{url}/status")["backfill"]["eta_seconds"] != 0 and time.monotonic() < deadline:
        time.sleep(1)
    return time.monotonic() < deadline


async def _measure(address: str, url: str, pid: int, exchange_pid: int) -> Report:
    reader, latencies, lost = _Reader(), list[float](), 0
    first, exchange_first, before, ticks = Usage.of(pid), Usage.of(exchange_pid), metrics(url), time.monotonic()
    loads, peak = [os.getloadavg()[0]], 0.0
    async with connect(f"ws{url[4:]}/ws/top", max_size=None) as socket:
        reading = asyncio.create_task(reader.read(socket))
        while time.monotonic() < ticks + 60 * MINUTES:
            await asyncio.sleep(random.uniform(0.4, 1.4))
            latency = await _one(reader, address)
            if latency is None:
                lost += 1
            else:
                latencies.append(1000 * latency)
            loads.append(os.getloadavg()[0])
            peak = max(peak, (await asyncio.to_thread(Usage.of, pid)).all_mib)
        reading.cancel()
    numbers = _numbers(np.array(latencies), lost, reader, first, Usage.of(pid), before, metrics(url))
    used = Usage.of(exchange_pid)
    numbers["exchange_cpu_percent"] = 100 * (used.own_cpu - exchange_first.own_cpu) / (used.at - exchange_first.at)
    numbers |= {"peak_mib": peak, "load_mean": float(np.mean(loads)), "load_max": max(loads)}
    return Report("latency", _rows(numbers), numbers)


async def _one(reader: _Reader, address: str) -> float | None:
    """Mark a leg of the leading pair; return the seconds until a message shows it, None where the pair changed."""
    if not reader.heard or reader.heard[-1].leg is None or reader.heard[-1].zscore is None:
        return None
    before = reader.heard[-1]
    assert before.leg is not None
    said = await asyncio.to_thread(_post, f"{address}/mark?coin={before.leg[0]}")
    at = None if said["sent_at"] is None else await reader.jump_after(said["sent_at"], before)
    return None if at is None else at - said["sent_at"]


def _post(url: str) -> Any:
    with urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=30) as reply:
        return json.load(reply)


def _numbers(
    latency: np.ndarray[Any, Any],
    lost: int,
    reader: _Reader,
    first: Usage,
    last: Usage,
    before: dict[str, float],
    after: dict[str, float],
) -> dict[str, float | int | str]:
    seconds = last.at - first.at
    ticks = after["hlpairs_ticks_total"] - before["hlpairs_ticks_total"]
    quantiles = dict(zip(("median", "p90", "p99", "max"), np.quantile(latency, [0.5, 0.9, 0.99, 1]), strict=True))
    return {
        "coins": N_COINS,
        "minutes": seconds / 60,
        "marks": len(latency),
        "marks_left_out": lost,
        **{f"{name}_ms": float(value) for name, value in quantiles.items()},
        "messages_per_second": reader.messages / seconds,
        "bytes_per_message": reader.bytes / max(1, reader.messages),
        "quotes_taken_per_second": ticks / seconds,
        "stream_messages_per_second": (after["hlpairs_stream_messages"] - before["hlpairs_stream_messages"]) / seconds,
        "quotes_conflated_per_second": (after["hlpairs_stream_conflated"] - before["hlpairs_stream_conflated"])
        / seconds,
        "bars": after["hlpairs_bars_total"] - before["hlpairs_bars_total"],
        "engine_cpu_percent": 100 * (last.own_cpu - first.own_cpu) / seconds,
        "engine_and_worker_cpu_percent": 100 * (last.all_cpu - first.all_cpu) / seconds,
        "engine_mib_first": first.own_mib,
        "engine_mib_last": last.own_mib,
        "engine_and_worker_mib_last": last.all_mib,
    }


def _rows(n: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        ("market", f"{n['coins']} coins at {SPEED:g} times the pace, {n['minutes']:.1f} min, {n['bars']:.0f} bars"),
        (
            "tick to message",
            f"median {n['median_ms']:.0f} ms, p90 {n['p90_ms']:.0f}, p99 {n['p99_ms']:.0f}, max {n['max_ms']:.0f} "
            f"({n['marks']} ticks; {n['marks_left_out']} left out as the pair changed)",
        ),
        ("/ws/top", f"{n['messages_per_second']:.1f} messages/s of {n['bytes_per_message'] / 1000:.0f} kB"),
        (
            "stream",
            f"{n['stream_messages_per_second']:.0f} messages/s; quotes: {n['quotes_taken_per_second']:.0f}/s taken, "
            f"{n['quotes_conflated_per_second']:.1f}/s conflated",
        ),
        (
            "processor",
            f"engine {n['engine_cpu_percent']:.0f} % of a core, with its worker "
            f"{n['engine_and_worker_cpu_percent']:.0f} %; exchange {n['exchange_cpu_percent']:.0f} %",
        ),
        (
            "memory",
            f"engine {n['engine_mib_first']:.0f} -> {n['engine_mib_last']:.0f} MiB, with its worker "
            f"{n['engine_and_worker_mib_last']:.0f} (at most {n['peak_mib']:.0f})",
        ),
        ("load of the machine", f"mean {n['load_mean']:.1f}, at most {n['load_max']:.1f}"),
    ]
