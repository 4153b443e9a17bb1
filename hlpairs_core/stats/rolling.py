from __future__ import annotations

import operator
from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from hlpairs_core._typing import FloatArray, IntArray, LagRule
from hlpairs_core.exceptions import InputError
from hlpairs_core.stats._answer import Answer
from hlpairs_core.stats._batch import engle_granger_from_gram
from hlpairs_core.stats._gram import LaggedGram
from hlpairs_core.stats._history import dull_series
from hlpairs_core.stats._inputs import lag_plan, pair_positions
from hlpairs_core.stats._rolling_products import RollingProducts
from hlpairs_core.stats._spreads import SpreadAnswer, describe_spreads
from hlpairs_core.stats._structure import StructureGram
from hlpairs_core.stats.reversion_pairs import read_spans
from hlpairs_core.stats.rolling_window import Bar, RollingWindow

__all__ = ["RollingScreen"]


class RollingScreen:
    """The tables of `engle_granger_pairs` and `reversion_pairs` over a window that moves on bar by bar.

    A bar that comes and the one that goes change the products a screen is made of by a few outer products, so
    the next screen costs no look at the whole window but for its levels. Rounding adds up at about 1e-16 a bar;
    every `rebuild_every` bars the products are computed anew, and `drift` says what there was to correct.

    Parameters
    ----------
    log_prices : DataFrame or array_like, shape (T, n)
        The first window: one column per series, oldest bar first, every number finite. The index of a
        DataFrame holds the times of the bars; the bars of an array have the times 0 to T - 1.
    lag_rule, max_lag
        As in `engle_granger_pairs`.
    q : sequence of int, default (2, 4, 8, 16)
        As in `reversion_pairs`.
    rebuild_every : int, default 24
        Bars after which the products are computed anew: a day of hours. It happens at once where a series has
        become so still that the rounding of its former moves would show.
    accelerate : bool, optional
        Whether to run code compiled by Numba; by default where Numba is installed (the extra ``fast``).

    Attributes
    ----------
    drift : float
        Largest difference found when the products were last computed anew, as a share of the sums of squares
        of the series; 0 before. The tables are off by some multiple of it.

    Raises
    ------
    InputError
        If the window is no table of finite numbers with unique labels and increasing times, is too short for
        the lag rule or a q, or an option is not allowed.

    See Also
    --------
    RollingDependence : the correlations of the returns, bar after bar.

    Notes
    -----
    The series are those of the first window for good. Where one is listed or delisted, call `restart` with a
    window of the new ones: products with a new series need all its bars anyhow.

    A linear trend in the regression is not supported.

    No method writes to an array that another object may hold: ``copy.copy`` makes an independent screen at no
    cost, and pickling moves about ``8 (max_lag + len(q) + 2) n ** 2`` bytes and the window.

    Examples
    --------
    >>> import numpy as np
    >>> from hlpairs_core.stats import engle_granger_pairs
    >>> walks = np.cumsum(np.random.default_rng(7).normal(size=(501, 3)), axis=0)
    >>> screen = RollingScreen(walks[:500])
    >>> screen.append(walks[500], time=500)
    >>> difference = screen.tests()["t_stat"] - engle_granger_pairs(walks[1:])["t_stat"]
    >>> bool(difference.abs().max() < 1e-9)
    True
    """

    def __init__(
        self,
        log_prices: pd.DataFrame | ArrayLike,
        *,
        lag_rule: LagRule = "aic",
        max_lag: int | None = None,
        q: Sequence[int] = (2, 4, 8, 16),
        rebuild_every: int = 24,
        accelerate: bool | None = None,
    ) -> None:
        self._lag_rule, self._max_lag, self._q = lag_rule, max_lag, q
        self._rebuild_every = _positive(rebuild_every)
        self._accelerate = accelerate
        self.restart(log_prices)

    def restart(self, log_prices: pd.DataFrame | ArrayLike) -> None:
        """Start again from another window, with the same options: other series, another length or a gap in time.

        Raises
        ------
        InputError
            As for a new screen; the old window then stays.
        """
        window = RollingWindow.of(log_prices, "log_prices")
        plan = lag_plan(len(window.values), self._lag_rule, self._max_lag)
        spans = read_spans(self._q, len(window.values))
        self._window, self._plan, self._spans = window, plan, spans
        self.drift, self._age = 0.0, 0
        self._products = RollingProducts.of(window.values, plan.max_lag, spans)
        self._show(window.values)

    @property
    def labels(self) -> Sequence[Hashable]:
        """The series, in the order of the columns."""
        return self._window.labels

    @property
    def time(self) -> Any:
        """Time of the last closed bar."""
        return self._window.time

    @property
    def values(self) -> FloatArray:
        """Log prices that the tables are computed from, shape (T, n), with the last `tick` if there was one."""
        return self._values

    def append(self, log_prices: Bar, *, time: Any) -> None:
        """Take in a closed bar and drop the oldest one; a `tick` since the last bar is forgotten.

        Parameters
        ----------
        log_prices : Series, mapping or array_like, shape (n,)
            By label, in any order; or numbers in the order of the columns.
        time : object
            Time of the bar, later than `time`. That no bar is missing in between is for the caller to see to.

        Raises
        ------
        InputError
            If it does not have exactly the screen's series, a number is missing or infinite, or the time is not
            after the last one. Nothing has changed then.
        """
        before = self._window.values
        self._window = self._window.appended(log_prices, time)
        self._products = self._products.next_bar(before, self._window.values)
        self._age += 1
        self._show(self._window.values)
        if self._age >= self._rebuild_every or self._products.spoilt:
            self.rebuild()

    def tick(self, log_prices: Bar) -> None:
        """Move the last price of every series without closing a bar; replaces an earlier tick.

        Parameters
        ----------
        log_prices : Series, mapping or array_like, shape (n,)
            As in `append`; a series that has not moved is given with its last price.

        Raises
        ------
        InputError
            As in `append`. Nothing has changed then.
        """
        values = self._window.values.copy()
        values[-1] = self._window.read(log_prices)
        self._show(values)

    def rebuild(self) -> None:
        """Compute the products anew and measure the `drift` of those there were."""
        exact = RollingProducts.of(self._window.values, self._plan.max_lag, self._spans)
        self.drift, self._age = self._products.distance(exact), 0
        self._products = exact
        self._show(self._values)

    def tests(self, pairs: Iterable[tuple[Hashable, Hashable]] | None = None) -> pd.DataFrame:
        """Return the table of `engle_granger_pairs` for the window as it is now."""
        return self.answer(*pair_positions(self.labels, pairs)).frame()

    def answer(self, y: IntArray, x: IntArray) -> Answer:
        """Test pairs given as positions of columns: the numbers of `tests`, before they are a table."""
        answer = Answer(self.labels, y, x)
        _, gram = self._panel()
        sound = self._judgeable(answer)
        tests = engle_granger_from_gram(gram, y[sound], x[sound], self._plan, accelerate=self._accelerate)
        answer.put(sound, tests, gram.n_bars)
        return answer

    def reversion(self, pairs: Iterable[tuple[Hashable, Hashable]] | None = None) -> pd.DataFrame:
        """Return the table of `reversion_pairs` for the window as it is now."""
        answer = SpreadAnswer(self.labels, *pair_positions(self.labels, pairs), self._spans)
        products, gram = self._panel()
        structure = StructureGram.from_products(self._values, self._spans, products.structure)
        sound = self._judgeable(answer)
        y, x = answer.y[sound], answer.x[sound]
        spreads = describe_spreads(self._values, gram, structure, y, x, accelerate=self._accelerate)
        answer.put(sound, spreads, gram.n_bars)
        return answer.frame()

    def _judgeable(self, answer: Answer | SpreadAnswer) -> IntArray:
        """Return the pairs of which both series move, and say what is wrong with the others."""
        dull = dull_series(self._values, "c")
        spoilt = np.isin([answer.y, answer.x], list(dull)).any(axis=0)
        answer.blame_series(np.flatnonzero(spoilt), dull)
        return np.flatnonzero(~spoilt)

    def _show(self, values: FloatArray) -> None:
        self._values = values
        self._known: tuple[RollingProducts, LaggedGram] | None = None

    def _panel(self) -> tuple[RollingProducts, LaggedGram]:
        """Return what is known of the window with its tick: worked out when it is first asked for."""
        if self._known is None:
            products, closed = self._products, self._window.values
            if self._values is not closed:
                products = products.moved_last(closed, self._values)
            self._known = products, products.lagged_gram(self._values)
        return self._known


def _positive(rebuild_every: object) -> int:
    try:
        bars = operator.index(rebuild_every)  # type: ignore[arg-type]
    except TypeError:
        bars = 0
    if bars < 1:
        raise InputError(f"rebuild_every must be a whole number of bars, at least 1, got {rebuild_every!r}")
    return bars
