"""How far forecasts of funding are off: the mean rate of the next hours, on recorded rates."""

from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.report import Report
from hlpairs_core._typing import FloatArray
from hlpairs_core.costs import INTEREST_PER_HOUR, FundingForecast

HOURS = (1, 8, 24, 48)
FIT_UNTIL = pd.Timestamp("2025-02-15", tz="UTC")
DAY = 24
# Forecasts a few hours apart hold nearly the same errors.
EVERY = 3


def run(data: Path | None) -> Report:
    """Compare the forecast with the last rate and the mean of the last day, after the months it was chosen on."""
    if data is None:
        return Report("funding", [("funding", "needs --data, a folder with funding.parquet")])
    time, rates = _hourly(data)
    start = int(time.searchsorted(FIT_UNTIL))
    rows = [
        ("mean absolute error, bps per hour", f"{'last rate':>12}{'24-h mean':>12}{'interest':>12}{'forecast':>12}")
    ]
    numbers: dict[str, float | int | str] = {"judged_from": str(FIT_UNTIL.date()), "coins": rates.shape[1]}
    for hours in HOURS:
        errors = _errors(rates, range(start, len(rates) - hours, EVERY), hours)
        rows.append((f"next {hours} h", "".join(f"{error:12.3f}" for error in errors.values())))
        numbers |= {f"{name}_{hours}h_bps": round(error, 4) for name, error in errors.items()}
    return Report("funding", rows, numbers)


def _hourly(data: Path) -> tuple[pd.DatetimeIndex, FloatArray]:
    rows = pd.read_parquet(data / "funding.parquet")
    rows["time"] = rows["time"].dt.floor("h")
    table = rows.drop_duplicates(["coin", "time"], keep="last").pivot(index="time", columns="coin")["funding_rate"]
    table = table.reindex(pd.date_range(table.index[0], table.index[-1], freq="h"))
    return pd.DatetimeIndex(table.index), table.to_numpy()


def _errors(rates: FloatArray, hours_judged: range, hours: int) -> dict[str, float]:
    """Mean absolute errors (bps per hour) where all of the last day and of what followed is known."""
    forecast = FundingForecast()
    found: dict[str, list[FloatArray]] = {"last": [], "day": [], "interest": [], "forecast": []}
    for now in hours_judged:
        past, later = rates[now - DAY : now], rates[now : now + hours]
        known = np.isfinite(past).all(axis=0) & np.isfinite(later).all(axis=0)
        past, truth = past[:, known], later[:, known].mean(axis=0)
        found["last"].append(np.abs(past[-1] - truth))
        found["day"].append(np.abs(past.mean(axis=0) - truth))
        found["interest"].append(np.abs(INTEREST_PER_HOUR - truth))
        found["forecast"].append(np.abs(forecast.mean_rate(past, hours) - truth))
    return {name: 1e4 * float(np.concatenate(errors).mean()) for name, errors in found.items()}
