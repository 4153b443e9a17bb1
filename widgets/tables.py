"""The tables below the card as HTML; every text is escaped here."""

from collections.abc import Sequence
from html import escape

from widgets.views import CarryView, PageView, RecordView, RunnerView

__all__ = ["carry_html", "record_html", "runners_html"]

_RECORD = (
    "Said here", "Bars", "Named a pair", "Still open", "Trades over", "Expected, bps", "Realised, bps",
    "Worst 5 %, bps", "Gains",
)  # fmt: skip


def runners_html(view: PageView) -> str:
    """Return the runners-up; nothing where there are none."""
    if not view.runners:
        return ""
    columns = ("Pair", "Sides", "z", "Net edge, bps", "p", "Half-life", "Why not")
    return (
        '<section class="hlp-runners" aria-labelledby="hlp-runners"><h2 id="hlp-runners" tabindex="-1">Runners-up</h2>'
        f"{_table_html(columns, [_runner_html(row) for row in view.runners])}</section>"
    )


def carry_html(view: PageView) -> str:
    """Return spot against its perpetual, both directions; nothing where there is no spot."""
    if not view.carry:
        return ""
    columns = ("Pair", "Sides", "Projected funding, bps", "Costs, bps", "Net edge, bps", "Above, 90 %", "Why not")
    return (
        '<section class="hlp-runners hlp-carry" aria-labelledby="hlp-carry"><h2 id="hlp-carry">Spot against its '
        f"perpetual</h2>{_table_html(columns, [_carry_html(row) for row in view.carry])}</section>"
    )


def record_html(view: PageView) -> str:
    """Return what was said here against what came of it; nothing before anything was said."""
    if not view.record:
        return ""
    return (
        f"{_table_html(_RECORD, [_record_html(row) for row in view.record])}"
        "<p>Each answer of a closed bar is kept for ever and marked at its exit. Trades over do not overlap: a pair "
        "counts anew only when its trade before is over. Expected and realised are their means.</p>"
    )


def _table_html(columns: Sequence[str], rows: Sequence[str]) -> str:
    head = "".join(f'<th scope="col">{name}</th>' for name in columns)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _runner_html(row: RunnerView) -> str:
    numbers = (
        _number_html("z", row.z),
        _edge_html(row),
        _number_html("p", row.p_value),
        _number_html("Half-life", row.half_life),
    )
    return _pair_html(row, numbers)


def _carry_html(row: CarryView) -> str:
    numbers = (
        _number_html("Projected funding", row.funding),
        _number_html("Costs", row.costs),
        _edge_html(row),
        _number_html("Above, 90 %", row.bound),
    )
    return _pair_html(row, numbers)


def _pair_html(row: RunnerView | CarryView, numbers: Sequence[str]) -> str:
    """Return the row of a pair that can be chosen."""
    return (
        f'<tr data-key="{escape(row.key)}" class="{"hlp-shown" if row.shown else ""}">'
        f'<th scope="row"><button type="button" data-action="select" data-value="{escape(row.key)}" '
        f'aria-pressed="{"true" if row.shown else "false"}">{escape(row.pair)}</button></th>'
        f'<td data-label="Sides" class="hlp-sides">{_sides_html(row.sides)}</td>{"".join(numbers)}'
        f'<td data-label="Why not" class="hlp-why-not">{escape(row.why)}</td></tr>'
    )


def _edge_html(row: RunnerView | CarryView) -> str:
    note = f" <small>{escape(row.edge_note)}</small>" if row.edge_note else ""
    return f'<td data-label="Net edge" class="hlp-num hlp-edge-{row.edge_kind}">{escape(row.edge)}{note}</td>'


def _number_html(label: str, value: str) -> str:
    return f'<td data-label="{label}" class="hlp-num">{escape(value)}</td>'


def _sides_html(sides: str) -> str:
    spans = (
        f'<span class="{"hlp-long" if "LONG" in side else "hlp-short"}">{escape(side)}</span>'
        for side in sides.split(" / ")
    )
    return "<span> / </span>".join(spans)


def _record_html(row: RecordView) -> str:
    values = (row.bars, row.named, row.open, row.trades, row.expected, row.realised, row.worst, row.gains)
    cells = "".join(_number_html(name, value) for name, value in zip(_RECORD[1:], values, strict=True))
    return f'<tr><th scope="row">{escape(row.rule)}</th>{cells}</tr>'
