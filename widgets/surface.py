import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import traitlets

__all__ = ["FreshnessChip", "Surface"]

_STATIC = Path(__file__).parent / "static"
_log = logging.getLogger(__name__)


class _Part(anywidget.AnyWidget):
    """What the parts of the page share: the browser may send an action, two texts that are not trusted."""

    def __init__(self, on_action: Callable[[str, str], None] | None = None, **traits: Any) -> None:
        super().__init__(**traits)
        self._on_action = on_action
        self.on_msg(self._receive)

    def _receive(self, _widget: Any, content: Any, _buffers: Any) -> None:
        if self._on_action is None or not isinstance(content, dict):
            return
        action, value = content.get("action"), content.get("value")
        if isinstance(action, str) and isinstance(value, str):
            self._on_action(action, value)
        else:
            _log.warning("ignored a malformed message from the page: %.200r", content)


class Surface(_Part):
    """A part of the page made of HTML; an update changes only what differs.

    Parameters
    ----------
    on_action : callable, optional
        Called with ``(action, value)`` when a reader clicks an element with ``data-action``; the thread it is
        called on is not specified.
    """

    _esm = _STATIC / "surface.js"
    html = traitlets.Unicode("").tag(sync=True)


class FreshnessChip(_Part):
    """The age of the newest quote, counted in the browser.

    Parameters
    ----------
    on_action : callable, optional
        Called with ``("shown", "")`` each time a browser has built the page.

    Attributes
    ----------
    stamp : dict
        ``{"at": float, "age": float or None}``: set for each answer received at `at`; `age` is how old its newest quote
        was (s) when it was sent, None before the first quote.
    beat : int
        Counted up while the page lives; the browser raises an alert when it stands still.
    visible : bool
        Whether the reader can see the page; set by the browser.
    """

    _esm = _STATIC / "freshness.js"
    stamp = traitlets.Dict({"at": 0.0, "age": None}).tag(sync=True)
    beat = traitlets.Int(0).tag(sync=True)
    visible = traitlets.Bool(True).tag(sync=True)
