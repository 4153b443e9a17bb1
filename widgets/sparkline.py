from datetime import UTC, datetime
from typing import Any

import bqplot
import ipywidgets
import numpy as np

from widgets.card_view import Sparkline

__all__ = ["SparklineChart", "round_levels", "thinned", "whole_minutes"]

_MOST_POINTS = 400
_FLATTEST = 0.4


def thinned(times: np.ndarray[Any, Any], values: np.ndarray[Any, Any]) -> tuple[Any, Any]:
    """Return at most about 400 of the points: each bucket's lowest and highest, and the last one."""
    if len(values) <= _MOST_POINTS:
        return times, values
    keep: set[int] = {0, len(values) - 1}
    for bucket in np.array_split(np.arange(len(values)), _MOST_POINTS // 2):
        keep.update((int(bucket[values[bucket].argmin()]), int(bucket[values[bucket].argmax()])))
    chosen = np.array(sorted(keep))
    return times[chosen], values[chosen]


def round_levels(low: float, high: float) -> np.ndarray[Any, Any]:
    """Return at most five round values of z from `low` to `high`, at least 0.1 apart."""
    step = next(step for step in (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, np.inf) if (high - low) / step <= 5)
    if not np.isfinite(step):
        step = (high - low) / 4
    return np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step + 0.0  # no negative zero on the axis


def whole_minutes(first: np.datetime64, last: np.datetime64) -> np.ndarray[Any, Any]:
    """Return the times between `first` and `last` that are multiples of five minutes; both ends if none is."""
    step = np.timedelta64(5, "m")
    times = np.arange(first.astype("datetime64[m]"), last + np.timedelta64(1, "ms"), dtype="datetime64[m]")
    times = times[(times >= first) & (times.astype("int64") % step.astype("int64") == 0)]
    return times.astype("datetime64[ms]") if len(times) else np.array([first, last])


class SparklineChart:
    """z over the last 15 minutes with the entry and exit lines, on a UTC time axis; built once, then moved."""

    def __init__(self) -> None:
        self._x, self._y = bqplot.DateScale(), bqplot.LinearScale()
        scales = {"x": self._x, "y": self._y}
        self._line = bqplot.Lines(x=[], y=[], scales=scales, colors=["var(--hlp-accent)"], stroke_width=2)
        self._last = bqplot.Scatter(
            x=[], y=[], scales=scales, colors=["var(--hlp-accent)"], default_size=48, stroke="var(--hlp-card)"
        )
        self._entry = self._threshold(scales, "dashed", "var(--hlp-entry)")
        self._exit = self._threshold(scales, "dotted", "var(--hlp-ink-3)")
        self._minutes = bqplot.Axis(scale=self._x, tick_format="%H:%M", grid_lines="none")
        self._levels = bqplot.Axis(scale=self._y, side="left", tick_format="+.1f", grid_lines="none")
        self.figure = bqplot.Figure(
            marks=[self._entry, self._exit, self._line, self._last],
            axes=[self._minutes, self._levels],
            fig_margin={"top": 12, "bottom": 26, "left": 46, "right": 22},
            background_style={"fill": "transparent"},
            min_aspect_ratio=0.2,
            max_aspect_ratio=100,
            animation_duration=0,
            layout=ipywidgets.Layout(width="100%", height="190px", min_width="0"),
        )

    @staticmethod
    def _threshold(scales: dict[str, Any], style: str, color: str) -> Any:
        return bqplot.Lines(x=[], y=[], scales=scales, colors=[color, color], line_style=style, stroke_width=1.5)

    def show(self, sparkline: Sparkline) -> None:
        """Move the line to these points; with fewer than two the chart is empty."""
        x, y = thinned(_utc(sparkline.times), np.array(sparkline.values, dtype=float))
        if len(y) < 2:
            x, y = x[:0], y[:0]
        else:
            self._fit(y, sparkline)
            self._mark_minutes(x)
        ends = x[[0, -1]] if len(x) else x
        for mark, level in ((self._entry, sparkline.z_in), (self._exit, sparkline.z_out)):
            with mark.hold_sync():
                mark.x = ends
                mark.y = np.array([[level] * len(ends), [-level] * len(ends)])
        for mark, start in ((self._line, 0), (self._last, -1)):
            with mark.hold_sync():
                mark.x, mark.y = x[start:], y[start:]

    def _mark_minutes(self, x: np.ndarray[Any, Any]) -> None:
        ticks = whole_minutes(x[0], x[-1])
        young = ticks[0] == x[0] and ticks[-1] == x[-1]
        with self._minutes.hold_sync():
            self._minutes.tick_format = "%H:%M:%S" if young else "%H:%M"
            self._minutes.tick_values = ticks

    def _fit(self, y: np.ndarray[Any, Any], sparkline: Sparkline) -> None:
        low, high = float(y.min()), float(y.max())
        reach = max(high - low, _FLATTEST)
        # A threshold near the line is worth seeing; one far away would flatten it.
        for level in (sparkline.z_in, -sparkline.z_in, sparkline.z_out, -sparkline.z_out):
            if low - reach < level < high + reach:
                low, high = min(low, level), max(high, level)
        padding = max(_FLATTEST - (high - low), 0.0) / 2 + 0.08 * max(high - low, _FLATTEST)
        with self._y.hold_sync():
            self._y.min, self._y.max = low - padding, high + padding
        self._levels.tick_values = round_levels(low - padding, high + padding)

    @property
    def parts(self) -> tuple[ipywidgets.Widget, ...]:
        """The widgets that the figure is made of."""
        return (*self.figure.marks, *self.figure.axes, self._x, self._y)

    def close(self) -> None:
        """Close the figure and all it is made of; idempotent."""
        for part in (*self.parts, self.figure.layout, self.figure):
            part.close()


def _utc(times: tuple[str, ...]) -> np.ndarray[Any, Any]:
    moments = [datetime.fromisoformat(time).astimezone(UTC).replace(tzinfo=None) for time in times]
    return np.array(moments, dtype="datetime64[ms]")
