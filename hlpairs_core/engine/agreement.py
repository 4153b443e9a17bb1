"""Holds the exchange's candles against bars built from its trades."""

import logging

import pandas as pd

from hlpairs_core.engine.metrics import Metrics
from hlpairs_core.engine.problems import Problems
from hlpairs_core.exchange.events import TradesEvent
from hlpairs_core.intervals import interval_duration
from hlpairs_core.market.trade_bars import TradeBar, TradeBars

__all__ = ["Agreement"]

log = logging.getLogger(__name__)

FIELDS = ("open", "high", "low", "close", "volume")


class Agreement:
    """Compares the closed candles of a bar with its trades; bars of which trades may have been missed are left out.

    A disagreement is counted, and the first is shown: it says that one of the two cannot be trusted.

    Parameters
    ----------
    interval : str
        Of the candles.
    problems : Problems
        Where the first disagreement is told.
    metrics : Metrics
        The instruments.
    """

    def __init__(self, interval: str, *, problems: Problems, metrics: Metrics) -> None:
        self._problems, self._metrics = problems, metrics
        self._bars = TradeBars(int(interval_duration(interval).total_seconds() * 1000))
        self._told = False

    def take(self, event: TradesEvent) -> None:
        """Take new trades of a coin."""
        self._bars.take(event.coin, event.trades)

    def bar(self, coin: str, time: int) -> TradeBar | None:
        """Return what trades say of a coin's bar that opens at `time` (milliseconds since 1970)."""
        return self._bars.bar(coin, time)

    def interrupt(self, coin: str) -> None:
        """Say that trades of a coin may have been missed."""
        self._bars.interrupt(coin)

    def keep_only(self, coins: list[str]) -> None:
        """Forget all coins but these."""
        self._bars.keep_only(coins)

    def compare(self, candles: pd.DataFrame) -> None:
        """Compare closed candles: ``coin, time, open, high, low, close, volume``."""
        for candle in candles.itertuples():
            built = self._bars.bar(candle.coin, int(candle.time.timestamp() * 1000))
            if built is None or not built.is_complete:
                continue
            self._metrics.bars_compared.inc()
            wrong = built.differences(**{name: getattr(candle, name) for name in FIELDS})
            if wrong:
                self._metrics.bars_mismatched.inc()
                values = (f"{name} {getattr(candle, name):g}, of trades {getattr(built, name):g}" for name in wrong)
                self._tell(f"the candle of {candle.coin} at {candle.time:%Y-%m-%d %H:%M}", "; ".join(values))

    def _tell(self, candle: str, difference: str) -> None:
        text = f"{candle} contradicts its trades: {difference}"
        if self._told:
            log.info("%s", text)
        else:
            self._told = True
            self._problems.note("trades", f"{text} (any others are counted in /metrics)")
