"""How long an Ornstein-Uhlenbeck process takes from one level to another.

Levels are in stationary standard deviations from the mean, times in units of ``1 / theta``: the process is
``dY = -Y dt + sqrt(2) dW``. All formulas follow from its scale function ``erfi(y / sqrt 2)`` and from
``h'' - y h' = 1``; see A. N. Borodin and P. Salminen, *Handbook of Brownian Motion* (2002), part II.7.
"""

from __future__ import annotations

import math

from scipy.integrate import quad
from scipy.special import erfcx, erfi

__all__ = [
    "cycle_time_mean",
    "cycle_time_variance",
    "exit_probability_high",
    "exit_time_mean",
    "passage_time_mean",
    "passage_time_variance",
    "symmetric_exit_time_variance",
]

_ROOT2 = math.sqrt(2.0)
# The density far below is nothing: exp(-37**2 / 2) is the smallest number there is.
_FAR = 37.0


def passage_time_mean(start: float, end: float) -> float:
    """Mean time from `start` to `end`, whatever happens in between."""
    if start > end:
        return passage_time_mean(-start, -end)
    return float(quad(_rate, start, end, epsabs=0.0, epsrel=1e-10, limit=200)[0]) if start < end else 0.0


def passage_time_variance(start: float, end: float) -> float:
    """Variance of the time from `start` to `end`."""
    if start > end:
        return passage_time_variance(-start, -end)
    if start == end:
        return 0.0

    def density(level: float) -> float:
        # Levels below the start are visited from the start on; those above only from themselves on.
        reach = float(erfi(end / _ROOT2) - erfi(max(start, level) / _ROOT2))
        return math.exp(-0.5 * level * level) * _rate(level) ** 2 * reach

    below = quad(density, -_FAR, start, epsabs=0.0, epsrel=1e-9, limit=200, points=[start - 5.0])[0]
    above = quad(density, start, end, epsabs=0.0, epsrel=1e-9, limit=200)[0]
    return math.sqrt(2.0 * math.pi) * float(below + above)


def cycle_time_mean(low: float, high: float) -> float:
    """Mean time from one level to the other and back: ``pi (erfi(high / sqrt 2) - erfi(low / sqrt 2))``."""
    return math.pi * float(erfi(high / _ROOT2) - erfi(low / _ROOT2))


def cycle_time_variance(low: float, high: float) -> float:
    """Variance of the time from one level to the other and back."""
    return passage_time_variance(low, high) + passage_time_variance(high, low)


def exit_probability_high(start: float, low: float, high: float) -> float:
    """Probability of reaching `high` before `low`."""
    floor = float(erfi(low / _ROOT2))
    return (float(erfi(start / _ROOT2)) - floor) / (float(erfi(high / _ROOT2)) - floor)


def exit_time_mean(start: float, low: float, high: float) -> float:
    """Mean time until either `low` or `high` is reached."""
    probability = exit_probability_high(start, low, high)
    return probability * passage_time_mean(start, high) - (1.0 - probability) * passage_time_mean(low, start)


def symmetric_exit_time_variance(bound: float) -> float:
    """Variance of the time from the mean until either `-bound` or `bound` is reached."""

    def density(level: float) -> float:
        reach = float(erfi(bound / _ROOT2) - erfi(level / _ROOT2))
        return math.exp(0.5 * level * level) * math.erf(level / _ROOT2) ** 2 * reach

    return math.sqrt(0.5 * math.pi) * math.pi * float(quad(density, 0.0, bound, epsabs=0.0, epsrel=1e-9, limit=200)[0])


def _rate(level: float) -> float:
    """Derivative of the mean time to a level above: the normal distribution over its density."""
    return math.sqrt(0.5 * math.pi) * float(erfcx(-level / _ROOT2))
