from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from hlpairs_core.metrics.inputs import read_returns

__all__ = ["Drawdown", "max_drawdown"]


@dataclass(frozen=True)
class Drawdown:
    """The deepest fall of a profit from its peak.

    Attributes
    ----------
    depth : float
        From the peak to the trough, in the unit of the returns, not negative; 0 where the profit never fell.
    start : int or None
        First bar of the fall (the bar after the peak); None where there was none.
    trough : int or None
        Bar at the end of which the profit was lowest.
    recovery : int or None
        Bar at the end of which the peak was reached again; None where it is still open, or there was none.
    n_bars : int
        Bars that ended below the peak: from `start` to before `recovery`, or to the end.
    """

    depth: float
    start: int | None
    trough: int | None
    recovery: int | None
    n_bars: int

    @property
    def is_open(self) -> bool:
        """Whether the peak has not been reached again."""
        return self.start is not None and self.recovery is None


def max_drawdown(returns: pd.Series | ArrayLike) -> Drawdown:
    """Find the maximum drawdown of the profit on constant capital.

    Parameters
    ----------
    returns : Series or array_like, shape (T,)
        One number a bar in any unit; a bar without a position counts as 0.

    Returns
    -------
    Drawdown
        Bars are counted from 0. Of several equally deep ones the first.

    Raises
    ------
    InputError
        If there is no bar, or a value is missing or infinite.

    Notes
    -----
    The profit is the running *sum* of the returns and starts at 0: a pair is traded with a fixed notional and
    gains are not reinvested. So a loss may exceed the capital.

    Examples
    --------
    >>> max_drawdown([2.0, -1.0, -3.0, 1.0, 3.0, 1.0])
    Drawdown(depth=4.0, start=1, trough=2, recovery=4, n_bars=3)
    """
    values = read_returns(returns)
    profit = np.concatenate(([0.0], np.cumsum(values)))
    # A recovery to the last digit is not spoilt by the rounding of the sum.
    rounding = 8 * np.finfo(float).eps * float(np.abs(values).sum())
    below = np.maximum.accumulate(profit) - profit
    # Bar t ends at profit[t + 1].
    end = int(np.argmax(below))
    if below[end] <= rounding:
        return Drawdown(0.0, None, None, None, 0)
    peak = profit[:end].max()
    start = int(np.flatnonzero(profit[:end] >= peak - rounding)[-1])
    again = np.flatnonzero(profit[end:] >= peak - rounding)
    recovery = end + int(again[0]) - 1 if again.size else None
    return Drawdown(float(below[end]), start, end - 1, recovery, (recovery or len(values)) - start)
