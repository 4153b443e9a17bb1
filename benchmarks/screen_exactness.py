"""All pairs of recorded coins, each engine against statsmodels."""

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
        differences = _compare(engle_granger_pairs(prices, trend=trend, accelerate=accelerate), expected)
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


def _statsmodels(y: FloatArray, x: FloatArray, trend: Trend) -> tuple[float, float, int]:
    t, p, _ = coint(y, x, trend=trend, autolag="aic")
    design = np.column_stack([x, np.ones(len(x)), np.arange(len(x))][: 2 + (trend == "ct")])
    residual = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    return float(t), float(p), int(adfuller(residual, regression="n", autolag="aic", result_object=True).lags)
