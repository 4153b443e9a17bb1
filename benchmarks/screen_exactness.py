"""All pairs of recorded coins, each engine against statsmodels and against extended precision."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from statsmodels.tsa.stattools import adfuller, coint

from hlpairs_core._typing import FloatArray, Trend
from hlpairs_core.stats import engle_granger_pairs

N_COINS, N_BARS, NEAR = 100, 672, 0.05


def measure(
    data: Path, trend: Trend, engines: Mapping[str, bool]
) -> tuple[list[tuple[str, str]], dict[str, float | int | str]]:
    """Return what differs between ours and statsmodels (which takes minutes): rows to read, and numbers."""
    prices = recorded(data)
    y, x = np.triu_indices(prices.shape[1], 1)
    expected = np.array([_statsmodels(prices[:, i], prices[:, j], trend) for i, j in zip(y, x, strict=True)])
    rows = [
        ("recorded prices", f"{prices.shape[1]} coins, last {len(prices)} hourly bars, {len(y):,} pairs, {trend!r}")
    ]
    numbers: dict[str, float | int | str] = {f"{trend}_recorded_pairs": len(y)}
    for name, accelerate in engines.items():
        frame = engle_granger_pairs(prices, trend=trend, accelerate=accelerate)
        differences = _compare(frame, expected) | {"max_t_extended": extended_difference(prices, trend, frame)}
        numbers |= {f"{trend}_{name}_{what}": value for what, value in differences.items()}
        rows.append((f"{name}, differences", ", ".join(f"{what} {value:.2g}" for what, value in differences.items())))
    rows.append(("pairs with p < 5 %", f"{(expected[:, 1] < NEAR).sum()}"))
    return rows, numbers


def recorded(folder: Path) -> FloatArray:
    """Log closes of the last hourly bars of the coins with the most turnover among those without a gap."""
    candles = pd.read_parquet(folder / "candles_1h.parquet", columns=["coin", "time", "close", "volume"])
    candles = candles[candles["time"] > candles["time"].max() - pd.Timedelta(hours=N_BARS)]
    wide = candles.pivot_table(index="time", columns="coin", values=["close", "volume"], observed=True)
    close = wide["close"].dropna(axis="columns")
    turnover = (close * wide["volume"][close.columns]).median()
    logs: FloatArray = np.log(close[turnover.nlargest(N_COINS).index].to_numpy())
    return logs


def _compare(frame: pd.DataFrame, expected: FloatArray) -> dict[str, float | int]:
    p = frame["p_value"].to_numpy()
    return {
        "max_t": float(np.abs(frame["t_stat"].to_numpy() - expected[:, 0]).max()),
        "max_p": float(np.abs(p - expected[:, 1]).max()),
        "lags": int((frame["lag"].to_numpy(dtype=float) != expected[:, 2]).sum()),
        "decisions": int(((p < NEAR) != (expected[:, 1] < NEAR)).sum()),
    }


def extended_difference(prices: FloatArray, trend: Trend, frame: pd.DataFrame) -> float:
    """Return the largest |Δt| against the same regressions in extended precision (``np.longdouble``)."""
    series = prices.astype(np.longdouble)
    series -= series.mean(axis=0)
    if trend == "ct":
        clock = np.arange(len(series), dtype=np.longdouble) - (len(series) - 1) / np.longdouble(2)
        series -= np.outer(clock, clock @ series / (clock @ clock))
    exact = [_extended(series[:, row.y], series[:, row.x], int(row.lag)) for row in frame.itertuples()]
    return float(np.abs(frame["t_stat"].to_numpy() - np.array(exact)).max())


def _extended(y: np.ndarray, x: np.ndarray, lag: int) -> np.longdouble:
    residual = y - x * (x @ y / (x @ x))
    residual /= np.sqrt(residual @ residual)
    moves = np.diff(residual)
    lagged = [moves[lag - k : len(moves) - k] for k in range(1, lag + 1)]
    design, target = np.column_stack([residual[lag:-1], *lagged]), moves[lag:]
    gram, first = design.T @ design, np.eye(lag + 1)[0]
    slopes, inverse = _refined(gram, design.T @ target), _refined(gram, first)
    rest = target - design @ slopes
    return slopes[0] / np.sqrt(rest @ rest / (len(target) - lag - 1) * inverse[0])


def _refined(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solve in double precision and correct the answer in extended precision until it stands."""
    answer, rough = np.zeros(len(right), dtype=np.longdouble), matrix.astype(float)
    for _ in range(5):
        answer = answer + np.linalg.solve(rough, (right - matrix @ answer).astype(float))
    return answer


def _statsmodels(y: FloatArray, x: FloatArray, trend: Trend) -> tuple[float, float, int]:
    t, p, _ = coint(y, x, trend=trend, autolag="aic")
    design = np.column_stack([x, np.ones(len(x)), np.arange(len(x))][: 2 + (trend == "ct")])
    residual = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    return float(t), float(p), int(adfuller(residual, regression="n", autolag="aic", result_object=True).lags)
