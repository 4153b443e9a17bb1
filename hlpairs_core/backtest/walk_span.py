"""Which bars a walk-forward screens, and whether it can."""

from typing import Any

import numpy as np

from hlpairs_core.backtest.walk_screen import WalkRules
from hlpairs_core.costs import check_integer
from hlpairs_core.exceptions import InputError
from hlpairs_core.market import Panel
from hlpairs_core.market._frames import as_utc
from hlpairs_core.screening import ScreenSettings

__all__ = ["check_rules", "signal_bars"]


def check_rules(panel: Panel, rules: WalkRules) -> None:
    """Refuse rules that do not fit the panel or one another.

    Raises
    ------
    InputError
        If the intervals differ, the settings' gates are wider than the candidates', or the history is too short.
    """
    settings, gates = rules.settings, rules.gates
    if panel.interval != settings.interval:
        raise InputError(
            f"the panel has {panel.interval} bars and the settings say {settings.interval}: make them agree"
        )
    if settings.p_max > gates.candidate_p or settings.z_in < gates.candidate_z:
        raise InputError(
            f"candidates need p < {gates.candidate_p:g} and |z| >= {gates.candidate_z:g}, the settings' p_max is "
            f"{settings.p_max:g} and z_in {settings.z_in:g}: widen candidate_p or candidate_z, so that each bar's top "
            "is a candidate"
        )
    needed = settings.window + 2
    if panel.n_bars < needed:
        raise InputError(
            f"a window of {settings.window} bars, a signal bar and one to trade in need {needed} bars, the panel has "
            f"{panel.n_bars}: {needed - panel.n_bars} are missing"
        )


def signal_bars(panel: Panel, settings: ScreenSettings, every: int, start: Any, stop: Any) -> list[int]:
    """Return the positions of the signal bars.

    Raises
    ------
    InputError
        If `every` is below 1, or no signal bar lies between `start` and `stop`.
    """
    check_integer("every", every, low=1, high=panel.n_bars)
    least, most = settings.window, panel.n_bars - 1
    first, last = _position(panel, "start", start, least), _position(panel, "stop", stop, most)
    if not least <= first < last <= most:
        raise InputError(
            f"start {start!r} and stop {stop!r} are the bars {first} and {last}: use a range from {least}, closed at "
            f"{_close(panel, least)} (the window comes before it), to {most} (the last bar is there to trade in)"
        )
    return list(range(first, last, every))


def _position(panel: Panel, name: str, value: Any, default: int) -> int:
    """Return a bar's position, given as such or as a time: the first bar that closes then or later."""
    if value is None:
        return default
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        return int(value)
    length = panel.closed_at - panel.time[-1]
    return int(panel.time.searchsorted(as_utc(value, name) - length))


def _close(panel: Panel, bar: int) -> str:
    return f"{panel.time[bar] + (panel.closed_at - panel.time[-1]):%Y-%m-%d %H:%M} UTC"
