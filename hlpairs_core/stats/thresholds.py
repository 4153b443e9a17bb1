"""At which deviation to enter a reverting spread and at which to leave it, given what a trade costs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

from hlpairs_core.exceptions import InputError
from hlpairs_core.stats._spread import not_negative, positive
from hlpairs_core.stats.double_stopping import leung_li
from hlpairs_core.stats.ornstein_uhlenbeck import OrnsteinUhlenbeck
from hlpairs_core.stats.return_rules import (
    TradingRule,
    bertram_return,
    bertram_sharpe,
    zeng_lee_mean,
    zeng_lee_reverse,
)

__all__ = ["ThresholdMethod", "Thresholds", "optimal_thresholds"]

ThresholdMethod: TypeAlias = Literal[
    "bertram_return", "bertram_sharpe", "zeng_lee_mean", "zeng_lee_reverse", "leung_li"
]

_COMMON = "the spread is this Ornstein-Uhlenbeck process, known exactly, watched all the time and traded at the level"
_FREE = "without cost every deviation pays: the levels are at the mean and the return is a limit"
_NO_TRADE = TradingRule(math.nan, math.nan, math.nan, math.nan, math.inf, math.nan)
# Their best entry tends to the mean with the cost.
_FREE_AT_MEAN = ("bertram_return", "zeng_lee_mean", "zeng_lee_reverse")
_ASSUMPTIONS: dict[ThresholdMethod, str] = {
    "bertram_return": "long only, the next trade waits for the entry level again; most return per time",
    "bertram_sharpe": "long only, the next trade waits for the entry level again; highest Sharpe ratio over the hurdle",
    "zeng_lee_mean": "long and short, every trade is closed at the mean; most return per time",
    "zeng_lee_reverse": "long and short, every trade is reversed at the opposite level; most return per time",
    "leung_li": "long only, one trade, bought for its level above the base and sold for it, discounted",
}


@dataclass(frozen=True)
class Thresholds:
    """When to buy a spread and when to sell it again; long side, with the mirrored short side where `two_sided`.

    Levels, cost and profit are in the unit of the spread.

    Attributes
    ----------
    method : str
        The rule.
    entry, exit : float
        Buy at or below `entry`, sell at `exit`. NaN where no entry pays at all. Mirrored: sell short at or
        above ``2 mu - entry``, close at ``2 mu - exit``.
    entry_sigma, exit_sigma : float
        The same in stationary standard deviations from the mean.
    entry_low, stop : float or None
        With a stop-loss, the level below which not to enter, and where to give up; None without.
    two_sided : bool
        Whether the rule also sells short.
    cost : float
        What entering and leaving cost together.
    profit_per_trade : float
        Mean profit of a trade after cost.
    expected_trade_hours : float
        Mean time in a position.
    expected_cycle_hours : float
        Mean time from one entry to the next; ``inf`` beyond what numbers can say.
    expected_return_per_hour : float
        Mean profit per hour in the long run.
    return_std_per_sqrt_hour : float
        Standard deviation of the profit in the long run, per square root of an hour, as the number of trades
        varies. NaN with a stop-loss, where the profit of a trade varies too.
    pays : bool
        Whether the rule is worth anything: False where no entry pays, or only after more than
        `max_cycle_hours`.
    assumptions : str
        What has to be true for these numbers.
    reason : str
        Why it does not pay, or what is special; "" where there is nothing to say.
    """

    method: ThresholdMethod
    entry: float
    exit: float
    entry_sigma: float
    exit_sigma: float
    entry_low: float | None
    stop: float | None
    two_sided: bool
    cost: float
    profit_per_trade: float
    expected_trade_hours: float
    expected_cycle_hours: float
    expected_return_per_hour: float
    return_std_per_sqrt_hour: float
    pays: bool
    assumptions: str
    reason: str


def optimal_thresholds(
    process: OrnsteinUhlenbeck,
    *,
    cost: float,
    method: ThresholdMethod = "zeng_lee_reverse",
    hurdle_per_trade: float | None = None,
    discount_per_hour: float | None = None,
    base: float | None = None,
    stop: float | None = None,
    max_cycle_hours: float = 8766.0,
) -> Thresholds:
    """Find the best entry and exit levels of an Ornstein-Uhlenbeck spread that costs something to trade.

    Parameters
    ----------
    process : OrnsteinUhlenbeck
        The spread, for example `OrnsteinUhlenbeckFit.process`.
    cost : float
        Fees, half-spreads and slippage of entering and leaving together, in the unit of the spread, >= 0.
    method : {"zeng_lee_reverse", "zeng_lee_mean", "bertram_return", "bertram_sharpe", "leung_li"}
        * "zeng_lee_reverse": long below, short above, reversed without a pause (Zeng and Lee's new rule).
        * "zeng_lee_mean": long below, short above, closed at the mean (their conventional rule).
        * "bertram_return": long only, most return per time (Bertram).
        * "bertram_sharpe": long only, highest Sharpe ratio over `hurdle_per_trade` (Bertram).
        * "leung_li": long only, most discounted gain of one trade (Leung and Li).
    hurdle_per_trade : float, optional
        Only for "bertram_sharpe", and needed there: what a trade must earn to be worth nothing, > 0, in the unit
        of the spread (Bertram's risk-free rate, which he divides by the length of a cycle). Without a hurdle
        the ratio would be highest for trades that earn nothing, ever faster.
    discount_per_hour : float, optional
        Only for "leung_li", and needed there: the discount rate, > 0. Without it one would wait for ever.
    base : float, optional
        Only for "leung_li": the level at which the spread costs nothing. By default mu, which is right for the
        log spread of a financed pair; 0 for a portfolio that is paid for, as in the paper.
    stop : float, optional
        Only for "leung_li": the level at which a trade is given up.
    max_cycle_hours : float
        A rule whose cycle takes longer, by default a year, is said not to pay. The levels are given all the
        same.

    Returns
    -------
    Thresholds

    Raises
    ------
    InputError
        If a number is not finite, the cost is negative, or an option is missing, out of range or not of the
        method.

    Notes
    -----
    In standard deviations s from the mean, with c the cost and D Dawson's integral, the levels of most return
    per time solve ``a - sqrt(2) D(a / sqrt(2)) = c / (2 s)``, or ``= c / s`` if closed at the mean: small costs
    give ``a = (1.5 c / s) ** (1 / 3)``, or ``(3 c / s) ** (1 / 3)``. The length of a cycle is in closed form too.

    W. K. Bertram, "Analytic Solutions for Optimal Statistical Arbitrage Trading", *Physica A* 389 (2010),
    2234-2243.
    Z. Zeng and C.-G. Lee, "Pairs Trading: Optimal Thresholds and Profitability", *Quantitative Finance* 14
    (2014), 1881-1893.
    T. Leung and X. Li, "Optimal Mean Reversion Trading with Transaction Costs and Stop-Loss Exit",
    *International Journal of Theoretical and Applied Finance* 18 (2015), 1550020.

    Examples
    --------
    >>> process = OrnsteinUhlenbeck(mu=0.0, theta_per_hour=0.05, sigma_per_sqrt_hour=0.003)
    >>> found = optimal_thresholds(process, cost=0.002)
    >>> round(found.entry_sigma, 2), round(found.expected_cycle_hours, 1)
    (-0.7, 38.4)
    """
    if not isinstance(process, OrnsteinUhlenbeck):
        raise InputError(f"process must be an OrnsteinUhlenbeck, got {process!r}")
    not_negative(cost, "cost")
    positive(max_cycle_hours, "max_cycle_hours")
    if method not in _ASSUMPTIONS:
        raise InputError(f"method must be one of {', '.join(map(repr, _ASSUMPTIONS))}, got {method!r}")
    own = {"hurdle_per_trade": hurdle_per_trade} if method == "bertram_sharpe" else {}
    if method == "leung_li":
        own = {"discount_per_hour": discount_per_hour, "base": base, "stop": stop}
    given = {"hurdle_per_trade": hurdle_per_trade, "discount_per_hour": discount_per_hour, "base": base, "stop": stop}
    for name, value in given.items():
        if value is not None and name not in own:
            raise InputError(f"{name}={value!r} means nothing to method {method!r}: drop it")
    rule = _solve(process, cost, method, **own)
    return _in_units(rule or _NO_TRADE, process, cost, method, stop, max_cycle_hours)


def _solve(
    process: OrnsteinUhlenbeck,
    cost: float,
    method: ThresholdMethod,
    *,
    hurdle_per_trade: float | None = None,
    discount_per_hour: float | None = None,
    base: float | None = None,
    stop: float | None = None,
) -> TradingRule | None:
    unit = process.stationary_std
    if method == "bertram_sharpe":
        return bertram_sharpe(cost / unit, _needed(hurdle_per_trade, "hurdle_per_trade", method) / unit)
    if method == "leung_li":
        return leung_li(
            cost / unit,
            discount=_needed(discount_per_hour, "discount_per_hour", method) / process.theta_per_hour,
            base=0.0 if base is None else (process.mu - _finite(base, "base")) / unit,
            stop=None if stop is None else (_finite(stop, "stop") - process.mu) / unit,
        )
    rules = {"bertram_return": bertram_return, "zeng_lee_mean": zeng_lee_mean, "zeng_lee_reverse": zeng_lee_reverse}
    return rules[method](cost / unit)


def _needed(value: float | None, name: str, method: str) -> float:
    if value is None:
        raise InputError(f"method {method!r} needs {name}, a positive number")
    return positive(value, name)


def _finite(value: float, name: str) -> float:
    if not math.isfinite(value):
        raise InputError(f"{name} must be finite, got {value!r}")
    return value


def _in_units(
    rule: TradingRule,
    process: OrnsteinUhlenbeck,
    cost: float,
    method: ThresholdMethod,
    stop: float | None,
    max_cycle_hours: float,
) -> Thresholds:
    unit, hours = process.stationary_std, 1.0 / process.theta_per_hour
    cycle = rule.cycle_time * hours
    endless = math.isinf(cycle)
    # The variance of a renewal process of trades with a fixed profit, per unit of time.
    deviation = 0.0 if endless else rule.profit * math.sqrt(rule.cycle_variance / rule.cycle_time**3)
    at_mean = cost == 0.0 and method in _FREE_AT_MEAN
    entry, exit_ = (0.0, 0.0) if at_mean else (rule.entry, rule.exit)
    return Thresholds(
        method=method,
        entry=process.mu + unit * entry,
        exit=process.mu + unit * exit_,
        entry_sigma=entry,
        exit_sigma=exit_,
        entry_low=None if rule.entry_low is None else process.mu + unit * rule.entry_low,
        stop=stop,
        two_sided=rule.two_sided,
        cost=cost,
        profit_per_trade=0.0 if at_mean else unit * rule.profit,
        expected_trade_hours=0.0 if at_mean else rule.trade_time * hours,
        expected_cycle_hours=0.0 if at_mean else cycle,
        expected_return_per_hour=0.0 if endless else unit * rule.profit / cycle,
        return_std_per_sqrt_hour=unit * deviation / math.sqrt(hours),
        pays=rule.profit > 0.0 and cycle <= max_cycle_hours,
        assumptions=f"{_COMMON}; {_ASSUMPTIONS[method]}",
        reason=_FREE if at_mean else _reason(rule, cost, stop, unit, cycle, max_cycle_hours),
    )


def _reason(
    rule: TradingRule, cost: float, stop: float | None, unit: float, cycle_hours: float, limit_hours: float
) -> str:
    if math.isnan(rule.entry):
        stopped = "" if stop is None else f" and with the stop at {stop:g}"
        return f"no entry pays: at a cost of {cost:g}{stopped} a trade is worth less than nothing at every level"
    if cycle_hours > limit_hours:
        how_long = "longer than numbers can say" if math.isinf(cycle_hours) else f"{cycle_hours:.3g} hours on average"
        return (
            f"no entry pays within {limit_hours:g} hours: at a cost of {cost / unit:.2f} standard deviations the best "
            f"is {abs(rule.entry):.2f} from the mean and comes once in {how_long}"
        )
    if rule.profit <= 0.0:
        return f"the stop-loss takes more than the trades earn: {unit * rule.profit:.3g} a trade"
    return ""
