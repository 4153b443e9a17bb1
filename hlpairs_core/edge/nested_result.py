"""What choosing among rules brought where the choice had not looked."""

from dataclasses import dataclass, field

import pandas as pd

from hlpairs_core.edge.rules import TradeRule
from hlpairs_core.metrics import MeanAndTail, Overfitting

__all__ = ["NestedFold", "NestedOptimisation"]


@dataclass(frozen=True, kw_only=True)
class NestedFold:
    """What was chosen before a stretch of time, and what it brought there (bps of gross notional a trade).

    Attributes
    ----------
    start, stop : pandas.Timestamp
        Signals from the one on to before the other were traded.
    rule : TradeRule or None
        None: no rule had earned anything before, so nothing was traded.
    promised, realised : MeanAndTail
        Of the rule's trades before the stretch, and on it; NaN without trades.
    """

    start: pd.Timestamp
    stop: pd.Timestamp
    rule: TradeRule | None
    promised: MeanAndTail
    realised: MeanAndTail


@dataclass(frozen=True, eq=False, kw_only=True)
class NestedOptimisation:
    """What choosing among rules brought on data that the choice had not seen.

    Attributes
    ----------
    folds : tuple of NestedFold
        In order of time.
    n_tried : int
        Rules that were compared.
    best, chosen : TradeRule or None
        The best of all the data, gain or loss, and what to trade after it: the best, or None where it did not gain.
    realised : MeanAndTail
        Out of sample: net of a trade over all folds (bps of gross notional).
    low_bps, high_bps : float
        90 % interval of that mean from whole blocks of time; NaN with trades in fewer than two.
    none_share : float
        Share of the folds' signal bars at which nothing was traded.
    out_of_sample_confidence : float
        Probabilistic Sharpe ratio of the folds' blocks: confidence that it is above 0, for one try. NaN if flat.
    hindsight_rule, hindsight : TradeRule or None, MeanAndTail
        The rule that was best on the folds themselves, gain or loss, and its net there: what a search that is not
        nested promises.
    best_sharpe, deflated_sharpe : float
        Of `best`: Sharpe ratio per block, and the confidence that the best of `n_tried` has any skill. NaN without one.
    overfitting : Overfitting or None
        PBO over the rules, by blocks of time; None with one rule.
    table : DataFrame
        One row a rule: ``rule, n, net_bps, worst_bps, sharpe`` (per block) over all the data.
    trades : DataFrame
        Out of sample: ``fold``, the candidates' columns and outcomes.
    """

    folds: tuple[NestedFold, ...]
    n_tried: int
    best: TradeRule | None
    chosen: TradeRule | None
    realised: MeanAndTail
    low_bps: float
    high_bps: float
    none_share: float
    out_of_sample_confidence: float
    hindsight_rule: TradeRule | None
    hindsight: MeanAndTail
    best_sharpe: float
    deflated_sharpe: float
    overfitting: Overfitting | None
    table: pd.DataFrame = field(repr=False)
    trades: pd.DataFrame = field(repr=False)

    def __str__(self) -> str:
        pbo = "unknown" if self.overfitting is None else f"{self.overfitting.probability:.2f}"
        return (
            f"{self.n_tried} rules tried; out of sample {self.realised} bps over {self.realised.n:,} trades, 90 % "
            f"[{self.low_bps:.0f}, {self.high_bps:.0f}]; the best in hindsight: {self.hindsight} bps; "
            f"deflated Sharpe {self.deflated_sharpe:.2f}, PBO {pbo}"
        )
