"""A pair's past, for a terminal and for a program."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from hlpairs_core.store.markets import SCREENS, market_with
from hlpairs_core.store.screen_history import ScreenHistory
from hlpairs_core.wording import printable

__all__ = ["history_json", "history_text", "screens_of"]


def screens_of(data_dir: Path, market: str | None = None) -> ScreenHistory:
    """Return the past screens of a market in a data folder; without a name, of the only one that has any.

    Raises
    ------
    InputError
        If the market has none, or it has to be said which is meant.
    """
    return ScreenHistory(market_with(data_dir, market, SCREENS, "past screens") / SCREENS)


def history_text(past: pd.DataFrame) -> str:
    """Return what `ScreenHistory.pair` found as lines for a terminal."""
    if past.empty:
        return "the pair was not tested since then"
    table = pd.DataFrame(
        {
            "closed at": past["closed_at"].dt.strftime("%Y-%m-%d %H:%M"),
            "pair": [printable(f"{y}/{x}") for y, x in zip(past["y"], past["x"], strict=True)],
            "p": past["p_value"].map("{:.4f}".format),
            "q": past["q_value"].map("{:.3f}".format),
            "z": past["zscore"].map("{:+.2f}".format),
            "beta": past["beta"].map("{:.3f}".format),
            "half-life h": past["half_life_hours"].map("{:.1f}".format),
            "gross": past["gross_bps"].map("{:.1f}".format),
            "fees": past["fee_bps"].map("{:.1f}".format),
            "slippage": past["slippage_bps"].map("{:.1f}".format),
            "funding": past["funding_bps"].map("{:+.1f}".format),
            "net": past["net_edge_bps"].map("{:+.1f}".format),
            "gates failed": past["gates_failed"].where(past["gates_failed"] != "", "qualifies"),
        }
    )
    return "\n".join([table.to_string(index=False), "Times UTC, edges in bps of gross notional, uncalibrated."])


def history_json(past: pd.DataFrame) -> list[dict[str, Any]]:
    """Return it as plain JSON values, a record a bar; unknown numbers are null, times are ISO 8601 (UTC)."""
    records: list[dict[str, Any]] = json.loads(past.to_json(orient="records", date_format="iso", double_precision=9))
    return records
