"""Parquet recordings as histories; nothing is repaired silently."""

from pathlib import Path

import numpy as np
import pandas as pd

from hlpairs_core._typing import BoolArray, FloatArray, IntArray
from hlpairs_core.exceptions import InputError
from hlpairs_core.simulation.bars import BarHistory, FundingHistory

__all__ = ["read_bars", "read_funding"]

_HOUR_MS = 3_600_000
_PRICES = ["open", "high", "low", "close"]
_MAX_CELLS = 50_000_000


def read_bars(path: Path, interval_ms: int) -> tuple[tuple[str, ...], BarHistory]:
    """Read recorded candles; return coin names and bars.

    Raises
    ------
    InputError
        If the file is missing, unreadable, empty, or holds values that cannot be candles.
    """
    frame = _read(path, ["coin", "time", *_PRICES, "volume"])
    names, columns = _coins(frame["coin"], path)
    times = _times(frame["time"], path)
    _require(times % interval_ms == 0, frame, path, "does not open on a multiple of its interval")
    values = frame[[*_PRICES, "volume"]].to_numpy(dtype=np.float64)
    low, high, body = values[:, 2], values[:, 1], values[:, [0, 3]]
    _require(np.isfinite(values).all(axis=1) & (low > 0), frame, path, "has a price that is not above 0")
    _require(values[:, 4] >= 0, frame, path, "has a negative volume")
    inside = (body.min(axis=1) >= low) & (body.max(axis=1) <= high)
    _require(inside, frame, path, "has an open or close outside low and high")
    rows = (times - times.min()) // interval_ms
    matrices = _matrices(values, rows, columns, len(names), path)
    return names, BarHistory(int(times.min()), interval_ms, *_without_holes(matrices))


def read_funding(path: Path, names: tuple[str, ...]) -> FundingHistory:
    """Read recorded funding of the named coins; others are left aside.

    Raises
    ------
    InputError
        If the file is missing, unreadable, empty, or holds values that cannot be funding.
    """
    frame = _read(path, ["coin", "time", "funding_rate"])
    frame = frame[frame["coin"].isin(names)]
    times = _times(frame["time"], path)
    rates = frame["funding_rate"].to_numpy(dtype=np.float64)
    _require(np.abs(rates) < 1, frame, path, "is not a rate between -1 and 1")
    columns = pd.Categorical(frame["coin"].astype(str), categories=list(names)).codes.astype(np.int64)
    start = int(times.min()) // _HOUR_MS * _HOUR_MS if len(times) else 0
    rows = (times - start) // _HOUR_MS
    both = np.column_stack([rates, times.astype(np.float64)])
    rate, settled = _matrices(both, rows, columns, len(names), path)
    return FundingHistory(start, rate, np.nan_to_num(settled).astype(np.int64))


def _read(path: Path, columns: list[str]) -> pd.DataFrame:
    if not path.is_file():
        raise InputError(f"no recording at {path}")
    try:
        frame = pd.read_parquet(path)
    except Exception as error:  # whatever a broken file makes the reader raise
        raise InputError(f"cannot read {path}: {error}") from error
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise InputError(f"{path} lacks the columns {', '.join(missing)}: it has {', '.join(map(str, frame.columns))}")
    if frame.empty:
        raise InputError(f"{path} has no rows")
    try:
        return frame[columns].astype(dict.fromkeys(columns[2:], np.float64))
    except (TypeError, ValueError) as error:
        raise InputError(f"{path} has a column that is not numeric: {error}") from error


def _coins(column: pd.Series, path: Path) -> tuple[tuple[str, ...], IntArray]:
    categories = column.astype(str).astype("category") if column.dtype != "category" else column
    if categories.isna().any():
        raise InputError(f"{path} has rows without a coin")
    used = categories.cat.remove_unused_categories()
    return tuple(map(str, used.cat.categories)), used.cat.codes.to_numpy(dtype=np.int64)


def _times(column: pd.Series, path: Path) -> IntArray:
    try:
        stamps = pd.DatetimeIndex(pd.to_datetime(column, utc=True))
    except (TypeError, ValueError) as error:
        raise InputError(f"{path} has a time that cannot be read: {error}") from error
    if stamps.isna().any():
        raise InputError(f"{path} has rows without a time")
    times: IntArray = stamps.as_unit("ms").asi8
    return times


def _require(good: BoolArray, frame: pd.DataFrame, path: Path, problem: str) -> None:
    if not good.all():
        row = frame.iloc[int(np.argmin(good))]
        raise InputError(f"{path}: {int((~good).sum())} rows cannot be used; {row['coin']} at {row['time']} {problem}")


def _matrices(values: FloatArray, rows: IntArray, columns: IntArray, n_coins: int, path: Path) -> list[FloatArray]:
    """One (n_rows, n_coins) matrix for each column of values; NaN where there is no row."""
    n_rows = int(rows.max()) + 1 if len(rows) else 0
    if n_rows * n_coins > _MAX_CELLS:
        raise InputError(f"{path} spans {n_rows} bars of {n_coins} coins: too much to replay, or a wrong time in it")
    cells = rows * n_coins + columns
    taken = np.zeros(n_rows * n_coins, dtype=np.bool_)
    taken[cells] = True
    if np.count_nonzero(taken) < len(cells):
        raise InputError(f"{path} has two rows for one coin and time")
    out = []
    for column in values.T:
        matrix = np.full(n_rows * n_coins, np.nan)
        matrix[cells] = column
        out.append(matrix.reshape(n_rows, n_coins))
    return out


def _without_holes(matrices: list[FloatArray]) -> list[FloatArray]:
    """Give missing bars inside a coin's life the form in which the exchange sends bars without a trade."""
    close, volume = matrices[3], matrices[4]
    known = np.isfinite(close)
    alive = np.maximum.accumulate(known, axis=0) & np.maximum.accumulate(known[::-1], axis=0)[::-1]
    holes = alive & ~known
    if holes.any():
        carried = pd.DataFrame(close).ffill().to_numpy()
        for matrix in matrices[:4]:
            matrix[holes] = carried[holes]
        volume[holes] = 0.0
    return matrices
