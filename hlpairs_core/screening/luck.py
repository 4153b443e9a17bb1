from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hlpairs_core.exceptions import InputError
from hlpairs_core.market.panel import Panel
from hlpairs_core.screening.pairs import dependent_pairs
from hlpairs_core.screening.settings import ScreenSettings

if TYPE_CHECKING:
    from hlpairs_core.stats import NullScreen

__all__ = ["luck_of_screen"]


def luck_of_screen(
    window: Panel,
    settings: ScreenSettings,
    *,
    rng: np.random.Generator,
    n_screens: int = 1000,
    executor: Executor | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> NullScreen:
    """Say how good the best pair of a screen looks when no two of its coins are cointegrated.

    The same pairs as in `cointegration_tests`, oriented alike and with the same lags, in panels of random
    walks that move like the window's coins; `null_screen` explains. Only the test is repeated: costs, edge
    and the other gates have no part in it. The dependence filter is not run again, as the null panels have
    the window's own correlations.

    Universe and volatility change slowly, so that a distribution of yesterday's window still says with
    `NullScreen.chance_of_best` how often luck alone gives a t as good as that of today's best pair.

    Parameters
    ----------
    window : Panel
        The fit window's bars, eligible coins only: the signal bar is not among them.
    settings : ScreenSettings
        Dependence filter and lag rule.
    rng : numpy.random.Generator
        One number is drawn from it.
    n_screens : int
        Null panels.
    executor : concurrent.futures.Executor, optional
        Runs them; by default they run here, one after the other, which takes minutes for 200 coins.
    progress : callable, optional
        Called as ``progress(done, n_screens)``; what it raises stops the work.

    Returns
    -------
    NullScreen
        Legs are labelled by coin. Coins that are in no tested pair are left out.

    Raises
    ------
    InputError
        If no pair passes the dependence filter, or a close is missing (the message names the coin).
    """
    # scipy is loaded by the first screen, not by whoever imports this package to mark its result.
    from hlpairs_core.stats import null_screen

    pairs = dependent_pairs(window, settings)
    if not len(pairs.y):
        raise InputError(f"none of {pairs.n_pairs} pairs passes the dependence filter: lower rho_min")
    used, legs = np.unique(np.concatenate([pairs.y, pairs.x]), return_inverse=True)
    coins = [window.coins[position] for position in used]
    names = np.array(coins, dtype=object)[legs].reshape(2, -1)
    return null_screen(
        pd.DataFrame(np.log(window.close[:, used]), columns=coins),
        rng=rng,
        n_screens=n_screens,
        lag_rule=settings.lag_rule,
        max_lag=settings.max_lag,
        pairs=list(zip(*names, strict=True)),
        executor=executor,
        progress=progress,
    )
