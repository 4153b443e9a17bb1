"""``hlpairs screen``: one screen on the running engine's data, as text or JSON."""

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hlpairs_core.edge import CalibratedEdge
from hlpairs_core.engine.client import EngineClient
from hlpairs_core.engine.connect import connect
from hlpairs_core.engine.edge_files import load_fit
from hlpairs_core.engine.edge_fits import TOO_OLD
from hlpairs_core.engine.run import cost_model, screen_settings
from hlpairs_core.engine.selector import EXTRA_BARS
from hlpairs_core.exceptions import EngineError, InputError
from hlpairs_core.exchange import OrderBook
from hlpairs_core.market import MarketState, Panel
from hlpairs_core.screening import ScreenResult, ScreenSettings, screen
from hlpairs_core.settings import Settings
from hlpairs_core.wording import by_luck, printable

__all__ = ["market_state", "screen_once", "to_json", "to_text", "wait_until_ready"]

READY_SECONDS = 900.0


def screen_once(
    settings: Settings, *, market: str | None = None, note: Callable[[str], None] = lambda _line: None
) -> ScreenResult:
    """Screen every pair at the last closed bar with these settings, on the running engine's data and by its model.

    Pairs of perpetuals only: spot is screened by the engine alone. An engine is started if none runs; `note` gets a
    line when there is something to wait for or to know, as where the engine has spot.

    Raises
    ------
    EngineError
        If the engine does not start, serves another market, does not become ready, or finds no pair to form.
    InputError
        If the settings contradict each other.
    """
    screening = screen_settings(settings)
    with connect(settings.data_dir, market=market) as client:
        payload = wait_until_ready(client, note=note)
        if payload["market"]["fallback"]:
            note(f"! {payload['market']['fallback']}")
        if payload.get("carry"):
            note("! only pairs of perpetuals are screened here: the engine holds spot against them too, see the page")
        bar = payload["bar"]
        if bar is None:
            raise EngineError(payload["verdict"]["text"])
        bars = screening.window + 1 + EXTRA_BARS
        candles, funding = client.candles(bars=bars), client.funding(bars=bars)
        # A bar may have closed since: some coins would have it already, and others not.
        panel = Panel.from_candles(
            candles, funding if len(funding) else None, interval=screening.interval, end=bar["closed_at"]
        )
        state = market_state(client, panel.closed_at)
    edge = _kept_edge(settings.data_dir / payload["market"]["name"], screening, panel.closed_at, note)
    return screen(panel, settings=screening, costs=cost_model(settings), market=state, edge=edge)


def _kept_edge(
    folder: Path, screening: ScreenSettings, closed_at: pd.Timestamp, note: Callable[[str], None]
) -> CalibratedEdge | None:
    """Return the models that the engine has kept, where they are of these settings and no week old."""
    try:
        kept = load_fit(folder, screening)
    except InputError as error:
        note(f"! uncalibrated: {error}")
        return None
    if kept is None or not closed_at - TOO_OLD <= kept.closed_at <= closed_at:
        note("! uncalibrated: the engine has not fitted a model yet, or none of the last week")
        return None
    return kept.edge


def wait_until_ready(
    client: EngineClient,
    *,
    note: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Any] = time.sleep,
) -> Any:
    """Wait until the engine has screened its first bar and loaded all coins; return its answer.

    Raises
    ------
    EngineError
        If it is not ready after 15 minutes.
    """
    deadline, said = clock() + READY_SECONDS, ""
    while clock() < deadline:
        payload = client.top()
        if payload["phase"] in ("ready", "empty") and payload["loading"] is None:
            return payload
        text = (
            "; ".join(one["text"] for one in payload["problems"])
            or (payload["loading"] or {"text": "starting"})["text"]
        )
        if text != said:
            note(f"waiting for the engine: {text}")
            said = text
        sleep(0.5)
    raise EngineError(f"the engine at {client.url} is not ready after {READY_SECONDS / 60:.0f} minutes: {said}")


def market_state(client: EngineClient, as_of: pd.Timestamp) -> MarketState:
    """Return what the exchange said last, as the engine has it."""
    books = {
        coin: OrderBook(coin, pd.Timestamp(said["time"]), _side(said["bids"]), _side(said["asks"]))
        for coin, said in client.books().items()
    }
    return MarketState(as_of=as_of, contexts=client.universe(), books=books)


def _side(levels: list[list[float]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array(levels, dtype=np.float64).reshape(-1, 2)


def to_json(result: ScreenResult, rows: int) -> dict[str, Any]:
    """Return the result as plain JSON values; unknown numbers are null."""
    head = json.loads(result.candidates.head(rows).to_json(orient="records", double_precision=15))
    return {
        "closed_at": result.closed_at.isoformat(),
        "verdict": asdict(result.verdict),
        "top": _plain(asdict(result.top)) if result.top is not None else None,
        "nearest_miss": _plain(asdict(result.nearest_miss)) if result.nearest_miss is not None else None,
        "funnel": asdict(result.funnel),
        "settings": asdict(result.settings),
        "costs": asdict(result.costs),
        "candidates": head,
    }


def to_text(result: ScreenResult, rows: int) -> str:
    """Return the verdict, the funnel and the best candidates as lines for a terminal."""
    funnel = result.funnel
    lines = [
        f"At {result.closed_at:%Y-%m-%d %H:%M} UTC: {printable(result.verdict.text)}",
        f"{funnel.coins_eligible} of {funnel.coins_listed} coins, {funnel.pairs:,} pairs, "
        f"{funnel.pairs_dependent:,} tested, {funnel.pairs_cointegrated:,} cointegrated "
        f"(luck alone: {by_luck(funnel.expected_by_luck)}), {funnel.pairs_at_entry:,} at entry, "
        f"{funnel.pairs_qualifying:,} qualify. Edges in bps of gross notional, "
        f"{'calibrated' if result.verdict.calibrated else 'uncalibrated'}.",
        "",
    ]
    head = result.candidates.head(rows)
    table = pd.DataFrame(
        {
            "pair": [printable(f"{one.y}/{one.x}") for one in head.itertuples()],
            "sides": [f"{one.side_y}/{one.side_x}" for one in head.itertuples()],
            "beta": head["beta"].map("{:.3f}".format),
            "z": head["zscore"].map("{:+.2f}".format),
            "p": head["p_value"].map("{:.4f}".format),
            "gross": head["gross_bps"].map("{:.1f}".format),
            "fees": head["fee_bps"].map("{:.1f}".format),
            "slippage": head["slippage_bps"].map("{:.1f}".format),
            "funding": head["funding_bps"].map("{:+.1f}".format),
            "net": head["net_edge_bps"].map("{:+.1f}".format),
            **(_believed(head) if result.verdict.calibrated else {}),
            "hold h": head["hold_hours"].map("{:.0f}".format),
            "misses": ["; ".join(map(printable, one)) or "qualifies" for one in head["misses"]],
        }
    )
    return "\n".join([*lines, table.to_string(index=False)] if len(table) else lines)


def _believed(head: pd.DataFrame) -> dict[str, pd.Series]:
    names = {"believed": "mean_net_bps", "above, 90 %": "lower_net_bps"}
    return {title: head[name].map(_signed_or_unknown) for title, name in names.items()}


def _signed_or_unknown(value: float) -> str:
    return f"{value:+.1f}" if math.isfinite(value) else "unknown"


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in values.items()
    }
