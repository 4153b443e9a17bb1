from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

import pandas as pd

from hlpairs_core._typing import Side

__all__ = ["CANDIDATE_COLUMNS", "Candidate"]


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One pair: what a screen found at one closed bar. The columns of `ScreenResult.candidates`.

    All ``*_bps`` are basis points of gross notional (both legs together); costs are positive, funding is
    positive when received. NaN is unknown.

    Attributes
    ----------
    kind : {"perp_perp", "spot_perp"}
        Two perpetuals, tested for cointegration; or spot and the perpetual of the same coin, held to the horizon for
        its funding: what only a test has is NaN there, and `alpha` 0, `beta` 1. y is the long leg of those.
    y, x : str
        The explained coin and its hedge; names on the wire, such as ``@142`` of spot.
    spot_token : str
        Base token of the leg that is spot, such as ``UBTC``; else empty.
    spot_leg : {"", "y", "x"}
        Which leg that is.
    side_y, side_x : {"long", "short"}
        y is sold when z > 0 and bought otherwise; x the other way round, or the same way where β < 0.
    same_side : bool
        β < 0: both legs lie on one side of the market, so the pair does not hedge it.
    alpha, beta : float
        ``log y = α + β log x + e``, fitted in the window; β is the ratio of notionals, x to y.
    mean, sigma : float
        Of e in the window (log units); the mean is 0 with a constant in the regression. σ, and with it z, is
        NaN where e is no more than rounding, as for one asset twice.
    zscore : float
        ``(log y - α - β log x - mean) / sigma`` at the signal bar's close.
    p_value, q_value : float
        Engle-Granger p (null hypothesis: not cointegrated), and Benjamini-Yekutieli's q over all tested
        pairs; NaN where cointegration cannot be judged, such as for one asset twice.
    t_stat : float
        The test's statistic.
    lag : int or None
        Lags of its regression; None where there is none.
    r_squared : float
        Of the hedge regression.
    correlation : float
        Of the log returns, as the settings say.
    half_life_hours : float
        Of the spread in the window; NaN where it does not revert.
    hold_hours : float
        Expected time to ``z_out``, within one bar and the horizon; the horizon for spot.
    gross_bps : float
        Expected reversion within the hold, before costs.
    fee_bps : float
        Four taker fills.
    slippage_bps : float
        Both legs in and out; NaN where the visible book does not hold a leg.
    slippage_source : {"book", "model"}
        Walked through both coins' books, or the square-root law.
    funding_bps, funding_bps_per_hour : float
        Over the expected hold, and per hour.
    funding_source : {"market", "panel", "assumed", "unknown"}
        The exchange's running estimate, the mean of the last 24 hours' stamps (of spot: the forecast from the
        perpetual's stamps, see `screen_carry`), or an assumption for at least one leg.
    net_edge_bps : float
        ``gross - fee - slippage + funding``: a projection of the fit window, see `mean_net_bps`.
    notional_y_usd, notional_x_usd : float
        Of the legs (USD, positive); they add up to the settings' notional.
    capacity_usd : float
        Largest gross notional within the caps on both legs' volume and book shares.
    qualifies : bool
        Whether it passes every gate.
    misses : tuple of str
        Why not, most telling first.
    gates_failed : tuple of str
        Names of the gates behind `misses`, of `GATES`; of `CARRY_GATES` for spot.
    calibrated : bool
        Whether a model that was fitted on trades that are over was asked about this pair. It is asked about pairs at
        entry, and about spot that can be traded and is to receive funding; the numbers below are NaN for the others,
        and where it does not know.
    mean_net_bps, standard_error_bps, lower_net_bps : float
        Calibrated mean of the net edge, its standard error, and what it is above with 90 %: above 0, the pair
        qualifies. Error and bound are NaN where nothing was learned; the mean is less the costs alone there.
    low_net_bps, high_net_bps : float
        90 % range of this one trade.
    gain_probability : float
        Chance that it ends above 0.
    deviation_bps, worst_net_bps : float
        Standard deviation of the trade, and mean of its worst 5 %.
    gross_share, funding_share : float
        Of ``gross_bps`` and of ``funding_bps``, how much is expected to arrive:
        ``mean_net = gross_share gross + funding_share funding - fee - slippage``.
    margin_usd, capital_usd : float
        What the trade ties up at the settings' leverage.
    liquidation_distance_y, liquidation_distance_x : float
        Move of the leg's price, as a fraction, at which the exchange closes it (isolated margin, before fees and
        funding); -1 or less for a long leg that cannot be closed, infinite for spot that is paid in full, NaN where the
        coin's maximum leverage is unknown.
    break_even_z : float
        Size of z from which what is believed of the reversion pays all costs; NaN where nothing reverts.
    largest_size_usd : float
        Gross notional up to which it does, by both books, else by the slippage model; NaN for pairs not at entry.
    maker_cost_bps, maker_unfilled : float
        Costs of the round trip with resting orders, in place of fees and slippage, and the share of bars of the window
        in which not both opening orders would have been filled; NaN for pairs not at entry. See `maker_round_trip`.
    """

    kind: Literal["perp_perp", "spot_perp"]
    y: str
    x: str
    spot_token: str
    spot_leg: Literal["", "y", "x"]
    side_y: Side
    side_x: Side
    same_side: bool
    alpha: float
    beta: float
    mean: float
    sigma: float
    zscore: float
    p_value: float
    q_value: float
    t_stat: float
    lag: int | None
    r_squared: float
    correlation: float
    half_life_hours: float
    hold_hours: float
    gross_bps: float
    fee_bps: float
    slippage_bps: float
    slippage_source: Literal["book", "model"]
    funding_bps: float
    funding_bps_per_hour: float
    funding_source: Literal["market", "panel", "assumed", "unknown"]
    net_edge_bps: float
    notional_y_usd: float
    notional_x_usd: float
    capacity_usd: float
    qualifies: bool
    misses: tuple[str, ...]
    gates_failed: tuple[str, ...]
    calibrated: bool
    mean_net_bps: float
    standard_error_bps: float
    lower_net_bps: float
    low_net_bps: float
    high_net_bps: float
    gain_probability: float
    deviation_bps: float
    worst_net_bps: float
    gross_share: float
    funding_share: float
    margin_usd: float
    capital_usd: float
    liquidation_distance_y: float
    liquidation_distance_x: float
    break_even_z: float
    largest_size_usd: float
    maker_cost_bps: float
    maker_unfilled: float

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "Candidate":
        """Read one row of `ScreenResult.candidates` (a Series or a mapping); other columns are ignored."""
        return cls(**{name: _plain(row[name]) for name in CANDIDATE_COLUMNS})

    @property
    def name_y(self) -> str:
        """What people call y: ``UBTC spot`` for spot."""
        return f"{self.spot_token} spot" if self.spot_leg == "y" else self.y

    @property
    def name_x(self) -> str:
        """What people call x."""
        return f"{self.spot_token} spot" if self.spot_leg == "x" else self.x

    @property
    def expected_net_bps(self) -> float:
        """What to expect: the calibrated mean where a model was asked, else the projection."""
        return self.mean_net_bps if self.calibrated else self.net_edge_bps

    @property
    def net_edge_usd(self) -> float:
        """Expected net edge of the settings' notional (USD)."""
        return self.expected_net_bps * (self.notional_y_usd + self.notional_x_usd) / 1e4


CANDIDATE_COLUMNS = tuple(field.name for field in fields(Candidate))
"""Columns of `ScreenResult.candidates`, in order."""


def _plain(value: Any) -> Any:
    if value is pd.NA:
        return None
    return value.item() if hasattr(value, "item") else value
