"""How good the best pair of a window would look by luck alone."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hlpairs_core._typing import FloatArray
from hlpairs_core.intervals import interval_duration
from hlpairs_core.market import Panel
from hlpairs_core.screening import ScreenSettings, luck_of_screen

__all__ = ["LuckDraws", "LuckJob", "draw_luck"]

# A hundred coins take six seconds of a core, two hundred about twenty (docs/performance.md).
SCREENS = 500


@dataclass(frozen=True, eq=False)
class LuckJob:
    """The fit window of a screen: its candles up to a bar (open time), and the coins that were eligible."""

    candles: pd.DataFrame
    coins: tuple[str, ...]
    bar: pd.Timestamp
    settings: ScreenSettings


@dataclass(frozen=True, eq=False)
class LuckDraws:
    """The t of the best pair of each null screen, smallest first, and the signal bar of the window they are like."""

    best: FloatArray
    bar: pd.Timestamp

    def chance_of(self, t_stat: float) -> float:
        """Return how often luck alone gives a best t this small or smaller; never 0."""
        as_good = np.searchsorted(self.best, t_stat, side="right")
        return float((1 + as_good) / (1 + len(self.best)))


def draw_luck(job: LuckJob) -> LuckDraws:
    """Run the null screens of a window; the same window gives the same draws."""
    panel = Panel.from_candles(job.candles, interval=job.settings.interval, coins=job.coins).until(
        job.bar + interval_duration(job.settings.interval)
    )
    window = panel.tail(job.settings.window + 1).rows(0, job.settings.window)
    rng = np.random.default_rng(int(job.bar.timestamp()))
    null = luck_of_screen(window, job.settings, rng=rng, n_screens=SCREENS)
    return LuckDraws(np.sort(null.best[:, 0]), job.bar)
