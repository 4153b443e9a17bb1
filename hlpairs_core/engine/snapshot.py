"""From the state of the engine to what it says to its readers."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Literal, cast

import numpy as np
import pandas as pd

from hlpairs_core.edge.cell import Cell
from hlpairs_core.engine.luck import LuckDraws
from hlpairs_core.engine.payload import (
    Bar,
    EdgeModelSaid,
    Funnel,
    LuckOfBest,
    Market,
    ModelHistory,
    Row,
    Sparkline,
    TopPayload,
    Verdict,
    iso,
)
from hlpairs_core.engine.state import RUNNERS_UP, Selection, State

__all__ = ["build_payload", "describe_market", "summary", "without_sparklines"]

LABELS = {
    "live": "LIVE",
    "testnet": "TESTNET",
    "demo": "DEMO",
    "replay": "REPLAY",
    "unverified": "UNVERIFIED",
}
PENDING = "The first screen is not done yet."


def build_payload(state: State, *, now: float) -> TopPayload:
    """Return the answer at wall time `now`."""
    selection = state.selection
    rows = _rows(selection, state, now) if selection is not None else []
    result = selection.result if selection is not None else None
    top = rows[0] if result is not None and result.top is not None else None
    miss = rows[0] if result is not None and result.nearest_miss is not None else None
    return TopPayload(
        baseA=top["y"] if top else None,
        baseB=top["x"] if top else None,
        sideA=top["side_y"] if top else None,
        sideB=top["side_x"] if top else None,
        beta=top["beta"] if top else None,
        zscore=top["zscore"] if top else None,
        expected_edge_bps=_expected(top) if top else None,
        funding_bps_h=top["funding_bps_per_hour"] if top else None,
        fee_bps=top["fee_bps"] if top else None,
        slippage_bps=top["slippage_bps"] if top else None,
        spreadSparkline=top["sparkline"]["z"] if top else [],
        updated_at=iso(state.message_at) if state.message_at is not None else None,
        phase=_phase(state),
        message_age_seconds=None if state.message_at is None else round(max(0.0, now - state.message_at), 3),
        market=describe_market(state, now=now),
        bar=_bar(selection, state, now) if selection is not None else None,
        verdict=_verdict(state),
        top=top,
        nearest_miss=miss,
        runners_up=(rows[1:] if top or miss else rows)[:RUNNERS_UP],
        carry=[row for row in rows if row["kind"] == "spot_perp"],
        funnel=cast("Funnel", asdict(result.funnel)) if result is not None else None,
        luck=_luck(selection, state.luck),
        edge_model=_edge_model(state),
        track_record=state.track_record,
        loading=state.loading,
        problems=state.problems.all(),
        settings=state.settings,
    )


def _expected(row: Row) -> float | None:
    believed = row["believed"]
    return row["net_edge_bps"] if believed is None else believed["mean_net_bps"]


def describe_market(state: State, *, now: float) -> Market:
    """Return which market this is. Before the first message nothing is claimed."""
    stamp, time = state.stamp, state.market_time(now)
    kind = stamp.kind if stamp is not None else "unverified"
    return Market(
        kind=kind,
        label=LABELS[kind],
        name=stamp.name if stamp is not None else "",
        address=state.address,
        speed=stamp.speed if stamp is not None else 1.0,
        time=_iso(time) if time is not None else None,
        fallback=state.fallback,
    )


def summary(payload: TopPayload) -> dict[str, Any]:
    """Return what the history keeps of one answer: the pair's numbers, or those of the nearest miss."""
    names = ("baseA", "baseB", "sideA", "sideB", "beta", "zscore", "expected_edge_bps", "funding_bps_h")
    said = cast("Mapping[str, Any]", payload)
    kept: dict[str, Any] = {name: said[name] for name in (*names, "fee_bps", "slippage_bps", "updated_at")}
    kept["qualifies"] = payload["verdict"]["qualifies"]
    kept["market_time"] = payload["market"]["time"]
    miss = payload["nearest_miss"]
    kept["nearest_miss"] = None if miss is None else {name: miss[name] for name in ("y", "x", "zscore", "net_edge_bps")}
    return kept


