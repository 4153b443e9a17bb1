import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, Protocol, cast

from hlpairs_core.exceptions import HlpairsError, InputError
from widgets.layout import PageLayout
from widgets.view_model import connecting_view, held_view, page_view, wrong_view
from widgets.views import PageView

__all__ = ["Client", "TopPairPage"]

_log = logging.getLogger(__name__)

_FIRST_RETRY_SECONDS = 1.0
_LONGEST_RETRY_SECONDS = 10.0
_LOST_NOTICE_SECONDS = 30.0
_NOTHING = object()


class Client(Protocol):
    """What the page needs of `hlpairs_core.engine.EngineClient`."""

    def subscribe(self) -> AsyncIterator[Any]:
        """Yield each answer, the present one first; raise `EngineUnreachable` when the engine goes away."""
        ...

    def close(self) -> None:
        """Give the connections back."""
        ...


class TopPairPage:
    """The live page: one task on the kernel's event loop reads the engine and writes the widgets.

    Parameters
    ----------
    connect : callable
        Returns a `Client`; called on another thread, again after each failure.
    owns_client : bool
        Whether to close each client that `connect` returned.
    clock : callable
        Monotonic seconds.
    sleep : callable
        Awaitable pause in seconds.
    draw_seconds : float
        Shortest time between two updates of the page.
    beat_seconds : float
        How often the page tells the browser that it lives.

    Notes
    -----
    All widget traits are written on the event loop's thread. Clicks may arrive on any thread and are handed over.
    """

    def __init__(
        self,
        connect: Callable[[], Client],
        *,
        owns_client: bool = True,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        draw_seconds: float = 0.5,
        beat_seconds: float = 3.0,
    ) -> None:
        self._connect, self._clock, self._sleep = connect, clock, sleep
        self._owns_client = owns_client
        self._draw_seconds, self._beat_seconds = draw_seconds, beat_seconds
        self._layout = PageLayout(self._on_action)
        self._layout.chip.observe(lambda _change: self._hand_over(self._draw), "visible")
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()
        self._payload: Any = _NOTHING
        self._received = 0.0
        self._unread = False
        self._outage: tuple[str, float] | None = None
        self._selected: str | None = None
        self._lost_since: float | None = None
        self._good = connecting_view()
        self._closed = False
        self.view = self._good
        self._layout.show(self.view)

    @property
    def root(self) -> Any:
        """The widget that a notebook displays."""
        return self._layout.root

    def _repr_mimebundle_(self, **options: Any) -> Any:
        return self.root._repr_mimebundle_(**options)

    def start(self) -> "TopPairPage":
        """Begin to read and draw; does nothing when it has begun.

        Raises
        ------
        InputError
            Outside a running event loop (a notebook's kernel has one), or after `close`.
        """
        if self._closed:
            raise InputError("this page is closed: make a new one with top_pair_page()")
        if self._task is None:
            try:
                self._loop = asyncio.get_running_loop()
            except RuntimeError as error:
                raise InputError("the page needs a running event loop: call it in a notebook") from error
            self._task = self._loop.create_task(self._run(), name="top-pair-page")
            self._task.add_done_callback(self._ended)
        return self

    def close(self) -> None:
        """Stop reading and take the widgets away; idempotent."""
        if self._closed:
            return
        self._closed = True
        if self._task is not None:
            self._task.cancel()
        self._layout.close()

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen())
            group.create_task(self._keep_drawing())
            group.create_task(self._keep_beating())

    def _ended(self, task: "asyncio.Task[None]") -> None:
        if task.cancelled() or self._closed:
            return
        error = task.exception()
        _log.error("the page stopped", exc_info=error)
        self._show(wrong_view(self._good, f"The page stopped ({error!r}). Reload it."))

    async def _listen(self) -> None:
        delay = _FIRST_RETRY_SECONDS
        while True:
            try:
                client = await asyncio.to_thread(self._connect)
                try:
                    async with aclosing(cast("Any", client.subscribe())) as answers:
                        async for payload in answers:
                            delay = _FIRST_RETRY_SECONDS
                            self._take(payload)
                finally:
                    if self._owns_client:
                        client.close()
                reason = "the engine ended the connection"
            except HlpairsError as error:
                reason = str(error)
            except Exception as error:  # whatever a client raises, the page goes on
                _log.exception("reading the engine failed")
                reason = f"{type(error).__name__}: {error}"
            self._outage = (reason, delay)
            self._wake.set()
            await self._sleep(delay)
            delay = min(2 * delay, _LONGEST_RETRY_SECONDS)

    def _take(self, payload: Any) -> None:
        self._payload, self._received, self._unread = payload, self._clock(), True
        self._outage = None
        self._wake.set()

    async def _keep_drawing(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            self._draw()
            await self._sleep(self._draw_seconds)

    async def _keep_beating(self) -> None:
        while True:
            await self._sleep(self._beat_seconds)
            self._layout.chip.beat += 1

    def _draw(self) -> None:
        view = self._next_view()
        if self._unread and view.face != "error":
            self._stamp(view)
        self._unread = False
        self._show(view)

    def _next_view(self) -> PageView:
        if self._payload is not _NOTHING:
            try:
                view = page_view(self._payload, selected=self._selected)
            except Exception as error:  # an answer from outside the process can be anything
                _log.warning("an answer of the engine cannot be read", exc_info=True)
                reason = (
                    f"{type(error).__name__}: {error}. If it stays so, restart the engine: it is of another version."
                )
                return wrong_view(self._good, reason)
            self._forget_lost_selection(view)
            self._good = view
        if self._outage is not None:
            return held_view(self._good, *self._outage)
        return self._good

    def _forget_lost_selection(self, view: PageView) -> None:
        if not view.selection_lost:
            self._lost_since = None
        elif self._lost_since is None:
            self._lost_since = self._clock()
        elif self._clock() - self._lost_since >= _LOST_NOTICE_SECONDS:
            self._selected = None

    def _stamp(self, view: PageView) -> None:
        age = view.message_age
        if age is not None:
            age += max(0.0, self._clock() - self._received)
        self._layout.chip.stamp = {"at": self._received, "age": age}

    def _show(self, view: PageView) -> None:
        self.view = view
        # A hidden tab still collects every redraw; it gets the present state when it is looked at again.
        if self._layout.chip.visible and not self._closed:
            self._layout.show(view)

    def _on_action(self, action: str, value: str) -> None:
        self._hand_over(self._act, action, value)

    def _hand_over(self, call: Callable[..., None], *arguments: Any) -> None:
        if self._loop is not None and not self._closed and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call, *arguments)

    def _act(self, action: str, value: str) -> None:
        if self._closed:
            return
        if action == "shown":
            self._layout.resend()
            return
        if action == "back":
            self._selected = None
        elif action == "select" and value in {row.key for row in self.view.runners}:
            self._selected = value
        else:
            _log.warning("ignored an unknown request from the page: %.80r %.80r", action, value)
            return
        self._lost_since = None
        self._draw()
