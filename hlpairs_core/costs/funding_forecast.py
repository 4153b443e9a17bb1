"""Which hourly funding rates are to be expected in the next hours."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hlpairs_core._typing import FloatArray
from hlpairs_core.costs.checks import check_integer, check_number
from hlpairs_core.costs.funding_rate import FUNDING_CAP_PER_HOUR, INTEREST_PER_HOUR
from hlpairs_core.exceptions import InputError

__all__ = ["FundingForecast"]

_DAY = 24


@dataclass(frozen=True, kw_only=True)
class FundingForecast:
    """Forecast by shrinkage towards the interest that is paid where there is no premium.

    ``E f(k) = i + (m - i) 2 ** (-k / h_day) + (f - m) 2 ** (-k / h_last)`` for the k-th rate after the newest one, f,
    with m the mean of the last 24: what the last hour has beyond the day fades fast, what the day has beyond the
    interest slowly. Two first-order autoregressions with the interest as their common end.

    Parameters
    ----------
    last_half_life_hours, day_half_life_hours : float
        h_last and h_day. The defaults are round numbers near the least mean absolute error on recorded rates before
        2025-02-15, over 1 to 48 hours; the surface is flat there. `docs/costs.md` has the errors on later ones.
    interest_per_hour : float
        i.

    Raises
    ------
    InputError
        For a half-life that is not above 0, or an interest beyond the cap.
    """

    last_half_life_hours: float = 6.0
    day_half_life_hours: float = 36.0
    interest_per_hour: float = INTEREST_PER_HOUR

    def __post_init__(self) -> None:
        for field in ("last_half_life_hours", "day_half_life_hours"):
            check_number(field, getattr(self, field), low=0, high=math.inf, low_open=True)
        cap = FUNDING_CAP_PER_HOUR
        check_number("interest_per_hour", self.interest_per_hour, low=-cap, high=cap)

    def rates(self, history: ArrayLike, hours: int, *, running: ArrayLike | None = None) -> FloatArray:
        """Return the expected rates of the next hours.

        Parameters
        ----------
        history : array_like, shape (n_hours, n_coins)
            Rates as they were stamped, fraction per hour, one row an hour, ascending; the last 24 are read. The last
            row is the newest stamp that is known: a rate stamped h is known from h on.
        hours : int
            How many stamps ahead, at least 1.
        running : array_like, shape (n_coins,), optional
            The exchange's own estimate of the next stamp, where there is one: ``funding_rate`` of the contexts, or the
            exchange's own line, ``HlPerp``, of `HyperliquidClient.predicted_fundings`. It is then taken for the newest
            rate; NaN where it is not known. What other venues predict is not used.

        Returns
        -------
        ndarray, shape (hours, n_coins)
            Fraction per hour, within the cap. The mean over a hold's stamps is what the hold is expected to pay.
            NaN where nothing of the last 24 hours is known; the mean is of those known.

        Raises
        ------
        InputError
            If the history has no rows or another number of coins than `running`, or holds a rate beyond the cap.
        """
        check_integer("hours", hours, low=1, high=100_000)
        last_day = _checked(history)[-_DAY:]
        newest, age = _newest(last_day)
        if running is not None:
            estimate = np.asarray(running, dtype=np.float64)
            if estimate.shape != newest.shape:
                raise InputError(f"running has shape {estimate.shape}: use {newest.shape}, one estimate a coin")
            known = np.isfinite(estimate)
            newest, age = np.where(known, estimate, newest), np.where(known, -1, age)
        known = np.isfinite(last_day)
        mean = np.where(known, last_day, 0.0).sum(axis=0) / np.where(known.any(axis=0), known.sum(axis=0), np.nan)
        mean = np.where(np.isfinite(mean), mean, newest)
        # The running estimate is the next stamp itself, so it has not aged at all by then.
        ahead = np.arange(1, hours + 1)[:, None] + age
        expected = (
            self.interest_per_hour
            + (mean - self.interest_per_hour) * 2.0 ** (-ahead / self.day_half_life_hours)
            + (newest - mean) * 2.0 ** (-ahead / self.last_half_life_hours)
        )
        return np.asarray(np.clip(expected, -FUNDING_CAP_PER_HOUR, FUNDING_CAP_PER_HOUR))

    def mean_rate(self, history: ArrayLike, hours: int, *, running: ArrayLike | None = None) -> FloatArray:
        """Return the expected mean of the next rates, shape (n_coins,); see `rates`."""
        return np.asarray(self.rates(history, hours, running=running).mean(axis=0))


def _checked(history: ArrayLike) -> FloatArray:
    rates = np.asarray(history, dtype=np.float64)
    if rates.ndim != 2 or not len(rates):
        raise InputError(f"history has shape {rates.shape}: use (n_hours, n_coins) with at least one hour")
    if np.any(np.abs(rates) > FUNDING_CAP_PER_HOUR):
        beyond = float(rates.flat[np.nanargmax(np.abs(rates))])
        raise InputError(
            f"a funding rate of {beyond!r} is beyond the cap of {FUNDING_CAP_PER_HOUR} per hour: use fractions"
        )
    return rates


def _newest(last_day: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return each coin's newest known rate, and how many hours before the last row it was stamped."""
    age = np.argmax(np.isfinite(last_day[::-1]), axis=0)
    newest = last_day[len(last_day) - 1 - age, np.arange(last_day.shape[1])]
    return newest, age.astype(np.float64)
