import math
from dataclasses import dataclass

from hlpairs_core._typing import Dependence, DependenceMethod, LagRule
from hlpairs_core.costs import check_choice, check_integer, check_number
from hlpairs_core.exceptions import InputError
from hlpairs_core.intervals import interval_duration

__all__ = ["ScreenSettings"]

_SHORTEST_WINDOW = 30
_LONGEST_WINDOW = 100_000


@dataclass(frozen=True, kw_only=True)
class ScreenSettings:
    """What a screen looks for and how large the trade would be.

    Parameters
    ----------
    interval : str
        Candle interval of the panel.
    window : int
        Bars of the fit window; the signal bar comes after it, so a panel needs ``window + 1`` rows.
    horizon_hours : float
        Time stop (hours): longest hold. At least one bar.
    z_in, z_out : float
        A trade is entered at ``|z| >= z_in`` and left at ``|z| <= z_out``; ``0 <= z_out < z_in``.
    p_max : float
        Engle-Granger gate: a pair passes with a p-value **below** it.
    rho_min : float
        ρ*, size of the correlation of log returns that `dependence` asks for, in [0, 1].
    dependence : {"any", "inverse", "positive"}
        * "any": ``|ρ| >= rho_min``
        * "inverse": ``ρ <= -rho_min``
        * "positive": ``ρ >= rho_min``
    dependence_method : {"pearson", "spearman", "kendall"}
        Which ρ.
    lag_rule : {"aic", "bic"} or int
        How many lags the test's regression has; see `hlpairs_core.stats.engle_granger_pairs`.
    max_lag : int, optional
        Bound of the search for lags; none where `lag_rule` is a number.
    notional_usd : float
        Gross notional of the trade (USD), both legs together.
    min_day_notional_usd : float
        Least that trades of a coin in 24 hours (USD): low, to leave out what hardly trades. How large a trade a coin
        bears is for the caps below to say.
    min_traded_share : float
        Least share of bars with a trade, in [0, 1].
    max_day_volume_share : float
        Largest share of a coin's 24-hour notional that its leg may be, in (0, 1].
    max_book_share : float
        Largest share of either visible side of a coin's book that its leg may be, in (0, 1].
    leverage : float
        Gross notional over capital; a pair with a coin whose maximum leverage is lower does not qualify.

    Raises
    ------
    InputError
        Names the field, the value and what is allowed.
    """

    interval: str = "1h"
    window: int = 336
    horizon_hours: float = 48.0
    z_in: float = 2.0
    z_out: float = 0.5
    p_max: float = 0.05
    rho_min: float = 0.0
    dependence: Dependence = "any"
    dependence_method: DependenceMethod = "spearman"
    lag_rule: LagRule = "aic"
    max_lag: int | None = None
    notional_usd: float = 10_000.0
    min_day_notional_usd: float = 10_000.0
    min_traded_share: float = 0.9
    max_day_volume_share: float = 0.01
    max_book_share: float = 0.5
    leverage: float = 1.0

    def __post_init__(self) -> None:
        self._check_signal()
        self._check_test()
        self._check_size()

    @property
    def bar_hours(self) -> float:
        """Length of a bar (hours)."""
        return float(interval_duration(self.interval).total_seconds()) / 3600

    def _check_signal(self) -> None:
        interval_duration(self.interval)
        check_integer("window", self.window, low=_SHORTEST_WINDOW, high=_LONGEST_WINDOW)
        check_number("horizon_hours", self.horizon_hours, low=0, high=math.inf, low_open=True)
        if self.horizon_hours < self.bar_hours:
            raise InputError(f"horizon_hours is {self.horizon_hours!r}: use at least one bar, {self.bar_hours:g} hours")
        check_number("z_in", self.z_in, low=0, high=100, low_open=True)
        check_number("z_out", self.z_out, low=0, high=float(self.z_in), high_open=True)

    def _check_test(self) -> None:
        check_number("p_max", self.p_max, low=0, high=1, low_open=True)
        check_number("rho_min", self.rho_min, low=0, high=1)
        check_choice("dependence", self.dependence, ("any", "inverse", "positive"))
        check_choice("dependence_method", self.dependence_method, ("pearson", "spearman", "kendall"))
        # The longest regression needs more bars than coefficients.
        largest_lag = (self.window - 3) // 2
        if isinstance(self.lag_rule, str):
            check_choice("lag_rule", self.lag_rule, ("aic", "bic"))
        else:
            check_integer("lag_rule", self.lag_rule, low=0, high=largest_lag)
            if self.max_lag is not None:
                both = f"max_lag is {self.max_lag!r} and lag_rule {self.lag_rule!r}"
                raise InputError(f"{both}: fix the lags or bound a search, not both")
        if self.max_lag is not None:
            check_integer("max_lag", self.max_lag, low=0, high=largest_lag)

    def _check_size(self) -> None:
        check_number("notional_usd", self.notional_usd, low=0, high=math.inf, low_open=True)
        check_number("min_day_notional_usd", self.min_day_notional_usd, low=0, high=math.inf)
        check_number("min_traded_share", self.min_traded_share, low=0, high=1)
        check_number("max_day_volume_share", self.max_day_volume_share, low=0, high=1, low_open=True)
        check_number("max_book_share", self.max_book_share, low=0, high=1, low_open=True)
        check_number("leverage", self.leverage, low=0, high=math.inf, low_open=True)
