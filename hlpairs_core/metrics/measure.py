from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

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
from hlpairs_core.metrics.performance import Performance
from hlpairs_core.metrics.ratios import calmar_ratio, sharpe_per_bar, sortino_ratio
from hlpairs_core.metrics.sharpe_inference import (
    deflated_sharpe,
    minimum_track_record,
    probabilistic_sharpe,
    sharpe_sample,
)
from hlpairs_core.metrics.tail import TailMethod, mean_and_tail, tail_risk
from hlpairs_core.metrics.trades import entered, exposure, summarise_trades, traded_notional_usd

__all__ = ["ReturnUnit", "performance"]

ReturnUnit: TypeAlias = Literal["bps", "fraction"]
_BPS_IN: dict[str, float] = {"bps": 1.0, "fraction": 1e4}
_LEAST_BARS = 20
_NAN = math.nan


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
        least 20 bars, oldest first. A Series labelled by time must have every bar of its span.
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
    >>> found = performance(np.random.default_rng(4).normal(0.1, 10.0, 8760), unit="bps")
    >>> print(found.bar)
    -0.0153 (worst 5 %: -20.4)
    >>> round(found.sharpe, 2), round(found.probabilistic_sharpe, 2)
    (-0.14, 0.44)
    """
    check_choice("unit", unit, tuple(_BPS_IN))
    times = _times(returns, interval)
    values = read_returns(returns, least=_LEAST_BARS) * _BPS_IN[unit]
    per_year = bars_per_year(interval)
    years = len(values) / per_year
    fall = max_drawdown(values)
    inference = _inference(values, per_year, tried_sharpes)
    activity = _activity(trades, times, interval, capital_usd, years)
    ratios = {
        "sharpe": sharpe_per_bar(values) * math.sqrt(per_year),
        "sortino": sortino_ratio(values, interval=interval),
        "calmar": calmar_ratio(values, interval=interval),
    }
    summary = None if trades is None else summarise_trades(trades)
    numbers = {**ratios, **_shape(values), **inference, **activity}
    if summary is not None:
        numbers["profit_factor"] = summary.profit_factor
    reasons = _reasons(numbers, values, tried_sharpes, trades)
    numbers.pop("profit_factor", None)
    return Performance(
        bar=mean_and_tail(values),
        n_bars=len(values),
        interval=interval,
        years=years,
        total_bps=float(values.sum()),
        volatility_bps=float(values.std(ddof=1)) * math.sqrt(per_year),
        drawdown=fall,
        drawdown_times=_labels(fall, times),
        tails=tuple(tail_risk(values, method=method) for method in tails),
        mean_interval=_interval(values, np.mean, rng, block_length),
        sharpe_interval=_interval(values, lambda draw: sharpe_per_bar(draw) * math.sqrt(per_year), rng, block_length),
        trades=summary,
        reasons=reasons,
        **numbers,
    )