def without_sparklines(payload: TopPayload) -> TopPayload:
    """Return the answer as the journal keeps it for ever: sparklines can be had from the snapshots."""

    def bare(row: Row | None) -> Row | None:
        return None if row is None else Row(**{**row, "sparkline": Sparkline(t=[], z=[])})

    said = cast("Mapping[str, list[Row]]", payload)
    kept = {**payload, "spreadSparkline": [], "top": bare(payload["top"])}
    kept["nearest_miss"] = bare(payload["nearest_miss"])
    for name in ("runners_up", "carry"):
        kept[name] = [bare(row) for row in said[name]]
    return cast("TopPayload", kept)


def _phase(state: State) -> Literal["loading", "ready", "empty", "error"]:
    if state.empty is not None:
        return "empty"
    if state.selection is None:
        return "error" if "bars" in state.problems else "loading"
    return "empty" if state.selection.result.funnel.coins_eligible < 2 else "ready"


def _verdict(state: State) -> Verdict:
    if state.selection is None:
        return Verdict(qualifies=False, text=state.empty or PENDING, calibrated=False)
    verdict = state.selection.result.verdict
    text = verdict.text + _coverage(state.selection)
    return Verdict(qualifies=verdict.qualifies, text=text, calibrated=verdict.calibrated)


def _coverage(selection: Selection) -> str:
    loaded, wanted, guessed = selection.coins_loaded, selection.coins_wanted, selection.coins_unconfirmed
    if loaded < wanted:
        if not selection.is_final:
            return f" Provisional: the history of {loaded} of {wanted} coins is loaded."
        return f" Screened without {wanted - loaded} of {wanted} coins, whose candles did not come."
    if guessed:
        word = " The" if selection.is_final else " Provisional: the"
        return f"{word} candles of {guessed} of {wanted} coins are not confirmed by the exchange."
    return ""


def _luck(selection: Selection | None, draws: LuckDraws | None) -> LuckOfBest | None:
    """Say how often luck alone gives a test as good as the best one of a bar; None while that is not known."""
    if selection is None or draws is None:
        return None
    t_stat = selection.table.rows["t_stat"]
    known = t_stat[np.isfinite(t_stat)]
    if not len(known):
        return None
    best = float(known.min())
    return LuckOfBest(t_stat=best, chance=draws.chance_of(best), screens=len(draws.best))


def _edge_model(state: State) -> EdgeModelSaid:
    fit, models = state.edge_fit, {} if state.edge is None else state.edge.models
    asked = state.settings["horizon_hours"], state.settings["z_in"]
    return EdgeModelSaid(
        stage=fit.stage,
        text=fit.text,
        done=fit.done,
        total=fit.total,
        fitted_at=None if fit.fitted_at is None else _iso(fit.fitted_at),
        history=[_history(model.grid.kind, model.cells[asked]) for model in models.values()],
    )


def _history(kind: str, cell: Cell) -> ModelHistory:
    return ModelHistory(
        kind=cast("Literal['perp_perp', 'spot_perp']", kind),
        form=cell.form,
        trades=cell.n_rows,
        choices=cell.arrival.n,
        arrived=_known(cell.arrival.raw),
        arrived_error=_known(cell.arrival.standard_error),
    )


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _bar(selection: Selection, state: State, now: float) -> Bar:
    result = selection.result
    time = state.market_time(now) or result.closed_at
    return Bar(
        interval=result.settings.interval,
        time=_iso(result.bar_time),
        closed_at=_iso(result.closed_at),
        age_seconds=max(0.0, (time - result.closed_at).total_seconds()),
        refit_seconds=round(selection.refit_seconds, 3),
        coins=result.funnel.coins_eligible,
        pairs=result.funnel.pairs_dependent,
    )


def _rows(selection: Selection, state: State, now: float) -> list[Row]:
    return selection.marks.rows(state.ticks.mids(now, selection.marks.coins), state.seconds)


def _iso(time: pd.Timestamp) -> str:
    return iso(time.timestamp())
