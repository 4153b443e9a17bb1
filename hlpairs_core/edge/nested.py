"""Choosing among rules, nested in the walk-forward: chosen on the past of each stretch, traded on the stretch."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from hlpairs_core._typing import FloatArray
from hlpairs_core.costs import CostModel, check_integer, check_number
from hlpairs_core.edge.account import mean_interval
from hlpairs_core.edge.holds import longest_hold
from hlpairs_core.edge.nested_result import NestedFold, NestedOptimisation
from hlpairs_core.edge.rules import TradeRule
from hlpairs_core.edge.search import Search, best_rule, block_returns, trades_of_rules
from hlpairs_core.exceptions import InputError
from hlpairs_core.market import Panel
from hlpairs_core.metrics import (
    MeanAndTail,
    Overfitting,
    deflated_sharpe,
    mean_and_tail,
    probabilistic_sharpe,
    probability_of_overfitting,
    sharpe_sample,
)
from hlpairs_core.screening import ScreenSettings

__all__ = ["choose_nested", "nested_optimisation"]

_NO_TRADE = MeanAndTail(math.nan, math.nan, 0.05, 0)
# With more, halves of a few months have too few blocks each.
_MOST_PBO_BLOCKS = 16


def nested_optimisation(
    rows: pd.DataFrame,
    panel: Panel,
    *,
    rules: Sequence[TradeRule],
    settings: ScreenSettings,
    costs: CostModel,
    rng: np.random.Generator,
    delay_bars: int = 0,
    n_folds: int = 5,
    first_blocks: int = 8,
    block_hours: float = 168.0,
    embargo_hours: float = 24.0,
    least_trades: int = 20,
) -> NestedOptimisation:
    """Choose a rule on the past of each stretch of time and trade it on the stretch.

    Parameters
    ----------
    rows : DataFrame
        Candidates of a `walk_forward` whose gates are no narrower than the rules'; with ``record_share`` (see
        `with_record`) if a rule asks for one.
    panel : Panel
        Bars that the candidates come from and those after them; nothing is screened again.
    rules : sequence of TradeRule
        What is tried, as of `rule_grid`: every one, those thrown away included.
    settings, costs : ScreenSettings, CostModel
        Of the trades; the rules' fields replace those of the settings.
    rng : numpy.random.Generator
        For resamples of blocks.
    delay_bars : int
        Bars that an order comes late.
    n_folds : int
        Stretches, each of whole blocks.
    first_blocks : int
        Blocks before the first stretch.
    block_hours : float
        Length of a block of time, at least the longest hold.
    embargo_hours : float
        Pause between the last hold of the past and a stretch.
    least_trades : int
        A rule with fewer in the past is not chosen.

    Returns
    -------
    NestedOptimisation

    Raises
    ------
    InputError
        If no rule is given or one is there twice, the history has too few blocks (says how many are missing), blocks
        are shorter than the longest hold, or as `realise` says.

    Notes
    -----
    A rule is scored by the Sharpe ratio of its blocks: net per signal bar, 0 where nothing was traded (signal bars are
    those with a candidate in `rows`). The candidates' raw net edges, by which some rules rank, are those of the
    walk-forward, at its own time stop. The best rule is chosen if its score is above 0. The past of a stretch is its
    whole blocks that ended a longest hold (of all rules, and the delay) and an embargo before it, so that no trade of
    the past shares an hour with the stretch. The stretches end a longest hold before the data. M. López de Prado,
    "Advances in Financial Machine Learning" (2018), ch. 7; deflated ratio and PBO as `deflated_sharpe` and
    `probability_of_overfitting` have them.
    """
    trades = trades_of_rules(rows, panel, rules=rules, settings=settings, costs=costs, delay_bars=delay_bars)
    return choose_nested(
        trades, bars=pd.Series(np.sort(rows["signal_time"].unique())), end=panel.closed_at, rng=rng,
        bar_hours=settings.bar_hours, delay_bars=delay_bars, n_folds=n_folds, first_blocks=first_blocks,
        block_hours=block_hours, embargo_hours=embargo_hours, least_trades=least_trades,
    )  # fmt: skip


def choose_nested(
    trades: Mapping[TradeRule, pd.DataFrame],
    *,
    bars: pd.Series,
    end: pd.Timestamp,
    rng: np.random.Generator,
    bar_hours: float = 1.0,
    delay_bars: int = 0,
    n_folds: int = 5,
    first_blocks: int = 8,
    block_hours: float = 168.0,
    embargo_hours: float = 24.0,
    least_trades: int = 20,
) -> NestedOptimisation:
    """Do what `nested_optimisation` does with trades that are already there.

    Parameters
    ----------
    trades : mapping of TradeRule to DataFrame
        ``signal_time, exit_time, realised_net_bps`` of what each rule traded.
    bars : Series of datetime64
        Signal bars, in order: those without a trade count as 0.
    end : pandas.Timestamp
        To which time prices are known.
    rng, bar_hours, delay_bars, n_folds, first_blocks, block_hours, embargo_hours, least_trades
        As of `nested_optimisation`.
    """
    hold = longest_hold(horizon_hours=max(rule.horizon_hours for rule in trades), bar_hours=bar_hours)
    # What is entered late ends late.
    hold += pd.Timedelta(hours=delay_bars * bar_hours)
    search = Search.of(trades, bars, end=end, hold=hold, block_hours=block_hours, least_trades=least_trades)
    check_number("embargo_hours", embargo_hours, low=0, high=np.inf)
    edges = _edges(search, n_folds, first_blocks)
    pause = hold + pd.Timedelta(hours=embargo_hours)
    folds, parts = [], []
    for number, (start, stop) in enumerate(pairwise(edges)):
        fold, part = _fold(search, start, stop, pause)
        folds.append(fold)
        parts.append(part.assign(fold=number))
    every = pd.concat(parts)
    return _result(search, tuple(folds), every, (edges[0], edges[-1]), rng)


def _edges(search: Search, n_folds: int, first_blocks: int) -> list[int]:
    """Return the blocks at which stretches begin, and the one after the last."""
    check_integer("n_folds", n_folds, low=1, high=10_000)
    check_integer("first_blocks", first_blocks, low=2, high=10_000)
    needed = first_blocks + n_folds
    if search.n_blocks < needed:
        raise InputError(
            f"the signals span {search.n_blocks} blocks of {search.block_hours:g} hours, {first_blocks} before the "
            f"first of {n_folds} stretches need {needed}: {needed - search.n_blocks} are missing"
        )
    return [round(edge) for edge in np.linspace(first_blocks, search.n_blocks, n_folds + 1)]


def _fold(search: Search, start: int, stop: int, pause: pd.Timedelta) -> tuple[NestedFold, pd.DataFrame]:
    begins = search.opens(start)
    before = search.ended_by(begins - pause, known_at=begins)
    rule = best_rule(before)
    later = search.between(start, stop)
    part = later.trades[rule] if rule is not None else next(iter(later.trades.values())).iloc[:0]
    return (
        NestedFold(
            start=begins,
            stop=search.opens(stop),
            rule=rule,
            promised=_net(before.trades[rule]) if rule is not None else _NO_TRADE,
            realised=_net(part),
        ),
        part,
    )


def _net(trades: pd.DataFrame) -> MeanAndTail:
    return mean_and_tail(trades["realised_net_bps"]) if len(trades) else _NO_TRADE


def _result(
    search: Search, folds: tuple[NestedFold, ...], trades: pd.DataFrame, judged: tuple[int, int],
    rng: np.random.Generator,
) -> NestedOptimisation:  # fmt: skip
    later, whole = search.between(*judged), search.between(0, search.n_blocks)
    hindsight = best_rule(later, above=-np.inf)
    low, high = mean_interval(
        trades["signal_time"], trades["realised_net_bps"].to_numpy(), rng=rng, block_hours=search.block_hours
    )
    sample = sharpe_sample(block_returns(trades, later)) if later.n_blocks >= 4 else None
    best = best_rule(whole, above=-np.inf)
    ratio, deflated = _deflated(whole, best)
    return NestedOptimisation(
        folds=folds,
        n_tried=len(search.trades),
        best=best,
        chosen=best_rule(whole),
        realised=_net(trades),
        low_bps=low,
        high_bps=high,
        none_share=1.0 - trades["signal_time"].nunique() / max(1, int(later.n_bars.sum())),
        out_of_sample_confidence=math.nan if sample is None else probabilistic_sharpe(sample),
        hindsight_rule=hindsight,
        hindsight=_net(later.trades[hindsight]) if hindsight is not None else _NO_TRADE,
        best_sharpe=ratio,
        deflated_sharpe=deflated,
        overfitting=_overfitting(whole.returns),
        table=whole.table(),
        trades=trades,
    )


def _deflated(search: Search, best: TradeRule | None) -> tuple[float, float]:
    """Return the best rule's Sharpe ratio per block, and the confidence that it is not luck."""
    samples = [sharpe_sample(column) if len(column) >= 4 else None for column in search.returns.T]
    # A rule that never trades has tried too.
    ratios = np.array([0.0 if one is None else one.sharpe for one in samples])
    found = None if best is None else samples[list(search.trades).index(best)]
    if found is None:
        return math.nan, math.nan
    spread = float(ratios.std(ddof=1)) if len(ratios) > 1 else 0.0
    return found.sharpe, deflated_sharpe(found, n_tries=len(ratios), sharpe_sd=spread)


def _overfitting(returns: FloatArray) -> Overfitting | None:
    blocks = min(_MOST_PBO_BLOCKS, len(returns) // 4 * 2)
    if returns.shape[1] < 2 or blocks < 2:
        return None
    return probability_of_overfitting(returns, n_blocks=blocks)
