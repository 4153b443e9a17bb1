from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from hlpairs_core._typing import FloatArray
from hlpairs_core.costs import check_number
from hlpairs_core.exceptions import InputError
from hlpairs_core.metrics.inputs import read_returns
from hlpairs_core.wording import signed

__all__ = ["MeanAndTail", "historical_tail", "mean_and_tail"]


@dataclass(frozen=True)
class MeanAndTail:
    """A mean that is never shown without the mean of the worst outcomes.

    Attributes
    ----------
    mean : float
        Of all outcomes.
    worst_mean : float
        Of the worst `level` of them (their expected shortfall): signed, a loss is negative.
    level : float
        Share that counts as worst.
    n : int
        Number of outcomes.

    Raises
    ------
    InputError
        If one of the two means is there without the other, or the worst is better than the mean.
    """

    mean: float
    worst_mean: float
    level: float
    n: int

    def __post_init__(self) -> None:
        if math.isnan(self.mean) != math.isnan(self.worst_mean):
            raise InputError(f"mean is {self.mean!r} and worst_mean {self.worst_mean!r}: a mean needs its worst mean")
        if self.worst_mean > self.mean + 1e-9 * abs(self.mean):
            raise InputError(f"worst_mean is {self.worst_mean!r}, above the mean {self.mean!r}")

    def __str__(self) -> str:
        """Both numbers, always."""
        return f"{_short(self.mean)} (worst {100 * self.level:g} %: {_short(self.worst_mean)})"

    __repr__ = __str__

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)


def mean_and_tail(outcomes: pd.Series | ArrayLike, *, level: float = 0.05) -> MeanAndTail:
    """Return the mean of returns (of bars or of trades) and of the worst 5 % of them.

    Parameters
    ----------
    outcomes : Series or array_like, shape (n,)
        In any unit.
    level : float, default 0.05
        Share that counts as worst, in (0, 1). Fewer outcomes than 1 / `level`: the single worst one.

    Raises
    ------
    InputError
        If there are none, or a value is missing or infinite.

    Examples
    --------
    >>> mean_and_tail([3.0, 4.0, 2.0, -30.0, 6.0], level=0.2)
    -3.00 (worst 20 %: -30.0)
    """
    check_number("level", level, low=0, high=1, low_open=True, high_open=True)
    values = read_returns(outcomes, name="outcomes")
    return MeanAndTail(float(values.mean()), historical_tail(values, level)[1], level, len(values))


def historical_tail(values: FloatArray, level: float) -> tuple[float, float]:
    """Return quantile and mean of the worst `level` of outcomes, the one on the edge counted in part."""
    ordered = np.sort(values)
    # 0.05 * 20 must not be more than 1.
    in_tail = max(round(level * len(ordered), 9), 1.0)
    whole = int(in_tail)
    part = in_tail - whole
    edge = ordered[min(whole, len(ordered) - 1)] if part else ordered[whole - 1]
    # Relative to the edge, so that rounding cannot make the mean of equal values exceed them.
    return float(edge), float(edge + np.sum(ordered[:whole] - edge) / in_tail)


def _short(value: float) -> str:
    if math.isnan(value):
        return "unknown"
    return signed(value, max(0, 2 - math.floor(math.log10(abs(value)))) if value else 0)
