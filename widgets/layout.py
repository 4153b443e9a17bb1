from collections.abc import Callable
from pathlib import Path

import ipywidgets

from widgets.markup import (
    below_html,
    body_html,
    gauge_html,
    head_html,
    masthead_html,
    notices_html,
    spark_html,
)
from widgets.sparkline import SparklineChart
from widgets.surface import FreshnessChip, Surface
from widgets.views import PageView

__all__ = ["PageLayout"]

_CSS = Path(__file__).parent / "static" / "page.css"


class PageLayout:
    """The widgets of the page: built once, afterwards only their traits change.

    Parameters
    ----------
    on_action : callable
        Called with ``(action, value)`` for a click in the page, and when a browser has built it; on whatever thread
        the kernel uses.

    Attributes
    ----------
    root : ipywidgets.VBox
        What a notebook displays.
    chip : FreshnessChip
        The age of the newest quote.
    """

    def __init__(self, on_action: Callable[[str, str], None]) -> None:
        self.chip = FreshnessChip(on_action)
        self.masthead, self.notices = Surface(), Surface()
        self.head, self.gauge, self.spark = Surface(on_action), Surface(), Surface()
        self.body, self.below = Surface(), Surface(on_action)
        self.chart = SparklineChart()
        style = ipywidgets.HTML(f"<style>{_CSS.read_text(encoding='utf-8')}</style>")
        spark = _box(ipywidgets.VBox, "hlp-spark", self.spark, self.chart.figure)
        self.middle = _box(ipywidgets.HBox, "hlp-middle", self.gauge, spark)
        self.card = _box(ipywidgets.VBox, "hlp-card", self.head, self.middle, self.body)
        top = _box(ipywidgets.HBox, "hlp-top", self.masthead, self.chip)
        self.root = _box(ipywidgets.VBox, "hlp-page", style, top, self.notices, self.card, self.below)

    def show(self, view: PageView) -> None:
        """Write a view to the traits; only those that differ travel to the browser."""
        self.masthead.html = masthead_html(view)
        self.notices.html = notices_html(view)
        self.head.html = head_html(view)
        self.below.html = below_html(view)
        role = f"hlp-card-{view.card.role}" if view.card else "hlp-card-bare"
        self.card._dom_classes = ("hlp-card", f"hlp-face-{view.face}", role)
        if view.card is not None:
            self.gauge.html = gauge_html(view.card)
            self.spark.html = spark_html(view.card.sparkline)
            self.body.html = body_html(view.card)
            self.chart.show(view.card.sparkline)

    def resend(self) -> None:
        """Send every trait again: a browser that is still building the page misses what changes meanwhile."""
        for widget in (*_descendants(self.root), *self.chart.parts):
            widget.send_state()

    def close(self) -> None:
        """Close every widget of the page; idempotent."""
        self.chart.close()
        for widget in _descendants(self.root):
            widget.layout.close()
            widget.close()


def _box(kind: type[ipywidgets.Box], css: str, *children: ipywidgets.Widget) -> ipywidgets.Box:
    box = kind(children=children)
    box.add_class(css)
    return box


def _descendants(widget: ipywidgets.Widget) -> list[ipywidgets.Widget]:
    children = getattr(widget, "children", ())
    return [*(below for child in children for below in _descendants(child)), widget]
