"""How fast a new data folder fills, against an exchange that enforces its limits.

Exchange (`benchmarks.watched_exchange`) and ``hlpairs engine`` are processes of their own, in real time. The share is
the weight that the exchange counted in the last 60 seconds, looked at each second from the second minute on until
the backfill ended, on average, over what is allowed; refusals are its answers 429. What was not reached within
BENCH_MINUTES (environment variable; everything takes about 100) is extrapolated from the weight that is left and
the weight per minute so far, and said to be.
"""

import os
import tempfile
import time
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.live import CLI, get, running
from benchmarks.report import Report

N_COINS = 190
PER_MINUTE = 1200
MINUTES = float(os.environ.get("BENCH_MINUTES", "110"))
LOOK_SECONDS = 1.0
WARM_SECONDS = 60.0
FIRST, ALL, CANDLES, EVERYTHING = "first screen", "windows of all coins", "all candles", "all funding"


def run(_data: Path | None) -> Report:
    """Watch one backfill."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        market = ("-m", "benchmarks.watched_exchange", str(N_COINS), "1", "limits")
        settings = {"HLPAIRS_REQUEST_WEIGHT_PER_MINUTE": str(PER_MINUTE)}
        with running(*market, log=folder / "exchange.log") as (address, _):
            began = time.monotonic()
            engine = (*CLI, "engine", "--market", address, "--data", str(folder / "data"))
            with running(*engine, log=folder / "engine.log", settings=settings) as (url, _):
                return _report(*_watch(address, url, began))


def _watch(address: str, url: str, began: float) -> tuple[dict[str, float], list[dict[str, int]], dict[str, Any]]:
    """Return when what was reached (seconds), what the exchange counted once a second, and the engine's status."""
    reached: dict[str, float] = {}
    counts: list[dict[str, int]] = []
    since, status = 0.0, dict[str, Any]()
    while EVERYTHING not in reached and since < 60 * MINUTES:
        time.sleep(LOOK_SECONDS)
        since, status = time.monotonic() - began, get(f"{url}/status")
        for what in _reached(status, get(f"{url}/pairs/top")["bar"], reached):
            reached.setdefault(what, since)
        if since > WARM_SECONDS:
            counts.append(get(f"{address}/weight"))
    return reached, counts, status | {"since": since}


def _reached(status: dict[str, Any], bar: dict[str, Any] | None, before: dict[str, float]) -> list[str]:
    if bar is None:
        return []
    stage, left = status["backfill"]["stage"], status["backfill"]["eta_seconds"]
    reached = [FIRST]
    if status["loading"] is None or ALL in before:
        reached.append(ALL)
    if ALL in reached and stage == "funding":
        reached.append(CANDLES)
    return [*reached, EVERYTHING] if CANDLES in before and left == 0 else reached


def _report(reached: dict[str, float], counts: list[dict[str, int]], status: dict[str, Any]) -> Report:
    pace, end, refused = mean(one["used"] for one in counts), status["since"], counts[-1]["refused"]
    left = status["backfill"]["weight_left"]
    numbers: dict[str, float | int | str] = {what.replace(" ", "_") + "_s": at for what, at in reached.items()}
    numbers |= {"share": pace / PER_MINUTE, "refused": refused, "weight_left": left, "watched_s": end}
    rows = [("market", f"{N_COINS} coins, {PER_MINUTE} weight a minute enforced; watched for {end:.0f} s")]
    rows += [(what, f"{seconds:.0f} s") for what, seconds in reached.items()]
    rows += [("weight used", f"{pace / PER_MINUTE:.1%} of what is allowed"), ("refusals", f"{refused}")]
    if EVERYTHING not in reached and ALL in reached:
        numbers["end_extrapolated_s"] = end + 60 * left / pace
        rows.append(("end, extrapolated", f"{numbers['end_extrapolated_s']:.0f} s: {left:,} weight is left"))
    return Report("backfill", rows, numbers)
