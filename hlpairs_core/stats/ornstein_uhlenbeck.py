from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from hlpairs_core._typing import FloatArray
from hlpairs_core.exceptions import InputError
from hlpairs_core.stats._spread import positive

__all__ = ["OrnsteinUhlenbeck"]


@dataclass(frozen=True)
class OrnsteinUhlenbeck:
    """The process ``dX = theta (mu - X) dt + sigma dW``, time in hours.

    Attributes
    ----------
    mu : float
        Level it reverts to, in the unit of the spread.
    theta_per_hour : float
        Speed of reversion, positive.
    sigma_per_sqrt_hour : float
        Volatility in the unit of the spread per square root of an hour, positive.

    Raises
    ------
    InputError
        If a parameter is not finite, or the speed or the volatility not positive.
    """

    mu: float
    theta_per_hour: float
    sigma_per_sqrt_hour: float

    def __post_init__(self) -> None:
        if not math.isfinite(self.mu):
            raise InputError(f"mu must be finite, got {self.mu!r}")
        positive(self.theta_per_hour, "theta_per_hour")
        positive(self.sigma_per_sqrt_hour, "sigma_per_sqrt_hour")

    @property
    def half_life_hours(self) -> float:
        """Hours after which a deviation is expected to have halved."""
        return math.log(2.0) / self.theta_per_hour

    @property
    def stationary_std(self) -> float:
        """Standard deviation of the process in the long run, in the unit of the spread."""
        return self.sigma_per_sqrt_hour / math.sqrt(2.0 * self.theta_per_hour)

    def draw(
        self, n_bars: int, *, rng: np.random.Generator, bar_hours: float = 1.0, start: float | None = None
    ) -> FloatArray:
        """Draw `n_bars` values `bar_hours` apart, without discretisation error, shape (n_bars,).

        The first value is `start`, or a draw from the stationary distribution.
        """
        decay = math.exp(-self.theta_per_hour * positive(bar_hours, "bar_hours"))
        steps = self.stationary_std * math.sqrt(1.0 - decay**2) * rng.standard_normal(n_bars)
        steps[:1] = self.stationary_std * rng.standard_normal() if start is None else start - self.mu
        path: FloatArray = self.mu + lfilter([1.0], [1.0, -decay], steps)
        return path
