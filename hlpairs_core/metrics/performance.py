from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import kurtosis, skew

from hlpairs_core._typing import FloatArray
from hlpairs_core.costs import check_choice, check_number
from hlpairs_core.exceptions import InputError
from hlpairs_core.intervals import interval_duration
from hlpairs_core.metrics.bootstrap import BootstrapInterval, bootstrap_interval
from hlpairs_core.metrics.drawdown import Drawdown, max_drawdown
from hlpairs_core.metrics.inputs import bars_per_year, read_returns, varies
from hlpairs_core.metrics.mean_and_tail import mean_and_tail
from hlpairs_core.metrics.ratios import calmar_ratio, sharpe_per_bar, sortino_ratio
from hlpairs_core.metrics.result import Performance
from hlpairs_core.metrics.sharpe_inference import (
    deflated_sharpe,
    minimum_track_record,
    probabilistic_sharpe,
    sharpe_sample,
)
from hlpairs_core.metrics.tail import TailMethod, tail_risk
from hlpairs_core.metrics.trades import TradeSummary, entered, exposure, summarise_trades, traded_notional_usd

__all__ = ["ReturnUnit", "performance"]

ReturnUnit: TypeAlias = Literal["bps", "fraction"]
_LEAST_BARS = 20
_NEED_VARIANCE = ("sharpe", "skewness", "kurtosis", "probabilistic_sharpe", "deflated_sharpe", "min_track_record_bars")
_WHY = {
    **dict.fromkeys(_NEED_VARIANCE, "the returns do not vary"),
    "sortino": "no bar lost",
    "calmar": "the profit never fell",
    "deflated_sharpe": "nobody said how much was tried: give tried_sharpes",
    "exposure": "it needs returns labelled by time, and trades with entry_time and exit_time",
    "turnover_per_year": "it needs capital_usd, and trades with notional_usd",
}


def performance(
    returns: pd.Series | ArrayLike,
    trades: pd.DataFrame | None = None,
    *,
    unit: ReturnUnit,
    interval: str = "1h",
    capital_usd: float | None = None,
    tails: Sequence[TailMethod] = ("historical", "cornish_fisher"),
    tried_sharpes: ArrayLike | None = None,
    rng: np.random.Generator | None = None,
    block_length: int | None = None,
) -> Performance:
    """Measure what a series of per-bar returns and its trades were worth.

    Parameters
    ----------
    returns : Series or array_like, shape (T,)
        Profit of each bar on constant capital, marked to market, after costs; 0 where nothing was held. At
        least 20 bars, oldest first. A Series labelled by time must have every bar of its span, each labelled by its
        **open**: `exposure` looks there for the fills. The equity of a `Backtest` is labelled by closes; the second
        example moves it by one bar.
    trades : DataFrame, optional
        One row a trade, columns as in `TradeOutcome`: ``net_bps``, and where there ``hold_hours``, ``exit_reason``,
        ``entry_time``, ``exit_time``, ``notional_usd``.
    unit : {"bps", "fraction"}
        Unit of `returns`: bps of the capital, or a fraction of it.
    interval : str, default "1h"
        Length of a bar.
    capital_usd : float, optional
        For the turnover.
    tails : sequence of {"historical", "cornish_fisher", "garch"}
        Methods of `tail_risk`.
    tried_sharpes : array_like, shape (n_tries,), optional
        Annualised Sharpe ratios of everything that was tried, this one and those thrown away included: what the
        deflated ratio needs.
    rng : numpy.random.Generator, optional
        Given, bootstrap intervals are drawn.
    block_length : int, optional
        Of the bootstrap; see `bootstrap_interval`.

    Returns
    -------
    Performance
        A number that does not exist is NaN, and `Performance.reasons` says why.

    Raises
    ------
    InputError
        If a value is missing or infinite, bars are too few or lack in between, or an argument is not usable.

    Examples
    --------
    >>> import numpy as np
    >>> found = performance(np.random.default_rng(4).normal(0.1, 10.0, 2190), unit="bps")
    >>> print(found.bar)
    +0.0723 (worst 5 %: -20.8)
    >>> round(found.sharpe, 2), round(found.probabilistic_sharpe, 2)
    (0.68, 0.63)

    Of a `Backtest`:

    >>> import pandas as pd  # doctest: +SKIP
    >>> equity, capital = backtest.equity["equity_usd"], backtest.portfolio.capital_usd  # doctest: +SKIP
    >>> opens = equity.index - pd.Timedelta(hours=backtest.settings.bar_hours)  # doctest: +SKIP
    >>> returns = pd.Series(np.diff(equity, prepend=capital) / capital, opens)  # doctest: +SKIP
    >>> interval = backtest.settings.interval  # doctest: +SKIP
    >>> performance(returns, backtest.trades, unit="fraction", interval=interval)  # doctest: +SKIP
    """
    check_choice("unit", unit, get_args(ReturnUnit))
    times = _times(returns, interval)
    values = read_returns(returns, least=_LEAST_BARS) * (1e4 if unit == "fraction" else 1.0)
    years = len(values) / bars_per_year(interval)
    summary = None if trades is None else summarise_trades(trades)
    numbers = {
        **_ratios(values, interval),
        **_confidence(values, interval, tried_sharpes),
        "exposure": _exposure(trades, times, interval),
        "turnover_per_year": _turnover(trades, capital_usd, years),
    }
    fall = max_drawdown(values)
    return Performance(
        bar=mean_and_tail(values),
        n_bars=len(values),
        interval=interval,
        years=years,
        total_bps=float(values.sum()),
        drawdown=fall,
        drawdown_times=_labels(fall, times),
        tails=tuple(tail_risk(values, method=method) for method in tails),
        mean_interval=_interval(values, lambda draw: float(draw.mean()), rng, block_length),
        sharpe_interval=_interval(values, _sharpe_of(interval), rng, block_length),
        trades=summary,
        reasons=_reasons(numbers, summary, values),
        **numbers,
    )


