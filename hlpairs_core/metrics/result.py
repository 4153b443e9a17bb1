from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hlpairs_core.metrics.bootstrap import BootstrapInterval
from hlpairs_core.metrics.drawdown import Drawdown
from hlpairs_core.metrics.mean_and_tail import MeanAndTail
from hlpairs_core.metrics.tail import TailRisk
from hlpairs_core.metrics.trades import TradeSummary
from hlpairs_core.metrics.wording import as_html, as_text

__all__ = ["Performance"]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Performance:
    """What a series of returns and its trades were worth.

    A description of the bars given. Where they chose the rule, it is in-sample and says nothing about later ones.
    Money is in bps of the capital, which is constant: gains are not reinvested. A year has 8,760 hours.

    Attributes
    ----------
    bar : MeanAndTail
        Mean return of a bar and of the worst 5 % of bars (bps); flat bars count as 0.
    n_bars : int
        Number of bars.
    interval : str
        Their length.
    years : float
        Their length together.
    total_bps : float
        Sum of all returns.
    volatility_bps : float
        Standard deviation, annualised.
    sharpe, sortino, calmar : float
        Annualised; see `sharpe_ratio`, `sortino_ratio`, `calmar_ratio`.
    drawdown : Drawdown
        The deepest, in bps; bars counted from 0.
    drawdown_times : mapping of str to timestamp
        Labels of its bars ("start", "trough", "recovery") where the returns are labelled by time.
    skewness, kurtosis : float
        Of a bar; 0 and 3 for normal returns.
    tails : sequence of TailRisk
        Value at risk and expected shortfall of a bar (bps, losses negative), a method each.
    probabilistic_sharpe : float
        Confidence that the true Sharpe ratio is above 0, as if this had been the only try.
    deflated_sharpe : float
        The same, given how many tries there were; NaN unless `performance` was told.
    min_track_record_bars : float
        Bars needed for 95 % confidence in a Sharpe ratio above 0; inf where it is not above 0.
    mean_interval, sharpe_interval : BootstrapInterval or None
        90 % intervals of the mean of a bar (bps) and of the annualised Sharpe ratio; None unless asked for.
    trades : TradeSummary or None
        None where no trades were given.
    exposure : float
        Share of bars with a position.
    turnover_per_year : float
        Notional of entries and exits over capital, a year.
    reasons : mapping of str to str
        Why a number is NaN, by its name.
    """

    bar: MeanAndTail
    n_bars: int
    interval: str
    years: float
    total_bps: float
    volatility_bps: float
    sharpe: float
    sortino: float
    calmar: float
    drawdown: Drawdown
    drawdown_times: Mapping[str, Any]
    skewness: float
    kurtosis: float
    tails: Sequence[TailRisk]
    probabilistic_sharpe: float
    deflated_sharpe: float
    min_track_record_bars: float
    mean_interval: BootstrapInterval | None = None
    sharpe_interval: BootstrapInterval | None = None
    trades: TradeSummary | None = None
    exposure: float
    turnover_per_year: float
    reasons: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        return as_html(self)
