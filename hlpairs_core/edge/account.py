"""What trades brought, part by part, with the worst of them and an interval."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from hlpairs_core._typing import FloatArray
from hlpairs_core.costs import check_number
from hlpairs_core.edge.blocks import block_bootstrap, time_blocks
from hlpairs_core.edge.grid import check_columns
from hlpairs_core.metrics import MeanAndTail, mean_and_tail

__all__ = ["Account", "account_of", "mean_interval"]

_PARTS = ("gross", "fee", "slippage", "funding")
NEEDED = ("signal_time", *(f"realised_{name}_bps" for name in _PARTS))


@dataclass(frozen=True, kw_only=True)
class Account:
    """Means over trades, in bps of gross notional; NaN without trades.

    Attributes
    ----------
    n, n_unknown : int
        Trades counted, and those left out because an amount is unknown or no order was filled.
    none_share : float
        Share of signal bars at which nothing was traded; NaN where their number was not given.
    gross_bps, fee_bps, slippage_bps, funding_bps : float
        Costs positive, funding positive when received.
    net : MeanAndTail
        Gross less costs plus funding, with the mean of the worst 5 %.
    low_bps, high_bps : float
        90 % interval of the mean net, from whole blocks of time; NaN with fewer than two, too narrow with few.
    n_blocks : int
        Blocks of time with a trade.
    """

    n: int
    n_unknown: int
    none_share: float
    gross_bps: float
    fee_bps: float
    slippage_bps: float
    funding_bps: float
    net: MeanAndTail
    low_bps: float
    high_bps: float
    n_blocks: int

    def as_row(self) -> dict[str, Any]:
        """Return the numbers as a row of a table."""
        amounts = {f"{name}_bps": getattr(self, f"{name}_bps") for name in _PARTS}
        net = {"net_bps": self.net.mean, "worst_bps": self.net.worst_mean, "low_bps": self.low_bps}
        interval = {"high_bps": self.high_bps, "n_blocks": self.n_blocks}
        return {"n": self.n, "none_share": self.none_share, **amounts, **net, **interval}


def account_of(
    trades: pd.DataFrame,
    *,
    rng: np.random.Generator,
    n_bars: int | None = None,
    slippage_multiple: float = 1.0,
    block_hours: float = 168.0,
) -> Account:
    """Add up what trades brought.

    Parameters
    ----------
    trades : DataFrame
        ``signal_time`` and the amounts of `realise`, worked out at the plain slippage.
    rng : numpy.random.Generator
        For resamples of blocks.
    n_bars : int, optional
        Signal bars at which a trade could have been made.
    slippage_multiple : float
        What the slippage is multiplied with.
    block_hours : float
        Length of the blocks of time; at least the longest hold.

    Raises
    ------
    InputError
        If a column is missing or the multiple is negative.
    """
    check_columns(trades, NEEDED)
    check_number("slippage_multiple", slippage_multiple, low=0, high=100)
    parts = {name: trades[f"realised_{name}_bps"].to_numpy(dtype=np.float64) for name in _PARTS}
    parts["slippage"] = slippage_multiple * parts["slippage"]
    net = parts["gross"] - parts["fee"] - parts["slippage"] + parts["funding"]
    known = np.isfinite(net)
    n = int(known.sum())
    time = trades["signal_time"][known]
    low, high = mean_interval(time, net[known], rng=rng, block_hours=block_hours)
    bars = trades["signal_time"].nunique()
    return Account(
        n=n,
        n_unknown=len(net) - n,
        none_share=math.nan if not n_bars else 1.0 - bars / n_bars,
        **{f"{name}_bps": float(values[known].mean()) if n else math.nan for name, values in parts.items()},
        net=mean_and_tail(net[known]) if n else MeanAndTail(math.nan, math.nan, 0.05, 0),
        low_bps=low,
        high_bps=high,
        n_blocks=int(time_blocks(time, hours=block_hours).max()) + 1 if n else 0,
    )


def mean_interval(
    time: pd.Series, values: FloatArray, *, rng: np.random.Generator, block_hours: float
) -> tuple[float, float]:
    """Return a 90 % interval of a mean from whole blocks of time; NaN where the values lie in fewer than two."""
    blocks = time_blocks(time, hours=block_hours) if len(values) else np.empty(0, dtype=np.int64)
    if int(blocks.max(initial=0)) < 1:
        return math.nan, math.nan
    sums = np.stack([np.bincount(blocks, weights=values), np.bincount(blocks).astype(np.float64)], axis=1)
    low, high = block_bootstrap(sums, lambda drawn: drawn[:, :1] / drawn[:, 1:], rng=rng)
    return float(low[0]), float(high[0])
