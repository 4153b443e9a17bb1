"""What it costs to trade a large position in parts: Almgren and Chriss (2000)."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hlpairs_core._typing import FloatArray
from hlpairs_core.costs.checks import check_integer, check_number
from hlpairs_core.exceptions import InputError

__all__ = ["ExecutionModel", "ExecutionSchedule"]

# The authors' rule for parameters: trading this share of a day's volume moves the price by one bid-ask spread.
_TEMPORARY_SHARE, _PERMANENT_SHARE = 0.01, 0.10


@dataclass(frozen=True, eq=False)
class ExecutionSchedule:
    """Trades of a position in equal steps of time, and what they cost against the price at the start.

    Attributes
    ----------
    holdings : ndarray, shape (n_steps + 1,)
        Units left at the ends of the steps, from the whole position to 0.
    expected_cost_usd : float
        Mean of the shortfall.
    sd_usd : float
        Its standard deviation, from the price's own moves while units are held.
    urgency_per_day : float
        κ of the efficient trajectory; 0 for even trades, NaN for a schedule that was given.
    """

    holdings: FloatArray
    expected_cost_usd: float
    sd_usd: float
    urgency_per_day: float

    @property
    def trades(self) -> FloatArray:
        """Units traded in each step, shape (n_steps,)."""
        return np.asarray(-np.diff(self.holdings))


@dataclass(frozen=True, kw_only=True)
class ExecutionModel:
    """How a price moves by itself and by what is traded, linear in the trades.

    Parameters
    ----------
    volatility_usd : float
        σ, standard deviation of a day's change of the price (USD per unit and √day).
    fixed_usd : float
        ε, cost of a unit however slowly it is traded: half the spread (USD per unit).
    temporary : float
        η, cost of a unit for each unit traded per day (USD per unit, per unit per day).
    permanent : float
        γ, move of the price that stays, for each unit (USD per unit and unit).

    Raises
    ------
    InputError
        For a negative or infinite parameter.

    Notes
    -----
    Almgren and Chriss (2000), "Optimal execution of portfolio transactions", Journal of Risk 3. With holdings x_k,
    trades n_k and steps of τ days: ``E = γ X² / 2 + ε Σ|n_k| + (η - γ τ / 2) / τ Σ n_k²`` and ``V = σ² τ Σ x_k²``.

    Examples
    --------
    >>> model = ExecutionModel(volatility_usd=0.95, fixed_usd=0.0625, temporary=2.5e-6, permanent=2.5e-7)
    >>> round(model.efficient(1_000_000, days=5, n_steps=5).expected_cost_usd)
    662500
    """

    volatility_usd: float
    fixed_usd: float
    temporary: float
    permanent: float = 0.0

    def __post_init__(self) -> None:
        for field in ("volatility_usd", "fixed_usd", "temporary", "permanent"):
            check_number(field, getattr(self, field), low=0, high=math.inf)

    @classmethod
    def from_market(
        cls, price: float, *, half_spread_bps: float, day_volatility_bps: float, day_notional_usd: float
    ) -> "ExecutionModel":
        """Return the parameters by the authors' rule: stated, not estimated.

        ε is half the spread; trading 1 % of a day's volume costs a spread more for as long as it lasts, and trading
        10 % of it moves the price by a spread for good.

        Parameters
        ----------
        price : float
            USD.
        half_spread_bps, day_volatility_bps : float
            Half the spread, and the standard deviation of a day's log return (bps).
        day_notional_usd : float
            What trades in 24 hours (USD).

        Raises
        ------
        InputError
            For a price or volume that is not above 0, or another number below 0.
        """
        check_number("price", price, low=0, high=math.inf, low_open=True)
        check_number("half_spread_bps", half_spread_bps, low=0, high=10_000)
        check_number("day_volatility_bps", day_volatility_bps, low=0, high=math.inf)
        check_number("day_notional_usd", day_notional_usd, low=0, high=math.inf, low_open=True)
        half_spread, day_units = price * half_spread_bps / 1e4, day_notional_usd / price
        return cls(
            volatility_usd=price * day_volatility_bps / 1e4,
            fixed_usd=half_spread,
            temporary=2 * half_spread / (_TEMPORARY_SHARE * day_units),
            permanent=2 * half_spread / (_PERMANENT_SHARE * day_units),
        )

    def efficient(
        self, units: float, *, days: float, n_steps: int, risk_aversion_per_usd: float = 0.0
    ) -> ExecutionSchedule:
        """Return the schedule with the least ``E + λ V``.

        ``x_k = X sinh(κ (T - t_k)) / sinh(κ T)`` with ``2 (cosh(κ τ) - 1) = τ² λ σ² / (η - γ τ / 2)``; even trades for
        λ = 0.

        Parameters
        ----------
        units : float
            X, to be sold or bought, above 0.
        days : float
            T, until when.
        n_steps : int
            Into how many trades, at least 1.
        risk_aversion_per_usd : float
            λ, what a USD² of variance is worth (per USD); 0 minds the mean only.

        Raises
        ------
        InputError
            If steps are so long that the permanent impact exceeds the temporary one, or an argument is out of bounds.
        """
        check_number("units", units, low=0, high=math.inf, low_open=True)
        check_number("days", days, low=0, high=math.inf, low_open=True)
        check_integer("n_steps", n_steps, low=1, high=1_000_000)
        check_number("risk_aversion_per_usd", risk_aversion_per_usd, low=0, high=math.inf)
        step = days / n_steps
        squared = risk_aversion_per_usd * self.volatility_usd**2 / self._net_temporary(step)
        urgency = math.acosh(1 + step**2 * squared / 2) / step
        left = days * (1 - np.arange(n_steps + 1) / n_steps)
        return self._priced(units * _sinh_ratio(urgency, left, days), step, urgency)

    def cost_of(self, holdings: ArrayLike, *, days: float) -> ExecutionSchedule:
        """Return what a given schedule costs.

        Parameters
        ----------
        holdings : array_like, shape (n_steps + 1,)
            Units left at the ends of equal steps, from the whole position to 0.
        days : float
            From the first to the last.

        Raises
        ------
        InputError
            If the holdings are not finite or do not end at 0; as `efficient`.
        """
        held = np.asarray(holdings, dtype=np.float64)
        check_number("days", days, low=0, high=math.inf, low_open=True)
        if held.ndim != 1 or len(held) < 2 or not np.all(np.isfinite(held)) or held[-1] != 0:
            raise InputError(f"holdings are {holdings!r}: use two or more finite units, the last one 0")
        return self._priced(held, days / (len(held) - 1), math.nan)

    def _priced(self, held: FloatArray, step: float, urgency: float) -> ExecutionSchedule:
        trades = -np.diff(held)
        lasting = 0.5 * self.permanent * held[0] ** 2
        cost = lasting + self.fixed_usd * np.abs(trades).sum() + self._net_temporary(step) / step * np.sum(trades**2)
        variance = self.volatility_usd**2 * step * np.sum(held[1:] ** 2)
        return ExecutionSchedule(held, float(cost), float(np.sqrt(variance)), urgency)

    def _net_temporary(self, step: float) -> float:
        net = self.temporary - 0.5 * self.permanent * step
        if net <= 0:
            raise InputError(
                f"steps of {step:g} days leave a temporary impact of {net:.3g}: take shorter steps, or a permanent "
                f"impact below {2 * self.temporary / step:.3g}"
            )
        return net


def _sinh_ratio(urgency: float, left: FloatArray, days: float) -> FloatArray:
    """Return ``sinh(κ left) / sinh(κ days)`` without overflow; the limit for κ = 0."""
    if urgency == 0:
        return left / days
    return np.asarray(np.exp(urgency * (left - days)) * np.expm1(-2 * urgency * left) / np.expm1(-2 * urgency * days))
