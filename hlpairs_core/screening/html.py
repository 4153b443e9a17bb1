"""A screen's result as HTML for a notebook. Coin names come from outside: everything is escaped."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from hlpairs_core.wording import by_luck, signed

if TYPE_CHECKING:
    from hlpairs_core.screening.result import ScreenResult

__all__ = ["result_html"]

_SHOWN_ROWS = 10
_COLUMNS: dict[str, tuple[str, Callable[[float], str]]] = {
    "z": ("zscore", lambda z: signed(z, 2)),
    "β": ("beta", "{:.3f}".format),
    "p": ("p_value", "{:.3g}".format),
    "half-life, h": ("half_life_hours", "{:.1f}".format),
    "hold, h": ("hold_hours", "{:.1f}".format),
    "reversion, bps": ("gross_bps", "{:.1f}".format),
    "fees": ("fee_bps", "{:.1f}".format),
    "slippage": ("slippage_bps", "{:.1f}".format),
    "funding": ("funding_bps", lambda bps: signed(bps, 1)),
    "projected net, bps": ("net_edge_bps", lambda bps: signed(bps, 1)),
}
_BELIEVED: dict[str, tuple[str, Callable[[float], str]]] = {
    "net edge, bps": ("mean_net_bps", lambda bps: signed(bps, 1)),
    "above, with 90 %": ("lower_net_bps", lambda bps: signed(bps, 1)),
}


def result_html(result: ScreenResult) -> str:
    """Return the verdict, the funnel and the best pairs as HTML."""
    funnel = result.funnel
    counts = (
        f"{funnel.coins_eligible} of {funnel.coins_listed} coins, {funnel.pairs:,} pairs, "
        f"{funnel.pairs_dependent:,} tested, {funnel.pairs_cointegrated:,} cointegrated "
        f"({by_luck(funnel.expected_by_luck)} expected by luck), {funnel.pairs_at_entry:,} at entry, "
        f"{funnel.pairs_positive_edge:,} with a positive edge, {funnel.pairs_qualifying:,} qualifying"
    )
    text = escape(result.verdict.text)
    when = escape(f"{result.closed_at:%Y-%m-%d %H:%M} UTC, {result.settings.interval} bars")
    note = "" if result.verdict.calibrated else " The expected edges are not calibrated on later data."
    return f"<div><p><strong>{text}</strong></p><p>{when}: {counts}.{note}</p>{_table(result)}</div>"


def _table(result: ScreenResult) -> str:
    if result.candidates.empty:
        return ""
    columns = _COLUMNS | (_BELIEVED if result.verdict.calibrated else {})
    titles = ["y / x", "long", "short", *columns, "why not"]
    head = "".join(f"<th>{escape(title)}</th>" for title in titles)
    rows = result.candidates.head(_SHOWN_ROWS).to_dict("records")
    body = "".join(f"<tr>{_cells(row, columns)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cells(row: dict[str, Any], columns: dict[str, tuple[str, Callable[[float], str]]]) -> str:
    sides = {
        side: ", ".join(row[leg] for leg in ("y", "x") if row[f"side_{leg}"] == side) for side in ("long", "short")
    }
    numbers = [_number(row[name], form) for name, form in columns.values()]
    pair, why_not = f"{row['y']} / {row['x']}", row["misses"][0] if row["misses"] else ""
    cells = [pair, sides["long"], sides["short"], *numbers, why_not]
    return "".join(f"<td>{escape(str(cell))}</td>" for cell in cells)


def _number(value: float, write: Callable[[float], str]) -> str:
    return write(value) if np.isfinite(value) else "unknown"
