"""From the state of the engine to what it says to its readers."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, cast

import numpy as np
import pandas as pd

from hlpairs_core.engine.marks import MidsWindow, iso
from hlpairs_core.engine.payload import (
    Bar,
    Funnel,
    Loading,
    Market,
    Row,
    Settings,
    Sparkline,
    TopPayload,
    Verdict,
)
from hlpairs_core.engine.problems import Problems
from hlpairs_core.exceptions import ExchangeError
from hlpairs_core.exchange import MarketStamp
from hlpairs_core.screening import ScreenResult, mark

__all__ = ["Selection", "State", "build_payload", "describe_market", "summary", "without_sparklines"]

RUNNERS_UP = 10
LABELS = {
    "live": "LIVE",
    "testnet": "TESTNET",
    "demo": "DEMO",
    "replay": "REPLAY",
    "unverified": "UNVERIFIED",
}
PENDING = "The first screen is not done yet."


@dataclass(frozen=True, eq=False)
class Selection:
    """The answer of one closed bar, and how it came about.

    Attributes
    ----------
    result : ScreenResult
        Of the screen; its candidates are cut down to those shown.
    refit_seconds : float
        Wall time of the screens of this bar, in the worker.
    shown : tuple of (y, x)
        The selected pair (or the nearest miss) and the runners-up: these are marked on each tick.
    coins_loaded, coins_wanted : int
        How many of the coins that should be screened had their history by then.
    """

    result: ScreenResult
    refit_seconds: float
    shown: tuple[tuple[str, str], ...]
    coins_loaded: int
    coins_wanted: int

    @classmethod
    def of(cls, result: ScreenResult, refit_seconds: float, *, loaded: int, wanted: int) -> "Selection":
        """Choose the pairs to show: the answer first, then the best of the rest."""
        lead = result.top or result.nearest_miss
        first = [(lead.y, lead.x)] if lead is not None else []
        head = result.candidates.head(RUNNERS_UP + 1)
        rest = [pair for pair in zip(head["y"], head["x"], strict=True) if pair not in first]
        shown = tuple(first + rest[:RUNNERS_UP])
        # A mark need not search all pairs on each tick.
        pairs = zip(result.candidates["y"], result.candidates["x"], strict=True)
        few = result.candidates[np.array([pair in shown for pair in pairs], dtype=bool)].reset_index(drop=True)
        return cls(replace(result, candidates=few), refit_seconds, shown, loaded, wanted)


@dataclass
class State:
    """What the engine knows now. One writer: the engine's event loop."""

    settings: Settings
    problems: Problems
    address: str = ""
    fallback: str | None = None
    stamp: MarketStamp | None = None
    message_at: float | None = None
    mids: Mapping[str, float] = field(default_factory=dict)
    window: MidsWindow = field(default_factory=MidsWindow)
    selection: Selection | None = None
    empty: str | None = None  # why no pair can be formed
    loading: Loading | None = None

    def hear(self, stamp: MarketStamp) -> None:
        """Take over the market's clock from a message.

        Raises
        ------
        ExchangeError
            If it comes from another market than the first one did, as when a simulated exchange was restarted
            with another seed: what is stored and shown must not be mixed.
        """
        if self.stamp is not None and stamp.name != self.stamp.name:
            raise ExchangeError(
                f"the exchange at {self.address} is now the market {stamp.name}, not {self.stamp.name}: "
                "restart the engine to follow it"
            )
        self.stamp = stamp

    def market_time(self, now: float) -> pd.Timestamp | None:
        """Return the market's clock at wall time `now`: the last message's, moved on at the market's speed."""
        if self.stamp is None:
            return None
        elapsed = max(0.0, now - self.stamp.received_at)
        return self.stamp.time + pd.Timedelta(seconds=elapsed * self.stamp.speed)


def build_payload(state: State, *, now: float) -> TopPayload:
    """Return the answer at wall time `now`."""
    selection = state.selection
    rows = _rows(selection, state) if selection is not None else []
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
        expected_edge_bps=top["net_edge_bps"] if top else None,
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
        runners_up=rows[1:] if top or miss else rows,
        funnel=cast("Funnel", asdict(result.funnel)) if result is not None else None,
        loading=state.loading,
        problems=state.problems.all(),
        settings=state.settings,
    )


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

    kept = {**payload, "spreadSparkline": [], "top": bare(payload["top"])}
    kept["nearest_miss"] = bare(payload["nearest_miss"])
    kept["runners_up"] = [bare(row) for row in payload["runners_up"]]
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
    verdict, loaded = state.selection.result.verdict, state.selection
    text = verdict.text
    if loaded.coins_loaded < loaded.coins_wanted:
        text += f" Provisional: the history of {loaded.coins_loaded} of {loaded.coins_wanted} coins is loaded."
    return Verdict(qualifies=verdict.qualifies, text=text, calibrated=verdict.calibrated)


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


def _rows(selection: Selection, state: State) -> list[Row]:
    if not selection.shown:
        return []
    marks = mark(selection.result, state.mids, pairs=selection.shown)
    notional = selection.result.settings.notional_usd
    return [_row(one, state.window, notional) for one in marks.to_dict("records")]


_COPIED = ("y", "x", "side_y", "side_x", "slippage_source", "mark_state")
_SIGNAL = ("zscore", "signal_zscore", "beta", "p_value", "q_value", "correlation", "half_life_hours", "hold_hours")
_EDGE = ("gross_bps", "fee_bps", "slippage_bps", "funding_bps", "funding_bps_per_hour", "net_edge_bps")
_SIZE = ("signal_net_edge_bps", "notional_y_usd", "notional_x_usd", "capacity_usd")


def _row(one: Mapping[Any, Any], window: MidsWindow, notional: float) -> Row:
    frozen = {name: one[name] for name in ("alpha", "beta", "mean", "sigma")}
    net = _number(one["net_edge_bps"])
    row = {
        **{name: one[name] for name in _COPIED},
        **{name: _number(one[name]) for name in (*_SIGNAL, *_EDGE, *_SIZE)},
        "same_side": bool(one["same_side"]),
        "qualifies": bool(one["qualifies"]),
        "net_edge_usd": None if net is None else net * notional / 1e4,
        "notional_usd": notional,
        "misses": list(cast("Sequence[str]", one["misses"])),
        "sparkline": window.sparkline(one["y"], one["x"], **frozen),
    }
    return cast("Row", row)


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _iso(time: pd.Timestamp) -> str:
    return iso(time.timestamp())
