from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from hlpairs_core._typing import FloatArray, IntArray, LagRule, Trend
from hlpairs_core.costs import check_number
from hlpairs_core.stats._null_panel import Resampling
from hlpairs_core.stats._null_task import Statistic

__all__ = ["NullScreen", "empirical_p"]


def empirical_p(as_extreme: IntArray, n_screens: int) -> FloatArray:
    """Return ``(1 + as_extreme) / (1 + n_screens)``: the real screen counts as one of its own null's."""
    return np.asarray((1.0 + as_extreme) / (1.0 + n_screens), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class NullScreen:
    """How good a screen of a panel looks when no two coins are cointegrated.

    Attributes
    ----------
    pairs : DataFrame
        One row a pair of the real screen, in the order asked for: ``y``, ``x``; ``t_stat`` and ``p_value``, the real
        test (with "better_t" the smaller t, and its p as if there had been one test); ``p_null``, the
        share of null screens in which this pair's t is as small; ``p_family``, the chance that luck alone gives any
        such pair. NaN for a pair that has no test.
    best : ndarray, shape (n_screens, keep_best)
        The smallest t of each null screen, smallest first: ``best[:, 0]`` is the best pair's.
    levels : tuple of float
        Gates on MacKinnon's p.
    passing : ndarray of int, shape (n_screens, n_levels)
        Pairs with a p below each gate.
    n_bars, n_coins : int
        Size of the panel.
    order : Series
        Order of each coin's autoregression.
    resampling, block_length, statistic, trend, lag_rule, max_lag
        As used; `block_length` and `max_lag` (the bound of the search, or the fixed lags) as worked out.
    seed : int
        Screen number i drew from ``numpy.random.SeedSequence(seed, spawn_key=(i,))``.
    """

    pairs: pd.DataFrame
    best: FloatArray
    levels: tuple[float, ...]
    passing: IntArray
    n_bars: int
    n_coins: int
    order: pd.Series
    resampling: Resampling
    block_length: int
    statistic: Statistic
    trend: Trend
    lag_rule: LagRule
    max_lag: int
    seed: int

    @property
    def n_screens(self) -> int:
        """Number of null screens."""
        return len(self.best)

    @property
    def n_pairs(self) -> int:
        """Pairs of the real screen that have a test."""
        return int(self.pairs["t_stat"].notna().sum())

    @property
    def real_best(self) -> float:
        """The real screen's smallest t."""
        return float(self.pairs["t_stat"].min())

    @property
    def p_best(self) -> float:
        """How often luck alone gives a best pair this good: ``(1 + #{null <= real}) / (1 + n_screens)``."""
        return self.chance_of_best(self.real_best)

    def chance_of_best(self, t_stat: float) -> float:
        """Return how often the best pair of a null screen has a t of `t_stat` or below; never 0."""
        check_number("t_stat", t_stat, low=-np.inf, high=np.inf)
        return float(empirical_p((self.best[:, 0] <= t_stat).sum(), self.n_screens))

    @cached_property
    def gates(self) -> pd.DataFrame:
        """What passes each gate, one row a level.

        ``level``; ``nominal``: level × pairs; ``expected``: mean of the null screens; ``low``, ``high``: their
        5 % and 95 % quantiles; ``observed``: pairs of the real screen; ``p``: how often luck alone gives as many.
        """
        p = self.pairs["p_value"].to_numpy()
        observed = np.array([(p < level).sum() for level in self.levels])
        low, high = np.quantile(self.passing, [0.05, 0.95], axis=0)
        as_many = (self.passing >= observed).sum(axis=0)
        columns = {
            "level": self.levels,
            "nominal": np.array(self.levels) * self.n_pairs,
            "expected": self.passing.mean(axis=0),
            "low": low,
            "high": high,
            "observed": observed,
            "p": empirical_p(as_many, self.n_screens),
        }
        return pd.DataFrame(columns)