def _ratios(values: FloatArray, interval: str) -> dict[str, float]:
    moves = varies(values)
    return {
        "volatility_bps": float(values.std(ddof=1)) * math.sqrt(bars_per_year(interval)),
        "sharpe": _sharpe_of(interval)(values),
        "sortino": sortino_ratio(values, interval=interval),
        "calmar": calmar_ratio(values, interval=interval),
        "skewness": float(skew(values)) if moves else math.nan,
        "kurtosis": float(kurtosis(values, fisher=False)) if moves else math.nan,
    }


def _confidence(values: FloatArray, interval: str, tried_sharpes: ArrayLike | None) -> dict[str, float]:
    sample = sharpe_sample(values)
    deflated = math.nan
    if tried_sharpes is not None:
        tried = read_returns(tried_sharpes, name="tried_sharpes")
        sd = float(tried.std(ddof=1)) / math.sqrt(bars_per_year(interval)) if len(tried) > 1 else 0.0
        deflated = deflated_sharpe(sample, n_tries=len(tried), sharpe_sd=sd) if sample else math.nan
    return {
        "probabilistic_sharpe": probabilistic_sharpe(sample) if sample else math.nan,
        "deflated_sharpe": deflated,
        "min_track_record_bars": minimum_track_record(sample) if sample else math.nan,
    }


def _interval(
    values: FloatArray,
    statistic: Callable[[FloatArray], float],
    rng: np.random.Generator | None,
    block_length: int | None,
) -> BootstrapInterval | None:
    return None if rng is None else bootstrap_interval(values, statistic, rng=rng, block_length=block_length)


def _exposure(trades: pd.DataFrame | None, times: pd.DatetimeIndex | None, interval: str) -> float:
    if trades is None or times is None or not {"entry_time", "exit_time"} <= set(trades.columns):
        return math.nan
    return exposure(times, entered(trades), bar=interval_duration(interval))


def _turnover(trades: pd.DataFrame | None, capital_usd: float | None, years: float) -> float:
    if capital_usd is None or trades is None or "notional_usd" not in trades:
        return math.nan
    check_number("capital_usd", capital_usd, low=0, high=math.inf, low_open=True)
    return traded_notional_usd(entered(trades)) / capital_usd / years


def _reasons(numbers: dict[str, float], trades: TradeSummary | None, values: FloatArray) -> dict[str, str]:
    reasons = {name: _WHY[name] for name, value in numbers.items() if math.isnan(value)}
    if not varies(values):
        same = f"all {len(values)} bars returned {values[0]:g} bps"
        reasons |= {name: same for name in reasons if name in _NEED_VARIANCE}
    if trades is not None and math.isnan(trades.profit_factor):
        reasons["profit_factor"] = "no trade lost" if trades.n_trades else "there was no trade"
    return reasons


def _sharpe_of(interval: str) -> Callable[[FloatArray], float]:
    root = math.sqrt(bars_per_year(interval))
    return lambda values: sharpe_per_bar(values) * root


def _times(returns: pd.Series | ArrayLike, interval: str) -> pd.DatetimeIndex | None:
    """Return the labels if they are times, refusing what is no regular clock."""
    if not isinstance(returns, pd.Series) or not isinstance(returns.index, pd.DatetimeIndex):
        return None
    times, bar = returns.index, interval_duration(interval)
    steps = times[1:] - times[:-1]
    wrong = np.flatnonzero(steps != bar)
    if wrong.size:
        at = int(wrong[0])
        raise InputError(
            f"returns step from {times[at]} to {times[at + 1]}, not by {interval}: a flat bar is 0 and must be there"
        )
    return times


def _labels(fall: Drawdown, times: pd.DatetimeIndex | None) -> dict[str, Any]:
    bars = {"start": fall.start, "trough": fall.trough, "recovery": fall.recovery}
    return {} if times is None else {name: times[bar] for name, bar in bars.items() if bar is not None}
