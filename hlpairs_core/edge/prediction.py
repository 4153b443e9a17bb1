"""What a fitted cell says about candidates, as a table."""

import numpy as np
import pandas as pd

from hlpairs_core._typing import FloatArray
from hlpairs_core.edge.cell import Cell
from hlpairs_core.edge.choice import LEVEL_Z
from hlpairs_core.edge.features import FORMS
from hlpairs_core.edge.market_record import reads_market
from hlpairs_core.exceptions import InputError

__all__ = ["PREDICTED", "check_record", "predicted"]

PREDICTED = (
    "mean_net_bps", "standard_error_bps", "lower_net_bps", "qualifies", "low_net_bps", "high_net_bps",
    "gain_probability", "deviation_bps", "worst_net_bps", "share", "gross_share", "funding_share",
)  # fmt: skip
"""Columns of a prediction: see `EdgeModel.predict`."""


def check_record(rows: pd.DataFrame, cell: Cell) -> None:
    """Refuse candidates without records where the model reads them."""
    terms = FORMS[cell.form]
    needed = {
        "record_share": any(name.endswith("record") for name in terms),
        "market_share_low": reads_market(terms),
    }
    for name, is_read in needed.items():
        if is_read and name not in rows:
            raise InputError(
                f"this model reads the records of pairs and market and the candidates have no column {name!r}: "
                "give past=, earlier candidates with their outcomes"
            )


def predicted(rows: pd.DataFrame, cell: Cell, hours: float) -> pd.DataFrame:
    """Return what `EdgeModel.predict` does."""
    found = cell.expected(rows, horizon_hours=hours)
    mean, error = found.net_bps(rows), found.standard_error_bps
    noise = found.noise_bps
    low, high = cell.shape.interval(found.share)
    deviation, worst = cell.shape.risk(found.share)
    lower = mean - LEVEL_Z * error
    if reads_market(FORMS[cell.form]):
        # That nothing arrives in this market cannot be excluded: the costs would be all.
        nothing = -np.asarray(rows["expected_fee_bps"] + rows["expected_slippage_bps"], dtype=np.float64)
        lower = np.where(rows["market_share_low"] > 0, lower, np.minimum(lower, nothing))
    return pd.DataFrame(
        {
            "mean_net_bps": mean,
            "standard_error_bps": error,
            "lower_net_bps": lower,
            "qualifies": lower > 0,
            "low_net_bps": mean + noise * low,
            "high_net_bps": mean + noise * high,
            "gain_probability": cell.shape.chance_above(-mean / noise, found.share),
            "deviation_bps": noise * deviation,
            "worst_net_bps": mean + noise * worst,
            "share": found.share,
            "gross_share": _share_of(rows["expected_gross_bps"], found.gross_bps),
            "funding_share": _share_of(rows["expected_funding_bps"], found.funding_bps),
        },
        index=rows.index,
    )


def _share_of(raw_bps: pd.Series, expected_bps: FloatArray) -> FloatArray:
    """Return what share of a raw expectation is expected; 0 where nothing is expected of nothing."""
    raw = np.asarray(raw_bps, dtype=np.float64)
    return np.asarray(np.where(expected_bps == 0, 0.0, expected_bps / np.where(raw == 0, np.nan, raw)))
