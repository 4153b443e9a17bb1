"""What a screen asks of whoever says how much of its expectations can be believed."""

from typing import Any, Protocol

import numpy as np
import pandas as pd

from hlpairs_core._typing import BoolArray, FloatArray
from hlpairs_core.screening.edge import ExpectedEdge
from hlpairs_core.screening.settings import ScreenSettings

__all__ = ["FORECASTS", "EdgeForecast", "believed_bps", "forecast_columns"]

FORECASTS = (
    "mean_net_bps", "standard_error_bps", "lower_net_bps", "low_net_bps", "high_net_bps", "gain_probability",
    "deviation_bps", "worst_net_bps", "gross_share", "funding_share",
)  # fmt: skip
"""Numbers of a forecast that candidates carry: see `Candidate`."""


class EdgeForecast(Protocol):
    """Says what candidates are expected to bring: a `CalibratedEdge`."""

    def predict(self, rows: pd.DataFrame, *, settings: ScreenSettings) -> pd.DataFrame:
        """Return `FORECASTS` of candidates (`ScreenResult.signals`), with their index; NaN where nothing is known."""


def forecast_columns(said: pd.DataFrame | None, signals: BoolArray) -> dict[str, Any]:
    """Return the forecasts of all tested pairs, shape (n_pairs,): NaN where there is none.

    Parameters
    ----------
    said : DataFrame or None
        Forecasts of the signals, in their order; None without a model.
    signals : ndarray of bool, shape (n_pairs,)
        Which pairs they are of.
    """
    columns = {}
    for name in FORECASTS:
        columns[name] = np.full(len(signals), np.nan)
        if said is not None:
            columns[name][signals] = said[name].to_numpy(dtype=np.float64)
    return columns


def believed_bps(
    edge: ExpectedEdge,
    *,
    gross_share: FloatArray,
    funding_share: FloatArray,
    fee_bps: FloatArray,
    slippage_bps: FloatArray,
    mean_net_bps: FloatArray,
    lower_net_bps: FloatArray,
    held: BoolArray,
) -> tuple[FloatArray, FloatArray]:
    """Return the calibrated mean net edge at other prices, and what it is above with 90 %, shape (n_pairs,) each.

    The shares that arrive are those of the signal, and so is the way from the mean down to its bound (`mean_net_bps,
    lower_net_bps`). What is `held` keeps both: no price moves them.
    """
    mean = gross_share * edge.gross_bps + funding_share * edge.funding_bps - fee_bps - slippage_bps
    mean = np.where(held, mean_net_bps, mean)
    return mean, np.where(held, lower_net_bps, mean - (mean_net_bps - lower_net_bps))
