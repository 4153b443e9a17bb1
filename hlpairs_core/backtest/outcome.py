from dataclasses import dataclass, fields
from typing import Any, Literal

import pandas as pd

from hlpairs_core._typing import Side

__all__ = ["ExitReason", "TradeOutcome"]

ExitReason = Literal["reverted", "horizon", "delisted", "data end", "no entry"]


@dataclass(frozen=True, kw_only=True)
class TradeOutcome:
    """What one simulated trade earned.

    All ``*_bps`` are basis points of the gross notional at entry (both legs together); costs are positive, funding
    is positive when received, and ``net = gross - fee - slippage + funding``.

    Attributes
    ----------
    y, x : str
        The legs.
    side_y, side_x : {"long", "short"}
        Their sides.
    entry_time, exit_time : pandas.Timestamp or None
        Times of the fills (UTC); None where the trade was never entered.
    hold_hours : float
        Between the fills; NaN where the trade was never entered.
    exit_reason : {"reverted", "horizon", "delisted", "data end", "no entry"}
        * "reverted": z came back to ``z_out``, or jumped beyond it to the other side
        * "horizon": the time stop
        * "delisted": a coin's data end before the panel's; left at the last close of both. Also said of a coin that
          is still listed and only lacks the panel's last bar, as later bars are not known
        * "data end": the panel ends; left at the last close
        * "no entry": no bar traded in both coins within the horizon, so nothing was earned or paid (NaN)
    gross_bps : float
        Price profit of both legs.
    fee_bps : float
        Four taker fills, each on its own notional.
    slippage_bps : float
        Four fills by the square-root law, each on its own notional.
    funding_bps : float
        Hourly funding of both legs.
    net_bps : float
        What is left.
    notional_usd : float
        Gross notional at entry (USD).
    entry_zscore, exit_zscore : float
        z at the closes that decided entry and exit.
    funding_assumed : bool
        Whether a missing rate was replaced by the cost model's assumption.
    """

    y: str
    x: str
    side_y: Side
    side_x: Side
    entry_time: pd.Timestamp | None
    exit_time: pd.Timestamp | None
    hold_hours: float
    exit_reason: ExitReason
    gross_bps: float
    fee_bps: float
    slippage_bps: float
    funding_bps: float
    net_bps: float
    notional_usd: float
    entry_zscore: float
    exit_zscore: float
    funding_assumed: bool

    def as_row(self) -> dict[str, Any]:
        """Return the attributes by name, as a row of a table."""
        return {field.name: getattr(self, field.name) for field in fields(self)}
