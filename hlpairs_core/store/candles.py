"""The stores of a market: its candles, its funding, and its minutes."""

from pathlib import Path

from hlpairs_core.intervals import interval_duration
from hlpairs_core.store.files import DISK, Files
from hlpairs_core.store.kinds import Kind
from hlpairs_core.store.series import SegmentStore

__all__ = ["CandleStore", "FundingStore", "MinuteStore"]

MINUTE_MS = 60_000
DAY_MS = 86_400_000
QUOTES = ("bid", "ask", "bid_size", "ask_size")
DEPTHS = tuple(f"{side}_depth_{bps}bps_usd" for bps in (10, 25, 50) for side in ("bid", "ask"))
TRADES = ("trades", "buy_volume", "sell_volume", "notional_usd")


class CandleStore(SegmentStore):
    """Closed candles of one interval: ``coin, time, open, high, low, close, volume``.

    Parameters
    ----------
    folder : pathlib.Path
        The market's folder; the segments lie in its sub-folder ``candles-<interval>``.
    interval : str
        Such as ``"1h"``.
    files : Files, optional
        What reads and changes the disk.
    """

    def __init__(self, folder: Path, interval: str, *, files: Files = DISK) -> None:
        length = int(interval_duration(interval).total_seconds() * 1000)
        kind = Kind(f"candles-{interval}", ("open", "high", "low", "close", "volume"))
        # Candles above a day need not open on multiples of their length since 1970: no rounding for them.
        step_ms = length if length <= DAY_MS else 1
        super().__init__(Path(folder) / kind.name, kind, step_ms=step_ms, files=files)
        self.interval = interval


class FundingStore(SegmentStore):
    """Hourly funding: ``coin, time`` (as sent, some milliseconds after the hour), ``funding_rate, premium``.

    The rate is a fraction per hour, the premium one of the oracle price: NaN where the exchange sent none, and in
    rows that were stored before it was kept.

    Parameters
    ----------
    folder : pathlib.Path
        The market's folder; the segments lie in its sub-folder ``funding``.
    files : Files, optional
        What reads and changes the disk.
    """

    def __init__(self, folder: Path, *, files: Files = DISK) -> None:
        kind = Kind("funding", ("funding_rate", "premium"), nullable=("premium",))
        super().__init__(Path(folder) / kind.name, kind, step_ms=1, files=files)


class MinuteStore(SegmentStore):
    """What the feed said, by minute and coin, ``time`` the minute's open.

    ``bid, ask`` are the last quotes of the minute in USD and ``bid_size, ask_size`` what stood there in coins;
    ``bid_depth_10bps_usd, ask_depth_10bps_usd`` (and 25, 50) are what the book held within so many bps of its mid.
    They are NaN where nothing was seen. ``trades`` counts the minute's trades, ``buy_volume, sell_volume`` are in
    coins by the side of the taker, ``notional_usd`` is their worth.

    Parameters
    ----------
    folder : pathlib.Path
        The market's folder; the segments lie in its sub-folder ``minutes``.
    files : Files, optional
        What reads and changes the disk.
    """

    def __init__(self, folder: Path, *, files: Files = DISK) -> None:
        kind = Kind("minutes", (*QUOTES, *DEPTHS, *TRADES), nullable=(*QUOTES, *DEPTHS))
        super().__init__(Path(folder) / kind.name, kind, step_ms=MINUTE_MS, files=files)
