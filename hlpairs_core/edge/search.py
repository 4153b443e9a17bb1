"""Several rules' trades on one clock of blocks, and the score that they are compared by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from hlpairs_core._typing import BoolArray, FloatArray, IntArray
from hlpairs_core.backtest import realise
from hlpairs_core.costs import CostModel, check_integer
from hlpairs_core.edge.grid import check_columns
from hlpairs_core.edge.rules import TradeRule
from hlpairs_core.exceptions import InputError
from hlpairs_core.market import Panel
from hlpairs_core.metrics import mean_and_tail
from hlpairs_core.screening import ScreenSettings

__all__ = ["Search", "best_rule", "block_returns", "trades_of_rules"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Search:
    """Trades of several rules in blocks of time.

    Attributes
    ----------
    trades : mapping of TradeRule to DataFrame
        ``signal_time, exit_time, realised_net_bps`` and ``block``, the number of the block of the signal.
    first : pandas.Timestamp
        Begin of block 0.
    block_hours : float
        Length of a block.
    blocks : range
        Blocks that are looked at.
    n_bars : ndarray of int, shape (n_blocks,)
        Signal bars in each of them.
    least_trades : int
        A rule with fewer is not the best.
    """

    trades: Mapping[TradeRule, pd.DataFrame]
    first: pd.Timestamp
    block_hours: float
    blocks: range
    n_bars: IntArray
    least_trades: int

    @classmethod
    def of(
        cls,
        trades: Mapping[TradeRule, pd.DataFrame],
        bars: pd.Series,
        *,
        end: pd.Timestamp,
        hold: pd.Timedelta,
        block_hours: float,
        least_trades: int,
    ) -> "Search":
        """Number the blocks from the first signal bar on; the last one is whole, and over a longest hold before `end`.

        Raises
        ------
        InputError
            If a column is missing, a block is shorter than the longest hold, or the trades are unknown.
        """
        length = pd.Timedelta(hours=block_hours)
        if length < hold:
            raise InputError(
                f"block_hours is {block_hours:g} and the longest hold {hold / pd.Timedelta(hours=1):g} hours: blocks "
                "of time must hold it"
            )
        check_integer("least_trades", least_trades, low=1, high=10**9)
        first = bars.iloc[0]
        n_blocks = max(0, int((min(bars.iloc[-1], end - hold) - first) // length))
        number = ((bars - first) // length).to_numpy(dtype=np.int64)
        return cls(
            trades={rule: _numbered(table, first, length) for rule, table in trades.items()},
            first=first,
            block_hours=block_hours,
            blocks=range(n_blocks),
            n_bars=np.bincount(number[number < n_blocks], minlength=n_blocks),
            least_trades=least_trades,
        )

    @property
    def n_blocks(self) -> int:
        """Number of blocks."""
        return len(self.blocks)

    @property
    def returns(self) -> FloatArray:
        """Net of each rule in each block, per signal bar (bps); shape (n_blocks, n_rules)."""
        return np.stack([block_returns(table, self) for table in self.trades.values()], axis=1)

    def opens(self, block: int) -> pd.Timestamp:
        """Return when a block begins."""
        return self.first + pd.Timedelta(hours=block * self.block_hours)

    def between(self, start: int, stop: int) -> "Search":
        """Return some of the blocks."""
        chosen = slice(start - self.blocks.start, stop - self.blocks.start)
        return self._taken(range(start, stop), self.n_bars[chosen], None)

    def ended_by(self, time: pd.Timestamp, *, known_at: pd.Timestamp) -> "Search":
        """Return the whole blocks that ended by a time, without trades that were open later all the same."""
        n = min(self.n_blocks, max(0, int((time - self.first) // pd.Timedelta(hours=self.block_hours))))
        return self._taken(range(n), self.n_bars[:n], known_at)

    def table(self) -> pd.DataFrame:
        """Return one row a rule: ``rule, n, net_bps, worst_bps, sharpe``; NaN without trades."""
        rows = []
        for (rule, trades), score in zip(self.trades.items(), _scores(self.returns), strict=True):
            net = mean_and_tail(trades["realised_net_bps"]) if len(trades) else None
            told = (np.nan, np.nan) if net is None else (net.mean, net.worst_mean)
            rows.append((rule, len(trades), *told, score))
        return pd.DataFrame(rows, columns=["rule", "n", "net_bps", "worst_bps", "sharpe"])

    def _taken(self, blocks: range, n_bars: IntArray, known_at: pd.Timestamp | None) -> "Search":
        trades = {rule: table[_inside(table, blocks)] for rule, table in self.trades.items()}
        if known_at is not None:
            trades = {rule: table[table["exit_time"] < known_at] for rule, table in trades.items()}
        return replace(self, trades=trades, blocks=blocks, n_bars=n_bars)


def trades_of_rules(
    rows: pd.DataFrame,
    panel: Panel,
    *,
    rules: Sequence[TradeRule],
    settings: ScreenSettings,
    costs: CostModel,
    delay_bars: int = 0,
) -> dict[TradeRule, pd.DataFrame]:
    """Return the candidates that each rule trades, with what came of them; rules of one horizon and z_out together."""
    chosen = {rule: rule.choose(rows) for rule in rules}
    if not chosen or len(chosen) < len(rules):
        raise InputError(f"{len(rules)} rules, {len(chosen)} of them different: give at least one, and each once")
    trades: dict[TradeRule, pd.DataFrame] = {}
    for timing in dict.fromkeys((rule.horizon_hours, rule.z_out) for rule in rules):
        group = {rule: at for rule, at in chosen.items() if (rule.horizon_hours, rule.z_out) == timing}
        every: IntArray = np.unique(np.concatenate(list(group.values())))
        applied = next(iter(group)).applied_to(settings)
        came = realise(rows.iloc[every], panel, settings=applied, costs=costs, delay_bars=delay_bars)
        told = pd.concat([rows.iloc[every].drop(columns=came.columns, errors="ignore"), came], axis=1)
        trades |= {rule: told.iloc[np.searchsorted(every, at)] for rule, at in group.items()}
    return {rule: trades[rule] for rule in rules}


def best_rule(search: Search, *, above: float = 0.0) -> TradeRule | None:
    """Return the rule with the highest Sharpe ratio of blocks, of equals the first; None if none is above a number."""
    if search.n_blocks < 2:
        return None
    many = [len(table) >= search.least_trades for table in search.trades.values()]
    score = np.where(many, _scores(search.returns), -np.inf)
    best = int(np.argmax(score))
    return list(search.trades)[best] if score[best] > above else None


def block_returns(trades: pd.DataFrame, search: Search) -> FloatArray:
    """Return the net of trades in each block of a search, per signal bar (bps); 0 where nothing was traded."""
    place = trades["block"].to_numpy() - search.blocks.start
    sums = np.bincount(place, weights=trades["realised_net_bps"].to_numpy(), minlength=search.n_blocks)
    return np.asarray(sums / np.maximum(search.n_bars, 1))


def _scores(returns: FloatArray) -> FloatArray:
    """Mean over standard deviation of each rule's blocks; 0 where they do not differ."""
    spread = returns.std(axis=0, ddof=1)
    return np.asarray(returns.mean(axis=0) / np.where(spread > 0, spread, np.inf))


def _numbered(trades: pd.DataFrame, first: pd.Timestamp, length: pd.Timedelta) -> pd.DataFrame:
    check_columns(trades, ("signal_time", "exit_time", "realised_net_bps"))
    known = trades[np.isfinite(trades["realised_net_bps"])]
    return known.assign(block=((known["signal_time"] - first) // length).astype(np.int64))


def _inside(trades: pd.DataFrame, blocks: range) -> BoolArray:
    return np.asarray((trades["block"] >= blocks.start) & (trades["block"] < blocks.stop))
