"""Candles of the newest bars that the exchange has not confirmed yet: screened, never stored."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
import pandas as pd

from hlpairs_core.engine.history import History, Range
from hlpairs_core.exchange.events import CandleEvent
from hlpairs_core.intervals import interval_duration
from hlpairs_core.market.trade_bars import TradeBar

__all__ = ["Candle", "Provisional", "candle_frame", "provisional_candle", "to_ms"]

FIELDS = ["open", "high", "low", "close", "volume"]
PRICES = FIELDS[:4]
# Sums of thousands of floats; prices are compared as they were sent.
VOLUME_TOLERANCE = 1e-9
# A bar of all coins is 250. More wait only where the exchange does not answer for a week.
KEPT_AT_MOST = 50_000

Candle: TypeAlias = CandleEvent | TradeBar


def provisional_candle(seen: CandleEvent | None, traded: TradeBar | None) -> Candle | None:
    """Return the best guess at a bar that is over; None where there is none, or where feed and trades disagree.

    Parameters
    ----------
    seen : CandleEvent, optional
        The feed's candle of the bar, as it was pushed last: it may lack trades of the bar's last second.
    traded : TradeBar, optional
        What the trades that were seen make of the bar.
    """
    if traded is None:
        return seen
    if traded.is_complete:
        # A bar without trades is left out: which price it repeats is for the exchange to say.
        return traded if traded.trades and (seen is None or _begins(seen, traded)) else None
    if seen is None:
        return None
    # Trades of the bar's beginning were missed, as after a start in its middle; those of its end were not.
    return replace(
        seen, high=max(seen.high, traded.high), low=min(seen.low, traded.low), close=traded.close,
        volume=max(seen.volume, traded.volume),
    )  # fmt: skip


def _begins(seen: CandleEvent, traded: TradeBar) -> bool:
    """Whether a candle can be a beginning of what was traded."""
    inside = traded.low <= seen.low and seen.high <= traded.high and traded.open == seen.open
    return inside and seen.volume <= traded.volume * (1 + VOLUME_TOLERANCE)


class Provisional:
    """Keeps them until the history has the exchange's own.

    One task changes it; others, in other threads too, may read it meanwhile.

    Parameters
    ----------
    history : History
        Of this market.
    """

    def __init__(self, history: History) -> None:
        self._history = history
        self._step = interval_duration(history.interval)
        # Another dictionary with each change: one may be walked through in another thread.
        self._kept: Mapping[tuple[str, int], Candle] = {}

    def __contains__(self, key: tuple[str, int]) -> bool:
        """Whether there is one of a coin and an open (milliseconds since 1970)."""
        return key in self._kept

    def take(self, candles: Iterable[Candle]) -> None:
        """Keep these; the oldest are forgotten where there are too many, and fetched again."""
        kept = {**self._kept, **{(one.coin, _open_ms(one)): one for one in candles}}
        self._kept = dict(list(kept.items())[-KEPT_AT_MOST:])

    def covers(self, coin: str, hole: Range) -> bool:
        """Whether there is one of every bar of a hole."""
        kept, step = self._kept, int(self._step.total_seconds() * 1000)
        return all((coin, time) in kept for time in range(to_ms(hole[0]), to_ms(hole[1]) + 1, step))

    def coins(self, coins: Sequence[str], first: pd.Timestamp, last: pd.Timestamp) -> list[str]:
        """Return those of the coins that have one among the bars that open in ``first … last``."""
        within = {coin for coin, time in self._kept if to_ms(first) <= time <= to_ms(last)}
        return [coin for coin in coins if coin in within]

    def read(self, coins: Sequence[str], first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
        """Return the candles that open in ``first … last``: of the history, and over what it lacks the provisional."""
        stored = self._history.candles.read(coins, first, last)
        wanted = set(coins)
        over = {
            key: one
            for key, one in self._kept.items()
            if key[0] in wanted and to_ms(first) <= key[1] <= to_ms(last) and not self._is_held(*key)
        }
        if not over:
            return stored
        both = pd.concat([stored.astype({"coin": "str"}), candle_frame(over)[stored.columns].astype({"coin": "str"})])
        return both.drop_duplicates(["coin", "time"], keep="last").sort_values(["coin", "time"], ignore_index=True)

    def settle(self) -> bool:
        """Let go of those that the history has by now; return whether the exchange says otherwise of any."""
        settled = {key: one for key, one in self._kept.items() if self._is_held(*key)}
        if not settled:
            return False
        guessed = candle_frame(settled)
        coins, times = guessed["coin"].unique().tolist(), guessed["time"]
        said = self._history.candles.read(coins, times.min(), times.max())
        self._kept = {key: one for key, one in self._kept.items() if key not in settled}
        both = guessed.merge(said.astype({"coin": "str"}), on=["coin", "time"], how="left", suffixes=("", "_said"))
        prices = both[PRICES].to_numpy() == both[[f"{name}_said" for name in PRICES]].to_numpy()
        volumes = np.isclose(both["volume"], both["volume_said"], rtol=VOLUME_TOLERANCE, atol=VOLUME_TOLERANCE)
        return not (prices.all() and volumes.all())

    def _is_held(self, coin: str, time_ms: int) -> bool:
        opened = pd.Timestamp(time_ms, unit="ms", tz="UTC")
        return not self._history.candles.missing(coin, opened, opened)


def candle_frame(candles: Mapping[tuple[str, int], Candle]) -> pd.DataFrame:
    """Return candles by coin and open (milliseconds since 1970) as rows of the store."""
    values = [[getattr(candle, name) for name in FIELDS] for candle in candles.values()]
    frame = pd.DataFrame(values, columns=FIELDS, dtype="float64")
    frame.insert(0, "coin", [coin for coin, _ in candles])
    frame.insert(1, "time", pd.to_datetime([time for _, time in candles], unit="ms", utc=True).as_unit("ms"))
    return frame


def to_ms(time: pd.Timestamp) -> int:
    """Return a time as milliseconds since 1970."""
    return int(time.timestamp() * 1000)


def _open_ms(candle: Candle) -> int:
    return candle.time if isinstance(candle, TradeBar) else candle.time_ms
