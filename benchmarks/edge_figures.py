"""What a policy would have brought, as figures and tables of ``docs/edge.md``.

``python benchmarks/edge_figures.py --data FOLDER --fit-until 2025-02-15 [--rows FOLDER] [--figures docs/figures]``:
Markdown tables, and as the last line one JSON object. ``notebooks/edge.ipynb`` shows the same.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pandas as pd

from benchmarks.edge_study import CHOSEN, MODEL, EdgeStudy, edge_study
from benchmarks.interval_chart import Mark, interval_chart
from benchmarks.walked import last_line

TITLES = {
    "policies": ("Net of a trade, before and from the cut on", ("span",)),
    "costs": ("Net of a trade, by slippage and by bars of delay", ("slippage", "delay")),
    "cuts": ("Net of a trade, by time stop, bar length, liquidity and kind", ("horizon", "bars", "liquidity", "kind")),
}
"""Of each figure: title and cuts."""

LABELS = {"slippage": "slippage ", "delay": "delay ", "horizon": "stop ", "bars": "bars of ", "liquidity": "volume "}
NEEDED = ("candles_1h.parquet", "candles_5m.parquet", "funding.parquet")


@dataclass(frozen=True)
class Figure:
    """A chart that a notebook shows."""

    svg: str

    def _repr_svg_(self) -> str:
        return self.svg


@dataclass(frozen=True)
class Words:
    """Text that a notebook shows."""

    markdown: str

    def __repr__(self) -> str:
        return self.markdown

    def _repr_markdown_(self) -> str:
        return self.markdown


@dataclass(frozen=True, eq=False)
class EdgeFigures:
    """A study as a notebook asks for it; without recordings every answer is the sentence that says so."""

    study: EdgeStudy | None
    missing: str = ""

    def figure(self, name: str) -> Figure | Words:
        """Return one of `TITLES` as a chart."""
        return Words(self.missing) if self.study is None else Figure(chart(self.study, name))

    def table(self, name: str) -> Words:
        """Return its numbers."""
        return Words(self.missing if self.study is None else "\n\n".join(tables(self.study, name)))

    def search(self) -> Words:
        """Return what was tried and chosen, and what that promised and brought before the cut."""
        return Words(self.missing if self.study is None else search_text(self.study))

    def verdict(self) -> Words:
        """Return whether the chosen rule becomes the default, and why."""
        return Words(self.missing if self.study is None else verdict_text(self.study))


def open_study(data: str | Path, *, fit_until: str, rows: str | Path | None = None) -> EdgeFigures:
    """Make the study of a folder of recordings, or say in a sentence that it is not there."""
    data = Path(data)
    absent = [name for name in NEEDED if not (data / name).is_file()]
    if absent:
        return EdgeFigures(None, f"There are no recordings at {data} ({absent[0]} is missing), so nothing is shown.")
    cut = pd.Timestamp(fit_until, tz="UTC")
    return EdgeFigures(edge_study(data, fit_until=cut, folder=None if rows is None else Path(rows)))


def chart(study: EdgeStudy, name: str) -> str:
    """Draw one figure."""
    title, cuts = TITLES[name]
    groups: dict[str, dict[str, Mark]] = {}
    for cut in cuts:
        for row in _shown(study, cut).itertuples():
            label = LABELS.get(cut, "")
            mark = Mark(row.net_bps, row.low_bps, row.high_bps, row.worst_bps)
            groups.setdefault(f"{label}{row.value}", {})[row.policy] = mark
    return interval_chart(title, groups, x_label="bps of gross notional, 90 % interval of resampled weeks")


def _shown(study: EdgeStudy, cut: str) -> pd.DataFrame:
    """Return the accounts of a cut: a policy that trades nothing is told of once, not in every cut."""
    rows = study.table[study.table["cut"] == cut]
    if cut not in ("span", "kind"):
        rows = rows[(rows["policy"] != MODEL) | (rows["n"] > 0)]
    return rows.sort_values(
        "value", key=lambda values: values.map({v: n for n, v in enumerate(values.unique())}), kind="stable"
    )


def tables(study: EdgeStudy, name: str) -> list[str]:
    """Return one Markdown table a cut of a figure."""
    return [_markdown(cut, _shown(study, cut)) for cut in TITLES[name][1]]


def search_text(study: EdgeStudy) -> str:
    """Say what was tried and how the search did, nested, before the cut."""
    nested, best = study.nested, study.nested.table.set_index("rule").loc[study.chosen]
    pbo = nested.overfitting.probability if nested.overfitting is not None else float("nan")
    folds = [
        f"| {fold.start:%Y-%m-%d} | {fold.stop:%Y-%m-%d} | {fold.rule or 'nothing'} | "
        f"{_net(fold.promised)} | {_net(fold.realised)} | {fold.realised.n} |"
        for fold in nested.folds
    ]
    head = ["| from | to | chosen before it | promised | realised | n |", "|---|---|---|---|---|---|"]
    return "\n".join(
        [
            f"**{nested.n_tried} rules were tried.** Best before {study.fit_until:%Y-%m-%d}: {study.chosen} "
            f"({best['net_bps']:.0f} bps, worst 5 % {best['worst_bps']:.0f}, over {int(best['n'])} trades). Deflated "
            f"Sharpe {nested.deflated_sharpe:.2f}, PBO {pbo:.2f}; best in hindsight {_net(nested.hindsight)}, nested "
            f"choice {_net(nested.realised)} [{nested.low_bps:.0f}, {nested.high_bps:.0f}], nothing traded at "
            f"{nested.none_share:.0%} of the bars.",
            "",
            *head,
            *folds,
        ]
    )


def verdict_text(study: EdgeStudy) -> str:
    """Say whether the chosen rule becomes the default."""
    found = study.table[(study.table["cut"] == "slippage") & (study.table["policy"] == CHOSEN)].set_index("value")
    said = " and ".join(
        f"[{found.loc[value, 'low_bps']:.0f}, {found.loc[value, 'high_bps']:.0f}] at {value} slippage"
        for value in ("1 ×", "2 ×")
    )
    weeks = int(found.loc["1 ×", "n_blocks"])
    answer = "becomes the default" if study.becomes_default else "does not become the default: none qualifies"
    return f"The chosen rule's mean lies in {said}, of {weeks} weeks with a trade, so it {answer}."


def _net(net) -> str:  # type: ignore[no-untyped-def]
    return "" if net.n == 0 else f"{net.mean:.0f} (worst 5 %: {net.worst_mean:.0f})"


def _share(share: float) -> str:
    return "" if share != share else f"{100 * share:.0f} %"


def _markdown(cut: str, rows: pd.DataFrame) -> str:
    head = [cut, "policy", "n", "none", "gross", "fees", "slippage", "funding", "net", "90 %", "worst 5 %"]
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for row in rows.itertuples():
        if row.n == 0:
            lines.append(f"| {row.value} | {row.policy} | 0 | {_share(row.none_share)} |" + " |" * 7)
            continue
        amounts = [f"{round(value)}" for value in (row.gross_bps, row.fee_bps, row.slippage_bps, row.funding_bps)]
        interval = "" if row.low_bps != row.low_bps else f"[{round(row.low_bps)}, {round(row.high_bps)}]"
        told = [row.value, row.policy, f"{row.n:,}", _share(row.none_share), *amounts]
        lines.append(f"| {' | '.join([*told, f'{round(row.net_bps)}', interval, f'{row.worst_bps:,.0f}'])} |")
    return "\n".join(lines)


def main() -> None:
    """Study, draw, print."""
    parser = argparse.ArgumentParser(prog="edge_figures", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with the recorded Parquet files")
    parser.add_argument("--fit-until", required=True, help="day (UTC): rules are chosen on data before it alone")
    parser.add_argument("--rows", type=Path, help="folder that keeps the walk-forwards between runs")
    parser.add_argument("--figures", type=Path, help="folder for the SVG files; none are written when left out")
    given = parser.parse_args()
    found = open_study(given.data, fit_until=given.fit_until, rows=given.rows)
    if found.study is None:
        sys.exit(found.missing)
    print(search_text(found.study), "\n")
    for name in TITLES:
        print("\n\n".join(tables(found.study, name)), "\n")
        if given.figures is not None:
            given.figures.mkdir(parents=True, exist_ok=True)
            (given.figures / f"edge-{name}.svg").write_text(chart(found.study, name), encoding="utf-8")
    print(verdict_text(found.study))
    print(last_line({"n_tried": found.study.nested.n_tried, "becomes_default": found.study.becomes_default}))


if __name__ == "__main__":
    main()
