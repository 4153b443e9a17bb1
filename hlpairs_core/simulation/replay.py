import hashlib
import json
import logging
import time as wall
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hlpairs_core.exceptions import InputError, SettingsError
from hlpairs_core.intervals import interval_duration
from hlpairs_core.simulation.bars import BarHistory
from hlpairs_core.simulation.clock import MarketClock, milliseconds
from hlpairs_core.simulation.coins import Coin, margin_table_of
from hlpairs_core.simulation.market import RecordedHistory, SimulatedMarket
from hlpairs_core.simulation.recordings import read_bars, read_funding

__all__ = ["replay_market"]

_DEFAULT_RUN_MS = 14 * 86_400_000
# The part of a recording that a replay keeps behind it as history.
_LEAD_IN = 0.1
_METADATA = Path("protocol") / "meta_and_asset_ctxs.json"

logger = logging.getLogger(__name__)


def replay_market(
    folder: str | Path,
    interval: str = "1h",
    *,
    start: str | datetime | pd.Timestamp | None = None,
    speed: float = 1.0,
    clock: Callable[[], float] = wall.time,
) -> SimulatedMarket:
    """Return a market that replays recorded candles and funding.

    Parameters
    ----------
    folder : path
        Holds ``candles_<interval>.parquet`` (columns ``coin, time, open, high, low, close, volume``) and
        ``funding.parquet`` (``coin, time, funding_rate``). Metadata come from
        ``../protocol/meta_and_asset_ctxs.json``; a coin not found there gets 3x leverage and sizes
        with about as many decimals as its price has digits before the point.
    interval : str
        Which candles; finer ones are made up within them, coarser ones are aggregated.
    start : str, datetime or pandas.Timestamp, optional
        Market time at which the replay starts. By default 14 days before the recording ends, or half its
        span where that is shorter. The first tenth of the recording stays behind as history.
    speed : float
        Market seconds per wall second.
    clock : callable
        Wall time in seconds since the epoch.

    Returns
    -------
    SimulatedMarket
        Its clock stops where the recording ends. Recorded rows are kept as they are, bars from before a
        listing included; bars missing inside a coin's life are flat and without volume.

    Raises
    ------
    InputError
        If a file is missing, unreadable or holds values no exchange sends.
    SettingsError
        If the interval, the start or the speed is not allowed.
    """
    files = _files(Path(folder), interval)
    names, bars = read_bars(files[0], int(interval_duration(interval).total_seconds() * 1000))
    begin = _start(bars, start)
    metadata = _metadata(Path(folder).parent / _METADATA)
    order = _asset_order(names, bars, list(metadata))
    bars, names = _select(bars, order), tuple(names[column] for column in order)
    funding = read_funding(files[1], names)
    digest = _digest(files)
    return SimulatedMarket(
        kind="replay",
        name=f"replay-{interval}-{digest}",
        # Made last, so that a fast market does not run away while it loads.
        clock=MarketClock(begin, speed, clock, end=pd.Timestamp(bars.end_ms, unit="ms")),
        coins=_listings(names, bars, metadata),
        history=RecordedHistory(bars, funding),
        seed=int(digest, 16),
    )


def _files(folder: Path, interval: str) -> list[Path]:
    """Where candles and funding are recorded."""
    interval_duration(interval)
    if not folder.is_dir():
        raise InputError(f"no recordings: {folder} is not a folder (it should hold candles_{interval}.parquet)")
    return [folder / f"candles_{interval}.parquet", folder / "funding.parquet"]


def _start(bars: BarHistory, start: str | datetime | pd.Timestamp | None) -> pd.Timestamp:
    span = bars.end_ms - bars.start_ms
    if start is None:
        return pd.Timestamp(bars.end_ms - min(_DEFAULT_RUN_MS, span // 2), unit="ms", tz="UTC")
    first, chosen = bars.start_ms + int(_LEAD_IN * span), milliseconds(start)
    if not first <= chosen < bars.end_ms:
        earliest, end = (pd.Timestamp(edge, unit="ms", tz="UTC").isoformat() for edge in (first, bars.end_ms))
        raise SettingsError(f"the replay cannot start at {start}: choose a time from {earliest} to before {end}")
    return pd.Timestamp(chosen, unit="ms", tz="UTC")


def _metadata(path: Path) -> dict[str, Coin]:
    """Recorded metadata by coin, in the exchange's order; empty without a recording."""
    if not path.is_file():
        logger.info("no recorded metadata at %s: every coin gets default decimals and leverage", path)
        return {}
    try:
        universe = json.loads(path.read_bytes())[0]["response"][0]["universe"]
        return {entry["name"]: _coin(entry) for entry in universe}
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is no recorded metaAndAssetCtxs answer ({error!r}): repair or remove it") from error


def _listings(names: tuple[str, ...], bars: BarHistory, metadata: dict[str, Coin]) -> tuple[Coin, ...]:
    return tuple(
        metadata.get(name) or _default(name, bars.close[first, column])
        for column, (name, first) in enumerate(zip(names, bars.first, strict=True))
    )


def _coin(entry: dict[str, Any]) -> Coin:
    leverage = int(entry["maxLeverage"])
    return Coin(
        name=str(entry["name"]),
        size_decimals=int(entry["szDecimals"]),
        max_leverage=leverage,
        margin_table=int(entry.get("marginTableId", margin_table_of(leverage))),
        only_isolated=bool(entry.get("onlyIsolated", False)),
        margin_mode=entry.get("marginMode"),
    )


def _default(name: str, price: float) -> Coin:
    """Metadata for a coin that was never seen in `meta`."""
    decimals = int(np.clip(np.floor(np.log10(price)) + 1, 0, 5))
    return Coin(name, size_decimals=decimals, max_leverage=3, margin_table=margin_table_of(3))


def _asset_order(names: tuple[str, ...], bars: BarHistory, known: list[str]) -> list[int]:
    """Columns in the order of asset ids: as recorded, but coins listed during the replay come last.

    An asset id never changes, so that a coin which appears later must not push another one away.
    """
    lead_in = int(_LEAD_IN * bars.n_bars)
    place = {name: position for position, name in enumerate(known)}
    listed = np.where(bars.listed <= lead_in, 0, bars.listed)
    return sorted(
        range(len(names)), key=lambda column: (listed[column], place.get(names[column], len(place)), names[column])
    )


def _select(bars: BarHistory, columns: list[int]) -> BarHistory:
    arrays = (bars.open, bars.high, bars.low, bars.close, bars.volume)
    return BarHistory(bars.start_ms, bars.interval_ms, *(array[:, columns] for array in arrays))


def _digest(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:8]
