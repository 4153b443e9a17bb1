"""A `Performance` in words, for a terminal and for a notebook."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

from hlpairs_core.metrics.bootstrap import BootstrapInterval
from hlpairs_core.metrics.tail import TailRisk
from hlpairs_core.metrics.trades import TradeSummary
from hlpairs_core.wording import signed

if TYPE_CHECKING:
    from hlpairs_core.metrics.result import Performance

__all__ = ["as_html", "as_text"]

_METHODS = {"historical": "historical", "cornish_fisher": "Cornish-Fisher", "garch": "GARCH, next bar"}


def as_text(found: Performance) -> str:
    """One line a number."""
    lines = [f"  {name:<30} {text}" for name, text in _rows(found)]
    return "\n".join([_title(found), *lines])


def as_html(found: Performance) -> str:
    """Return a table; labels of bars and reasons come from outside, so everything is escaped."""
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in _rows(found))
    return f"<div><p><strong>{escape(_title(found))}</strong></p><table><tbody>{rows}</tbody></table></div>"


def _title(found: Performance) -> str:
    return f"Performance over {found.n_bars:,} bars of {found.interval} ({found.years:.2f} years of 8,760 hours)"


def _rows(found: Performance) -> list[tuple[str, str]]:
    return [
        ("mean of a bar, bps", f"{found.bar}{_interval(found.mean_interval, 3)}"),
        ("total, bps of capital", signed(found.total_bps, 1)),
        ("volatility a year, bps", f"{found.volatility_bps:,.0f}"),
        ("Sharpe ratio", f"{_number(found, 'sharpe', 2)}{_interval(found.sharpe_interval, 2)}"),
        ("Sortino ratio", _number(found, "sortino", 2)),
        ("Calmar ratio", _number(found, "calmar", 2)),
        ("maximum drawdown, bps", _drawdown(found)),
        ("skewness (normal: 0)", _number(found, "skewness", 2)),
        ("kurtosis (normal: 3)", _number(found, "kurtosis", 1)),
        *(_tail(tail) for tail in found.tails),
        ("chance Sharpe > 0, one try", _number(found, "probabilistic_sharpe", 3)),
        ("the same, after all tries", _number(found, "deflated_sharpe", 3)),
        ("track record needed, bars", _number(found, "min_track_record_bars", 0)),
        ("bars with a position", _number(found, "exposure", 3)),
        ("turnover a year, × capital", _number(found, "turnover_per_year", 1)),
        *([] if found.trades is None else _trades(found, found.trades)),
    ]


def _trades(found: Performance, trades: TradeSummary) -> list[tuple[str, str]]:
    return [
        ("trades", f"{trades.n_trades:,} ({trades.n_not_entered:,} more were never filled)"),
        ("mean of a trade, bps", str(trades.net)),
        ("median of a trade, bps", _plain(trades.median_bps, 1)),
        ("hit rate", _plain(trades.hit_rate, 3)),
        ("profit factor", _number(found, "profit_factor", 2, trades.profit_factor)),
        ("mean hold, hours", _plain(trades.mean_hold_hours, 1)),
    ]


def _drawdown(found: Performance) -> str:
    fall = found.drawdown
    if fall.start is None:
        return "none"
    bars = {"start": fall.start, "trough": fall.trough, "recovery": fall.recovery}
    when = {name: found.drawdown_times.get(name, f"bar {bar}") for name, bar in bars.items()}
    end = "still open" if fall.is_open else f"recovered {when['recovery']}"
    return f"{fall.depth:,.1f} over {fall.n_bars:,} bars (from {when['start']}, lowest {when['trough']}, {end})"


def _tail(tail: TailRisk) -> tuple[str, str]:
    name = f"worst {100 * tail.level:g} %, {_METHODS[tail.method]}"
    if tail.reason:
        return name, f"unknown: {tail.reason}"
    return name, f"VaR {signed(tail.value_at_risk, 2)}, ES {signed(tail.expected_shortfall, 2)} bps"


def _interval(interval: BootstrapInterval | None, digits: int) -> str:
    if interval is None:
        return ""
    share = f"{100 * interval.confidence:g} % interval"
    if interval.reason:
        return f", {share} unknown: {interval.reason}"
    return f", {share} {signed(interval.low, digits)} to {signed(interval.high, digits)}"


def _number(found: Performance, name: str, digits: int, value: float | None = None) -> str:
    text = _plain(getattr(found, name) if value is None else value, digits)
    return f"{text}: {found.reasons[name]}" if name in found.reasons else text


def _plain(value: float, digits: int) -> str:
    if math.isinf(value):
        return "never"
    return "unknown" if math.isnan(value) else f"{value:,.{digits}f}"
