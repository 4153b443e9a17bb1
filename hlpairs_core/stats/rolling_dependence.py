from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from hlpairs_core._typing import DependenceMethod, FloatArray, IntArray
from hlpairs_core.exceptions import InputError
from hlpairs_core.stats._comovement import centred_products, centred_ranks, normalised, sign_products, whole_products
from hlpairs_core.stats.rolling_window import Bar, RollingWindow

__all__ = ["RollingDependence"]

_METHODS: tuple[DependenceMethod, ...] = ("pearson", "spearman", "kendall")


class RollingDependence:
    """The matrices of `dependence` over a window of returns that moves on bar by bar.

    Nothing drifts. Ranks and signs are kept as whole numbers: a bar that comes is compared once with each bar
    of the window, one that goes likewise, and both comparisons are counted. Pearson's products are computed
    anew, which costs less than the comparisons.

    Parameters
    ----------
    returns : DataFrame or array_like, shape (T, n)
        The first window: one column per series, oldest bar first, every number finite. The index of a
        DataFrame holds the times of the bars; the bars of an array have the times 0 to T - 1.
    methods : sequence of {"pearson", "spearman", "kendall"}
        What is kept up to date; all three by default.

    Raises
    ------
    InputError
        If the window is no table of finite numbers with unique labels and increasing times, has fewer than two
        rows, or a method is unknown.

    See Also
    --------
    dependence : the same of one window.
    RollingScreen : cointegration, bar after bar.

    Notes
    -----
    ``c_t = sum over s of sgn(r_t - r_s)`` is twice the average rank of bar t less T + 1, ties included, so
    Spearman's correlation is the uncentred one of c, and Kendall's tau-b that of the signs themselves. Both
    follow the window by the signs of the new bar and of the oldest one against the T - 1 that stay.

    Where a series is listed or delisted, make a new object from a window of the new ones. No method writes to
    an array that another object may hold, so ``copy.copy`` makes an independent one at no cost.

    Examples
    --------
    >>> import numpy as np
    >>> from hlpairs_core.stats import dependence
    >>> returns = np.random.default_rng(7).normal(size=(501, 3))
    >>> rolling = RollingDependence(returns[:500])
    >>> rolling.append(returns[500], time=500)
    >>> bool(np.allclose(rolling.matrix("kendall"), dependence(returns[1:], method="kendall")))
    True
    """

    def __init__(self, returns: pd.DataFrame | ArrayLike, *, methods: Sequence[DependenceMethod] = _METHODS) -> None:
        for method in methods:
            if method not in _METHODS:
                raise InputError(f"methods must be among {', '.join(map(repr, _METHODS))}, got {method!r}")
        self._methods = tuple(methods)
        self._window = RollingWindow.of(returns, "returns")
        values = self._window.values
        if len(values) < 2:
            raise InputError(f"returns must have at least two rows, got {len(values)}")
        if "spearman" in methods:
            self._ranks: IntArray = centred_ranks(values)
        if "kendall" in methods:
            self._signs: IntArray = sign_products(values).astype(np.int64)

    @property
    def labels(self) -> Sequence[Hashable]:
        """The series, in the order of rows and columns."""
        return self._window.labels

    @property
    def time(self) -> Any:
        """Time of the last bar."""
        return self._window.time

    def append(self, returns: Bar, *, time: Any) -> None:
        """Take in a bar and drop the oldest one.

        Parameters
        ----------
        returns : Series, mapping or array_like, shape (n,)
            By label, in any order; or numbers in the order of the columns.
        time : object
            Time of the bar, later than `time`.

        Raises
        ------
        InputError
            If it does not have exactly the window's series, a number is missing or infinite, or the time is not
            after the last one. Nothing has changed then.
        """
        oldest = self._window.values[0]
        self._window = self._window.appended(returns, time)
        if self._methods == ("pearson",):
            return
        stay, newest = self._window.values[:-1], self._window.values[-1]
        gone, come = _signs_against(oldest, stay), _signs_against(newest, stay)
        if "spearman" in self._methods:
            moved = self._ranks[1:] + (gone - come).astype(np.int64)
            self._ranks = np.concatenate([moved, come.sum(axis=0, dtype=np.int64)[None]])
        if "kendall" in self._methods:
            self._signs = self._signs + (_counted(come) - _counted(gone))

    def matrix(self, method: DependenceMethod) -> FloatArray:
        """Return the matrix of `dependence` for the window as it is now, shape (n, n).

        Raises
        ------
        InputError
            If the method is not kept up to date.
        """
        if method not in self._methods:
            raise InputError(f"method must be one of {', '.join(map(repr, self._methods))}, got {method!r}")
        values = self._window.values
        return normalised(self._products(method), constant=values.max(axis=0) == values.min(axis=0))

    def _products(self, method: DependenceMethod) -> FloatArray:
        if method == "pearson":
            return centred_products(self._window.values)
        if method == "spearman":
            return whole_products(self._ranks)
        return self._signs.astype(np.float64)


def _signs_against(bar: FloatArray, others: FloatArray) -> NDArray[np.float32]:
    """Return the signs of ``bar - others``, from comparisons: no difference is taken, so none is rounded."""
    return (others < bar).astype(np.float32) - (others > bar)


def _counted(signs: NDArray[np.float32]) -> IntArray:
    """Return the products of a block of signs; below 2 ** 24 rows float32 counts exactly."""
    return (signs.T @ signs).astype(np.int64)
