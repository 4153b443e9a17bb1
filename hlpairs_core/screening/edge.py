"""Expected edge of a pair under frozen parameters: the formulas, vectorised.

Units: bps of gross notional (both legs together), hours, natural logarithms.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hlpairs_core._typing import FloatArray
from hlpairs_core.costs import funding_stamps
from hlpairs_core.screening.settings import ScreenSettings

__all__ = ["ExpectedEdge", "expected_edge", "leg_weights", "spread_zscore"]


@dataclass(frozen=True, eq=False)
class ExpectedEdge:
    """What trades are expected to earn; every array has shape (n_pairs,).

    Attributes
    ----------
    hold_hours : ndarray
        Time until z has decayed to ``z_out``; NaN without a half-life.
    gross_bps : ndarray
        Reversion expected within the hold.
    funding_bps : ndarray
        Funding at the stamps inside the hold, positive when received.
    net_edge_bps : ndarray
        ``gross - fee - slippage + funding``; NaN where one of them is unknown.
    """

    hold_hours: FloatArray
    gross_bps: FloatArray
    funding_bps: FloatArray
    net_edge_bps: FloatArray


def spread_zscore(
    price_y: FloatArray,
    price_x: FloatArray,
    *,
    alpha: FloatArray | float,
    beta: FloatArray | float,
    mean: FloatArray | float,
    sigma: FloatArray | float,
) -> FloatArray:
    """Return ``(log y - α - β log x - mean) / σ``; NaN where a price is NaN or σ is not above 0."""
    spread = np.log(price_y) - alpha - beta * np.log(price_x) - mean
    scale = np.asarray(sigma)
    return np.asarray(spread / np.where(scale > 0, scale, np.nan))


def leg_weights(beta: FloatArray | float) -> tuple[FloatArray, FloatArray]:
    """Return each leg's share of the gross notional: ``1 / (1 + |β|)`` for y and ``|β| / (1 + |β|)`` for x.

    β is a ratio of notionals, since both prices are logarithms.
    """
    size = np.abs(np.asarray(beta))
    return 1 / (1 + size), size / (1 + size)


def expected_edge(
    distance: FloatArray,
    *,
    sigma: FloatArray,
    beta: FloatArray,
    half_life_hours: FloatArray,
    fee_bps: FloatArray,
    slippage_bps: FloatArray,
    funding_bps_per_hour: FloatArray,
    entry_time: pd.Timestamp,
    settings: ScreenSettings,
) -> ExpectedEdge:
    """Return what trades are expected to earn when the spread decays by half in each half-life.

    Parameters
    ----------
    distance : ndarray, shape (n_pairs,)
        How far z is out, counted in the direction that the trade's sides bet against: positive where a decay
        to the mean earns.
    sigma, beta, half_life_hours : ndarray
        Frozen parameters: standard deviation of the spread, hedge ratio, half-life (hours). Without a
        half-life (NaN or not above 0) no reversion is expected: hold, gross and net are NaN.
    fee_bps, slippage_bps, funding_bps_per_hour : ndarray
        Costs of the whole round trip and funding, in bps of gross notional.
    entry_time : pandas.Timestamp
        When the trade would be entered; decides which funding stamps lie in the hold.
    settings : ScreenSettings
        ``z_out``, ``horizon_hours`` and the length of a bar.

    Notes
    -----
    ``hold = half_life log2(|z| / z_out)``, at least one bar, at most the horizon (which it is for z_out = 0),
    and ``gross = 1e4 σ distance (1 - 2 ** (-hold / half_life)) / (1 + |β|)``: the log spread moves by
    ``σ distance`` less what is left, and a unit of it is worth the y leg's share of the gross notional.
    """
    half_life = np.where(np.isfinite(half_life_hours) & (half_life_hours > 0), half_life_hours, np.nan)
    hold = _hold_hours(np.abs(distance), half_life, settings)
    weight_y, _ = leg_weights(beta)
    gross = 1e4 * sigma * distance * -np.expm1(-np.log(2) * hold / half_life) * weight_y
    funding = funding_bps_per_hour * funding_stamps(entry_time, hold)
    return ExpectedEdge(hold, gross, funding, gross - fee_bps - slippage_bps + funding)


def _hold_hours(size: FloatArray, half_life: FloatArray, settings: ScreenSettings) -> FloatArray:
    if settings.z_out == 0:
        wanted = np.where(np.isfinite(half_life + size), settings.horizon_hours, np.nan)
    else:
        with np.errstate(divide="ignore"):
            wanted = half_life * np.log2(size / settings.z_out)
    return np.asarray(np.clip(wanted, settings.bar_hours, settings.horizon_hours))
