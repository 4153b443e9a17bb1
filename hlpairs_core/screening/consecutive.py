"""The tests of one closed bar after another: what has not changed is not computed again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hlpairs_core._typing import FloatArray
from hlpairs_core.market.panel import Panel
from hlpairs_core.screening.pairs import PairTests, filtered_pairs, judged_tests
from hlpairs_core.screening.settings import ScreenSettings

if TYPE_CHECKING:
    from hlpairs_core.stats import RollingDependence, RollingScreen

__all__ = ["ConsecutiveTests"]


class ConsecutiveTests:
    """`cointegration_tests` for fit windows that follow one another, as those of a live engine do.

    A window that was tested a moment ago is answered from memory: a bar is priced again once the order books are
    there. The window one bar later is reached by a `RollingScreen` and a `RollingDependence`. Any other, with a coin
    more or less, a corrected candle or a bar left out, is begun anew.

    The numbers are those of `cointegration_tests` but for rounding: t and p to about 1e-13, since products are
    carried on from bar to bar for a day; alpha, beta and sigma to the last digit or two.
    """

    def __init__(self) -> None:
        self._window: Panel | None = None
        self._settings: ScreenSettings | None = None

    def __call__(self, window: Panel, settings: ScreenSettings) -> PairTests:
        """Test the pairs of a fit window; arguments, result and errors are those of `cointegration_tests`."""
        if not self._is_last(window, settings):
            follows = self._follow(window, settings)
            self._window = None  # should a step fail, nothing is known until all of it is
            if not follows:
                self._begin(window, settings)
            pairs = filtered_pairs(window, settings, self._moves.matrix(settings.dependence_method))
            self._tests = judged_tests(pairs, self._screen.answer(pairs.y, pairs.x), settings)
            self._window, self._settings = window, settings
        return self._tests

    def _is_last(self, window: Panel, settings: ScreenSettings) -> bool:
        last = self._window
        if last is None or settings != self._settings or not _is_alike(window, last):
            return False
        same = np.array_equal(window.close, last.close) and np.array_equal(window.volume, last.volume)
        return bool(window.time[-1] == last.time[-1] and same)

    def _follow(self, window: Panel, settings: ScreenSettings) -> bool:
        """Move on by a bar; return whether the window is the one after the last."""
        last = self._window
        if last is None or settings != self._settings or not _is_alike(window, last):
            return False
        if window.time[-2] != last.time[-1] or not np.array_equal(window.close[:-1], last.close[1:]):
            return False
        logs = _log(window.close[-2:])
        self._window = None  # should a step fail, the two are no longer at the same bar
        self._screen.append(logs[1], time=window.time[-1])
        self._moves.append(logs[1] - logs[0], time=window.time[-1])
        return True

    def _begin(self, window: Panel, settings: ScreenSettings) -> None:
        # scipy is loaded by the first screen, not by whoever imports this package to mark its result.
        from hlpairs_core.stats import RollingDependence, RollingScreen

        logs = pd.DataFrame(_log(window.close), index=window.time, columns=list(window.coins))
        self._screen: RollingScreen = RollingScreen(logs, lag_rule=settings.lag_rule, max_lag=settings.max_lag, q=(2,))
        self._moves: RollingDependence = RollingDependence(logs.diff().iloc[1:], methods=[settings.dependence_method])


def _is_alike(window: Panel, other: Panel) -> bool:
    return (window.coins, window.interval, window.n_bars) == (other.coins, other.interval, other.n_bars)


def _log(close: FloatArray) -> FloatArray:
    return np.asarray(np.log(close))
