"""A screen's result as HTML for a notebook. Coin names come from outside: everything is escaped."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from hlpairs_core.screening.result import ScreenResult

__all__ = ["result_html"]

_SHOWN_ROWS = 10
_COLUMNS = {
    "z": ("zscore", "{:+.2f}"),
    "β": ("beta", "{:.3f}"),
    "p": ("p_value", "{:.3g}"),
    "half-life, h": ("half_life_hours", "{:.1f}"),
    "hold, h": ("hold_hours", "{:.1f}"),
    "reversion, bps": ("gross_bps", "{:.1f}"),
    "fees": ("fee_bps", "{:.1f}"),
    "slippage": ("slippage_bps", "{:.1f}"),
    "funding": ("funding_bps", "{:+.1f}"),
    "net edge, bps": ("net_edge_bps", "{:+.1f}"),
}


def result_html(result: ScreenResult) -> str:
    """Return the verdict, the funnel and the best pairs as HTML."""
    funnel = result.funnel
    counts = (
        f"{funnel.coins_eligible} of {funnel.coins_listed} coins, {funnel.pairs:,} pairs, "
        f"{funnel.pairs_dependent:,} tested, {funnel.pairs_cointegrated:,} cointegrated "
        f"({funnel.expected_by_luck:,.0f} expected by luck), {funnel.pairs_at_entry:,} at entry, "
        f"{funnel.pairs_positive_edge:,} with a positive edge, {funnel.pairs_qualifying:,} qualifying"
    )
    text = escape(result.verdict.text)
    when = escape(f"{result.closed_at:%Y-%m-%d %H:%M} UTC, {result.settings.interval} bars")
    return f"<div><p><strong>{text}</strong></p><p>{when}: {counts}.</p>{_table(result)}</div>"


def _table(result: ScreenResult) -> str:
    if result.candidates.empty:
        return ""
    titles = ["long", "short", *_COLUMNS, "why not"]
    head = "".join(f"<th>{escape(title)}</th>" for title in titles)
    rows = result.candidates.head(_SHOWN_ROWS).to_dict("records")
    body = "".join(f"<tr>{_cells(row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cells(row: dict[str, Any]) -> str:
    sides = {
        side: ", ".join(row[leg] for leg in ("y", "x") if row[f"side_{leg}"] == side) for side in ("long", "short")
    }
    numbers = [_number(row[name], form) for name, form in _COLUMNS.values()]
    cells = [sides["long"], sides["short"], *numbers, row["misses"][0] if row["misses"] else ""]
    return "".join(f"<td>{escape(str(cell))}</td>" for cell in cells)


def _number(value: float, form: str) -> str:
    return form.format(value) if np.isfinite(value) else "unknown"
