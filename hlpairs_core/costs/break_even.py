"""How far out a spread must be for its expected reversion to pay the costs."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias, Union

import numpy as np
import pandas as pd

from hlpairs_core._typing import FloatArray
from hlpairs_core.costs.checks import check_number

if TYPE_CHECKING:
    from hlpairs_core.screening import Candidate, ScreenSettings

__all__ = ["Candidates", "break_even_z", "column_of", "fixed_cost_bps"]

Candidates: TypeAlias = Union["Candidate", pd.DataFrame, Mapping[str, float]]


def break_even_z(
    candidates: Candidates, *, settings: "ScreenSettings", gas_usd: float = 0.0, flash_loan_bps: float = 0.0
) -> FloatArray:
    """Return the size of z from which the expected reversion is worth more than all costs.

    Parameters
    ----------
    candidates : Candidate or DataFrame
        One candidate, or rows with the columns of `ScreenResult.candidates`. Read are σ, β, the half-life, the
        notionals, and fee, slippage and funding as they are there: those of the settings' notional and of the hold
        expected now.
    settings : ScreenSettings
        ``z_out``, ``horizon_hours`` and the length of a bar.
    gas_usd : float
        Paid once a round trip, whatever the size (USD).
    flash_loan_bps : float
        Premium of a loan, in bps of gross notional.

    Returns
    -------
    ndarray, shape () or (n_pairs,)
        0 where funding pays for everything; NaN where a cost is unknown or nothing reverts.

    Raises
    ------
    InputError
        For a negative gas or premium.

    Notes
    -----
    The expected gross is ``K min(max(|z| - z_out, d_1 |z|), d_H |z|)`` with ``K = 1e4 σ / (1 + |β|)`` and the shares
    d_1 and d_H of a deviation that decay within one bar and within the horizon, as the screen expects it; it is
    inverted here term by term. At the break-even the expected net edge is 0, a coin's toss and no reason to trade.
    """
    sigma, beta, half_life = (column_of(candidates, name) for name in ("sigma", "beta", "half_life_hours"))
    cost = fixed_cost_bps(candidates, flash_loan_bps=flash_loan_bps) + column_of(candidates, "slippage_bps")
    check_number("gas_usd", gas_usd, low=0, high=1e9)
    cost = cost + 1e4 * gas_usd / (column_of(candidates, "notional_y_usd") + column_of(candidates, "notional_x_usd"))
    reverting = np.where((half_life > 0) & (sigma > 0), half_life, np.nan)
    in_a_bar, in_horizon = (-np.expm1(-np.log(2) * hours / reverting) for hours in _bounds(settings))
    needed = np.maximum(cost * (1 + np.abs(beta)) / (1e4 * np.where(sigma > 0, sigma, np.nan)), 0.0)
    until_out = np.minimum(needed + settings.z_out, needed / in_a_bar)
    return np.asarray(np.maximum(until_out, needed / in_horizon))


def fixed_cost_bps(candidates: Candidates, *, flash_loan_bps: float) -> FloatArray:
    """Return what is paid whatever the size, in bps of gross notional: fees and a loan's premium less funding."""
    check_number("flash_loan_bps", flash_loan_bps, low=0, high=10_000)
    return column_of(candidates, "fee_bps") + flash_loan_bps - column_of(candidates, "funding_bps")


def column_of(candidates: Candidates, name: str) -> FloatArray:
    """Return one number of a candidate (or of its row), shape (), or one column of a table."""
    values = candidates[name] if isinstance(candidates, (pd.DataFrame, Mapping)) else getattr(candidates, name)
    return np.asarray(values, dtype=np.float64)


def _bounds(settings: "ScreenSettings") -> tuple[float, float]:
    return settings.bar_hours, settings.horizon_hours
