"""What a backtest writes down: orders, trades, and the equity after each bar."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from hlpairs_core._typing import FloatArray
from hlpairs_core.backtest.position import Exit, Position
from hlpairs_core.backtest.strategy import Signal

__all__ = ["Ledger"]

ORDER_COLUMNS = (
    "decided_at", "time", "action", "y", "x", "status", "reason", "units_y", "units_x", "price_y", "price_x",
    "fee_usd", "slippage_usd",
)  # fmt: skip
TRADE_COLUMNS = (
    "y", "x", "side_y", "side_x", "beta", "entry_time", "exit_time", "hold_hours", "exit_reason", "entry_zscore",
    "exit_zscore", "units_y", "units_x", "notional_usd", "turnover_usd", "gross_usd", "fee_usd", "slippage_usd",
    "funding_usd", "net_usd", "gross_bps", "fee_bps", "slippage_bps", "funding_bps", "net_bps", "rehedges",
    "funding_assumed",
)  # fmt: skip
EQUITY_COLUMNS = ("cash_usd", "unrealised_usd", "equity_usd", "gross_usd", "net_exposure_usd", "pairs")

_TIMES = ("decided_at", "time", "entry_time", "exit_time")


@dataclass(eq=False)
class Ledger:
    """Rows in the order in which things happened; `time` are the bars' opens."""

    time: pd.DatetimeIndex
    bar_hours: float
    orders: list[dict[str, Any]] = field(default_factory=list)
    trades: list[dict[str, Any]] = field(default_factory=list)
    equity: list[tuple[Any, ...]] = field(default_factory=list)

    def close_of(self, bar: int) -> pd.Timestamp:
        """Return the close of a bar."""
        return self.time[bar] + pd.Timedelta(hours=self.bar_hours)

    def refuse(self, signal: Signal, decided: int, time: pd.Timestamp, reason: str, status: str = "refused") -> None:
        """Write down an entry that did not become a trade."""
        row = {"decided_at": self.close_of(decided), "time": time, "action": "enter", "y": signal.y, "x": signal.x}
        self.orders.append(row | {"status": status, "reason": reason})

    def fill(
        self,
        position: Position,
        action: str,
        *,
        decided: int,
        time: pd.Timestamp,
        reason: str,
        change: FloatArray,
        price: FloatArray,
        costs: tuple[FloatArray, FloatArray],
    ) -> None:
        """Write down a fill of one or both legs."""
        fee, slippage = costs
        self.orders.append({
            "decided_at": self.close_of(decided), "time": time, "action": action, "y": position.signal.y,
            "x": position.signal.x, "status": "filled", "reason": reason, "units_y": change[0], "units_x": change[1],
            "price_y": price[0], "price_x": price[1], "fee_usd": float(fee.sum()),
            "slippage_usd": float(slippage.sum()),
        })  # fmt: skip

    def close(self, position: Position, left: Exit, time: pd.Timestamp) -> float:
        """Write down a trade that is over; return its net profit (USD)."""
        entry_time = self.time[position.entered]
        usd = {
            "gross": float(position.flow_usd.sum()),
            "fee": float(position.fee_usd.sum()),
            "slippage": float(position.slippage_usd.sum()),
            "funding": float(position.funding_usd.sum()),
        }
        usd["net"] = usd["gross"] - usd["fee"] - usd["slippage"] + usd["funding"]
        signal = position.signal
        self.trades.append({
            "y": signal.y, "x": signal.x, "side_y": signal.side_y, "side_x": signal.side_x, "beta": signal.beta,
            "entry_time": entry_time, "exit_time": time,
            "hold_hours": (time - entry_time) / pd.Timedelta(hours=1), "exit_reason": left.reason,
            "entry_zscore": position.entry_zscore, "exit_zscore": left.zscore, "units_y": position.entry_units[0],
            "units_x": position.entry_units[1], "notional_usd": position.notional_usd,
            "turnover_usd": position.turnover_usd, **{f"{name}_usd": value for name, value in usd.items()},
            **{f"{name}_bps": 1e4 * value / position.notional_usd for name, value in usd.items()},
            "rehedges": position.rehedges, "funding_assumed": position.assumed,
        })  # fmt: skip
        return usd["net"]

    def tables(self, first: int) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        """Return trades, equity and orders; `first` is the bar of the first row of equity."""
        times = self.time[first : first + len(self.equity)] + pd.Timedelta(hours=self.bar_hours)
        equity = np.array(self.equity, dtype=np.float64).reshape(len(self.equity), len(EQUITY_COLUMNS))
        return (
            _table(self.trades, TRADE_COLUMNS),
            pd.DataFrame(equity, index=times.rename("closed_at"), columns=list(EQUITY_COLUMNS)).astype({"pairs": int}),
            _table(self.orders, ORDER_COLUMNS),
        )


def _table(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> pd.DataFrame:
    """Make a table whose columns have the same types whatever is in it."""
    table = pd.DataFrame(rows, columns=list(columns))
    return table.astype({name: "datetime64[ms, UTC]" for name in _TIMES if name in columns})
