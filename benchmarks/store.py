"""Speed of reading, storing and merging a year's history, and what a day takes on the disk."""

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd

from benchmarks.report import Report
from hlpairs_core.store import (
    CandleStore,
    FundingStore,
    MinuteStore,
    ScreenHistory,
    Screens,
    ScreenTable,
    SegmentStore,
)
from hlpairs_core.store.pair_rows import NUMBERS, ROW

N_COINS = 190
N_BARS = 5000
N_LIVE = 60
WINDOW = 385
COINS_A_SEGMENT = 24
ROUNDS = 15
START = pd.Timestamp("2025-01-01T00:00Z")
MINUTES_A_DAY = 1440
SCREENS_A_DAY = 24
SCREENED_DAYS = 30
LOOK_UPS = 25
PLAIN = str.maketrans({" ": "_", ",": None, "'": None})


def run(data: Path | None) -> Report:
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        rows, numbers = _speed(Path(folder), rng)
    with tempfile.TemporaryDirectory() as folder:
        sizes = {"minutes": _stored_mb(MinuteStore(Path(folder)), _minutes(rng))}
    if data is not None:
        with tempfile.TemporaryDirectory() as folder:
            sizes |= _recorded_mb(data, Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        screen_rows, screen_numbers = _screens(Path(folder), rng)
    rows, numbers = rows + screen_rows, numbers | screen_numbers
    rows += [(f"{name}, a day", f"{size:.2f} MB of {N_COINS} coins") for name, size in sizes.items()]
    return Report("store", rows, numbers | {f"{name.replace(' ', '_')}_mb_a_day": size for name, size in sizes.items()})


def _speed(folder: Path, rng: np.random.Generator) -> tuple[list[tuple[str, str]], dict[str, float]]:
    """Time a store filled as a backfill of all coins fills it, with some bars stored one by one since."""
    store, coins = CandleStore(folder, "1h"), [f"C{number}" for number in range(N_COINS)]
    prices = _prices(rng, N_BARS + N_LIVE)
    for first in range(0, N_COINS, COINS_A_SEGMENT):
        _append(store, prices[:N_BARS, first : first + COINS_A_SEGMENT], coins[first : first + COINS_A_SEGMENT], 0)
    storing = [
        _ms(lambda bar=bar: _append(store, prices[bar : bar + 1], coins, bar)) for bar in range(N_BARS, len(prices))
    ]
    last = START + (len(prices) - 1) * pd.Timedelta(hours=1)

    def window(store: SegmentStore) -> None:
        assert len(store.read(coins, last - (WINDOW - 1) * pd.Timedelta(hours=1), last)) == WINDOW * N_COINS

    times = {
        "store a bar": storing,
        "open": [_ms(lambda: CandleStore(folder, "1h")) for _ in range(ROUNDS)],
        "first read of the window": [_fresh_ms(folder, window) for _ in range(ROUNDS)],
        "later reads of the window": [_ms(lambda: window(store)) for _ in range(ROUNDS)],
        "one coin's history, first": [_fresh_ms(folder, lambda store: store.read(["C7"])) for _ in range(ROUNDS)],
        "all history": [_fresh_ms(folder, lambda store: store.read()) for _ in range(3)],
        "merge 60 bars": [_ms(store.compact)],
        "first read, merged": [_fresh_ms(folder, window) for _ in range(ROUNDS)],
    }
    held = f"{N_COINS} coins, {N_BARS} bars and {N_LIVE} stored one by one; {store.report().bytes / 1e6:.1f} MB"
    rows = [("store", held), ("window", f"the last {WINDOW} bars of all coins")]
    rows += [(what, f"{median(one):.1f} ms (from {min(one):.1f} to {max(one):.1f})") for what, one in times.items()]
    return rows, {f"{what.translate(PLAIN)}_ms": median(one) for what, one in times.items()}


def _screens(folder: Path, rng: np.random.Generator) -> tuple[list[tuple[str, str]], dict[str, float]]:
    """Time a month of screens of all coins: how they are written, and how a pair is looked up."""
    screens, history = Screens(folder / "screens.sqlite"), ScreenHistory(folder / "screens.sqlite")
    tables = [_screen_table(rng, bar) for bar in range(SCREENS_A_DAY)]
    writing = []
    for bar in range(SCREENED_DAYS * SCREENS_A_DAY):
        closed_ms = (bar + 1) * 3_600_000
        table = replace(tables[bar % SCREENS_A_DAY], bar_ms=closed_ms - 3_600_000, closed_ms=closed_ms)
        writing.append(_ms(lambda table=table: screens.add(table, final=True)))
    screens.close()
    size = (folder / "screens.sqlite").stat().st_size / len(writing) / 1e6
    times = {"write a screen": writing}
    pairs = [rng.choice(N_COINS, 2, replace=False) for _ in range(LOOK_UPS)]
    found: list[int] = []
    times["look up a pair"] = [
        _ms(lambda y=y, x=x: found.append(len(history.pair(f"C{y}", f"C{x}")))) for y, x in pairs
    ]
    assert set(found) == {len(writing)}
    closes = [pd.Timestamp(0, tz="UTC") + pd.Timedelta(hours=bar + 1) for bar in range(ROUNDS)]
    times["read a screen"] = [_ms(lambda closed=closed: history.table(closed)) for closed in closes]
    held = f"{SCREENED_DAYS} days of {len(tables[0].rows):,} pairs an hour, {size:.2f} MB a screen"
    rows = [("screens", held)]
    rows += [(what, f"{median(one):.1f} ms (from {min(one):.1f} to {max(one):.1f})") for what, one in times.items()]
    numbers = {f"{what.translate(PLAIN)}_ms": median(one) for what, one in times.items()}
    return rows, numbers | {"mb_a_screen": size}


def _screen_table(rng: np.random.Generator, bar: int) -> ScreenTable:
    """A made-up screen, with numbers that are as hard to pack as those of random walks."""
    n_pairs = N_COINS * (N_COINS - 1) // 2
    rows = np.zeros(n_pairs, dtype=ROW)
    rows["y"], rows["x"] = np.triu_indices(N_COINS, k=1)
    rows["failed"] = rng.choice([1, 2, 3, 33, 35], n_pairs)
    for name in NUMBERS:
        rows[name] = rng.normal(size=n_pairs)
    rows["p_value"], rows["q_value"] = rng.random(n_pairs), 1.0
    rows["half_life_hours"] = rng.lognormal(3, 1, n_pairs)
    coins = tuple(f"C{number}" for number in range(N_COINS))
    said = {"asked": {}, "gates": (), "n_pairs": n_pairs, "expected_by_luck": 0.05 * n_pairs, "fee_bps": 9.0}
    return ScreenTable(
        bar_ms=bar,
        closed_ms=bar,
        coins=coins,
        rows=rows[rng.permutation(n_pairs)],
        qualifies=False,
        verdict="None.",
        **said,
    )


def _recorded_mb(data: Path, folder: Path) -> dict[str, float]:
    """Return what a day of recorded candles and funding takes, for as many coins as the exchange lists."""
    candles, funding = (pd.read_parquet(data / name) for name in ("candles_1h.parquet", "funding.parquet"))
    minutely = pd.read_parquet(data / "candles_1m.parquet")
    stores = {
        "candles of an hour": (CandleStore(folder, "1h"), candles, 24),
        "candles of a minute": (CandleStore(folder, "1m"), minutely, MINUTES_A_DAY),
        "funding": (FundingStore(folder), funding.assign(premium=funding["funding_rate"]), 24),
    }
    return {
        name: _stored_mb(store, rows) / len(rows) * N_COINS * a_day for name, (store, rows, a_day) in stores.items()
    }


def _stored_mb(store: SegmentStore, rows: pd.DataFrame) -> float:
    store.append(rows, [])
    return store.report().bytes / 1e6


def _minutes(rng: np.random.Generator) -> pd.DataFrame:
    """A made-up day: quotes of five significant digits, depth in cents, and trades in every other minute."""
    shape = (MINUTES_A_DAY, N_COINS)
    mid = _prices(rng, MINUTES_A_DAY)
    step = 10.0 ** (np.floor(np.log10(mid)) - 4)
    trades = rng.poisson(3, shape) * (rng.random(shape) < 0.5)
    volume = np.round(trades * rng.lognormal(3, 1, shape), 2)
    bought = np.round(volume * rng.random(shape), 2)
    numbers = {"bid": mid, "ask": mid + step, "trades": trades.astype(float), "buy_volume": bought}
    numbers |= {"sell_volume": volume - bought, "notional_usd": np.round(volume * mid, 2)}
    for side in ("bid", "ask"):
        numbers[f"{side}_size"] = np.round(rng.lognormal(3, 1, shape), 2)
        for bps in (10, 25, 50):
            numbers[f"{side}_depth_{bps}bps_usd"] = np.round(bps * rng.lognormal(8, 1, shape), 2)
    times = pd.date_range(START, periods=MINUTES_A_DAY, freq="min").as_unit("ms")
    coins = [f"C{number}" for number in range(N_COINS)]
    frame = pd.DataFrame({"coin": np.tile(coins, MINUTES_A_DAY), "time": np.repeat(times, N_COINS)})
    return frame.assign(**{name: values.ravel() for name, values in numbers.items()})


def _prices(rng: np.random.Generator, n_bars: int) -> np.ndarray:
    """Random walks of five significant digits."""
    logs = np.cumsum(0.01 * rng.standard_t(4, (n_bars, N_COINS)), axis=0) + rng.uniform(-9.0, 11.0, N_COINS)
    return _rounded(np.exp(logs))


def _rounded(numbers: np.ndarray) -> np.ndarray:
    digits = 10.0 ** (4 - np.floor(np.log10(numbers)))
    return np.round(numbers * digits) / digits


def _append(store: SegmentStore, closes: np.ndarray, coins: list[str], first: int) -> None:
    n_bars, n_coins = closes.shape
    times = (START + pd.to_timedelta(np.arange(first, first + n_bars), unit="h")).as_unit("ms")
    frame = pd.DataFrame({"coin": np.repeat(coins, n_bars), "time": np.tile(times, n_coins)})
    numbers = {"open": 0.999, "high": 1.004, "low": 0.996, "close": 1.0, "volume": 977.0}
    frame = frame.assign(**{name: _rounded(closes * factor).T.ravel() for name, factor in numbers.items()})
    store.append(frame, [(coin, times[0], times[-1]) for coin in coins])


def _fresh_ms(folder: Path, work: Callable[[SegmentStore], object]) -> float:
    """Time the first work of a store that was just opened."""
    store = CandleStore(folder, "1h")
    return _ms(lambda: work(store))


def _ms(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1e3
