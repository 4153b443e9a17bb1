"""Recorded months as bars of several lengths, with every candidate of a walk-forward through them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from hlpairs_core.backtest import walk_forward
from hlpairs_core.edge import with_record
from hlpairs_core.intervals import interval_duration
from hlpairs_core.market import Panel
from hlpairs_core.screening import ScreenSettings

# Two weeks of bars, as the hourly screen has them; a quarter of an hour is fitted on as many bars.
LONGER = {"2h": (168, 3), "4h": (84, 2)}
QUARTER = ScreenSettings(interval="15m", horizon_hours=12.0)


@dataclass(frozen=True, eq=False)
class Market:
    """A panel, the candidates of its signal bars with outcomes and records, and the times of the bars."""

    panel: Panel
    settings: ScreenSettings
    rows: pd.DataFrame
    bars: pd.Series

    @property
    def n_bars(self) -> int:
        """Signal bars."""
        return len(self.bars)

    def between(self, start: pd.Timestamp, stop: pd.Timestamp) -> "Market":
        """Return the signals of a stretch of time; prices stay."""
        rows, bars = self.rows, self.bars
        return replace(
            self,
            rows=rows[(rows["signal_time"] >= start) & (rows["signal_time"] < stop)],
            bars=bars[(bars >= start) & (bars < stop)],
        )


def hourly_market(data: Path, *, every: int, folder: Path | None) -> Market:
    """Return the recorded perps; a folder keeps finished parts of the walk."""
    candles = pd.read_parquet(data / "candles_1h.parquet")
    return _market(candles, data, ScreenSettings(), every, None if folder is None else folder / "recorded")


def bar_markets(data: Path, hourly: Market, *, folder: Path | None) -> Iterator[Market]:
    """Return longer bars over an hourly market's stretch, and quarter hours of liquid coins from then on."""
    candles = pd.read_parquet(data / "candles_1h.parquet")
    for interval, (window, every) in LONGER.items():
        settings = ScreenSettings(interval=interval, window=window)
        place = None if folder is None else folder / f"recorded-{interval}"
        market = _market(resampled(candles, interval), data, settings, every, place)
        yield market.between(hourly.bars.iloc[0], hourly.bars.iloc[-1] + pd.Timedelta(milliseconds=1))
    five = pd.read_parquet(data / "candles_5m.parquet")
    place = None if folder is None else folder / "recorded-15m"
    market = _market(resampled(five, "15m"), data, QUARTER, 12, place)
    yield market.between(hourly.bars.iloc[0], market.panel.closed_at - pd.Timedelta(hours=25))


def resampled(candles: pd.DataFrame, interval: str) -> pd.DataFrame:
    """Return longer candles; the last of a coin may lack its end and is left out."""
    length = interval_duration(interval)
    opens = candles["time"].dt.floor(length)
    by = candles.sort_values(["coin", "time"]).assign(time=opens).groupby(["coin", "time"], sort=True, observed=True)
    longer = by.agg(
        open=("open", "first"), high=("high", "max"), low=("low", "min"), close=("close", "last"),
        volume=("volume", "sum"),
    ).reset_index()  # fmt: skip
    return longer[longer["time"] + length <= candles["time"].max()]


def _market(candles: pd.DataFrame, data: Path, settings: ScreenSettings, every: int, folder: Path | None) -> Market:
    panel = Panel.from_candles(candles, pd.read_parquet(data / "funding.parquet"), interval=settings.interval)
    walked = walk_forward(panel, settings=settings, every=every, resume=folder)
    rows = with_record(walked.rows, horizon_hours=settings.horizon_hours, bar_hours=settings.bar_hours)
    return Market(panel, settings, rows, walked.bars["signal_time"])
