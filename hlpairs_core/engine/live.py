"""The parts of an engine around one market, how they hang together, and which of them work on their own."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from hlpairs_core.costs import CostModel
from hlpairs_core.engine.agreement import Agreement
from hlpairs_core.engine.archive import Archive
from hlpairs_core.engine.bars import Bars
from hlpairs_core.engine.books import Books
from hlpairs_core.engine.client_watch import ClientWatch
from hlpairs_core.engine.closes import Closes
from hlpairs_core.engine.contexts import Contexts
from hlpairs_core.engine.diary import Diary
from hlpairs_core.engine.edge_fits import EdgeFits
from hlpairs_core.engine.feed import Feed, Stream
from hlpairs_core.engine.filler import Filler
from hlpairs_core.engine.gatherer import Gatherer
from hlpairs_core.engine.history import History
from hlpairs_core.engine.kept_screens import KeptScreens
from hlpairs_core.engine.marking import Marker
from hlpairs_core.engine.metrics import Metrics
from hlpairs_core.engine.null_screens import NullScreens
from hlpairs_core.engine.polls import Polls
from hlpairs_core.engine.recorder import MINUTES_AT_ONCE, Recorder
from hlpairs_core.engine.refit import Refitter
from hlpairs_core.engine.scorecard import Scorecard
from hlpairs_core.engine.selector import SHORTLIST, Selector
from hlpairs_core.engine.server import Hub
from hlpairs_core.engine.snapshot import without_sparklines
from hlpairs_core.engine.source import Parts
from hlpairs_core.engine.spots import Spots
from hlpairs_core.engine.state import State
from hlpairs_core.engine.ticks import Ticks
from hlpairs_core.exceptions import StoreError
from hlpairs_core.exchange import HyperliquidClient, WeightBudget
from hlpairs_core.intervals import interval_duration
from hlpairs_core.market import KNOWN_SPOT, KnownSpot
from hlpairs_core.market.minutes import Minutes
from hlpairs_core.screening import ScreenSettings
from hlpairs_core.store import Journal, ScorecardFile, Screens

__all__ = ["LiveEngine", "Surroundings"]

log = logging.getLogger(__name__)

Step: TypeAlias = Callable[[], Awaitable[None]]


@dataclass(frozen=True, eq=False, kw_only=True)
class Surroundings:
    """What the parts of an engine share.

    Attributes
    ----------
    client, budget : HyperliquidClient, WeightBudget
        The one way to ask the exchange, and what requests may weigh.
    history, journal, screens, scorecard : History, Journal, Screens, ScorecardFile
        What is stored of the market.
    state, hub, metrics : State, Hub, Metrics
        What is known, who listens, and the instruments.
    settings, costs : ScreenSettings, CostModel
        What to look for.
    refitter, idler : Refitter
        The worker that screens, and one for what nobody waits for.
    shortlist : int
        Of how many of the best pairs the books are wanted.
    spot_tokens : sequence of KnownSpot
        Which spot to hold against its perpetual.
    clock, sleep : callable
        Wall time (seconds since the epoch), and an awaitable sleep in seconds of it.
    """

    client: HyperliquidClient
    budget: WeightBudget
    history: History
    journal: Journal
    screens: Screens
    scorecard: ScorecardFile
    state: State
    hub: Hub
    metrics: Metrics
    settings: ScreenSettings
    costs: CostModel
    refitter: Refitter
    idler: Refitter
    shortlist: int = SHORTLIST
    spot_tokens: Sequence[KnownSpot] = KNOWN_SPOT
    clock: Callable[[], float] = field(default=time.time)
    sleep: Callable[[float], Awaitable[object]] = field(default=asyncio.sleep)


class LiveEngine:
    """From the exchange (`feed`, else `polls`) over what is known to the selection (`bars`) and its marks (`ticks`).

    Parameters
    ----------
    around : Surroundings
        What the parts share.
    stream : Stream, optional
        The exchange's stream; without one quotes come by polling.
    record : bool
        Whether to record minutes.
    """

    def __init__(self, around: Surroundings, *, stream: Stream | None, record: bool) -> None:
        self._around, state, clock = around, around.state, around.clock
        self.diary = Diary(around.journal, state.problems)
        self.kept_screens = KeptScreens(around.screens, state.problems, sleep=around.sleep)
        self.contexts = Contexts(around.client, state=state, clock=clock)
        self.scorecard = self._scorecard()
        self.books = Books(around.client, clock=clock)
        self.closes = Closes(around.history)
        self.agreement = Agreement(around.settings.interval, problems=state.problems, metrics=around.metrics)
        self.minutes = Minutes(kept=2 * MINUTES_AT_ONCE) if record else None
        self.ticks = Ticks(
            state=state, hub=around.hub, diary=self.diary, metrics=around.metrics, clock=clock, sleep=around.sleep
        )
        self.spots = Spots(
            around.client,
            history=around.history,
            state=state,
            listed=self.contexts.listed,
            first_bar=lambda bar: self.selector.first_bar(bar),
            known=around.spot_tokens,
            clock=clock,
        )
        self.selector = self._selector()
        self.bars = self._bars()
        self.polls = Polls(
            around.client,
            state=state,
            metrics=around.metrics,
            moved=self.ticks.moved,
            streaming=stream is not None,
            clock=clock,
            sleep=around.sleep,
        )
        self.watch = ClientWatch(
            around.client, problems=state.problems, metrics=around.metrics, clock=clock, sleep=around.sleep
        )
        self.feed = None if stream is None else self._feed(stream)
        self.filler = self._filler()
        self.null_screens = NullScreens(
            provisional=self.closes.provisional,
            state=state,
            settings=around.settings,
            first_bar=self.selector.first_bar,
            worker=around.idler,
            sleep=around.sleep,
        )
        self.edge_fits = EdgeFits(
            history=around.history,
            state=state,
            settings=around.settings,
            costs=around.costs,
            is_complete=lambda: self.filler.is_done,
            matches=lambda: self.spots.matches,
            worker=around.idler,
            clock=clock,
            sleep=around.sleep,
        )
        self.recorder = None if self.minutes is None else self._recorder(self.minutes)

    @property
    def parts(self) -> Parts:
        """What readers are served from."""
        around = self._around
        archive = Archive(
            around.client,
            history=around.history,
            contexts=self.contexts,
            books=self.books,
            state=around.state,
            clock=around.clock,
        )
        return Parts(
            archive,
            self.selector,
            self.filler,
            self.feed,
            self.watch,
            around.history,
            around.journal,
            around.screens,
            around.scorecard,
        )

    @property
    def works(self) -> dict[str, Step]:
        """What is to be repeated for ever, by the name under which its failures are told."""
        works: dict[str, Step] = {
            "bars": self.bars.step,
            "ticks": self.ticks.step,
            "polling": self.polls.step,
            "snapshots": self.ticks.keep,
            "screens": self.kept_screens.step,
            "scorecard": self.scorecard.step,
            "backfill": self.filler.step,
            "watch": self.watch.step,
            "null screens": self.null_screens.step,
            "expected edge": self.edge_fits.step,
        }
        if self.feed is not None:
            works |= {"feed": self.feed.read, "subscriptions": self.feed.follow}
        if self.recorder is not None and self.feed is not None:
            works["recording"] = self.recorder.step
        return works

    def chosen(self, final: bool) -> None:
        """Publish a new selection, keep its table, and a bar's final answer for ever."""
        state = self._around.state
        self.ticks.publish()
        if state.selection is not None:
            self.kept_screens.add(state.selection.table, final=final)
            self.scorecard.add(state.selection.result, final=final, edge=self.selector.edge)
        payload = self._around.hub.current
        if final and payload["bar"] is not None:
            closed_ms = int(datetime.fromisoformat(payload["bar"]["closed_at"]).timestamp() * 1000)
            self.diary.add_verdict(without_sparklines(payload), bar_closed_ms=closed_ms)

    def store_the_rest(self) -> None:
        """Store what still waits, at the end; what cannot be stored is named in the log."""
        self.closes.store()
        if self.recorder is not None:
            self.recorder.close()
        trouble = self._around.history.flush()
        if trouble:
            log.warning("%s; the engine stops now, and fetches them again at its next start", trouble)
        try:
            self.diary.write_verdicts()
        except StoreError as error:
            log.warning("%s. Verdicts that are lost: %d", error, self.diary.waiting)
        try:
            self.kept_screens.write()
        except StoreError as error:
            log.warning("%s. Screens whose tables are lost: %d", error, self.kept_screens.waiting)
        try:
            self.scorecard.write()
        except StoreError as error:
            log.warning("%s. Bars whose answers the scorecard lacks: %d", error, self.scorecard.waiting)

    def _selector(self) -> Selector:
        around = self._around
        return Selector(
            history=around.history,
            provisional=self.closes.provisional,
            contexts=self.contexts,
            books=self.books,
            spots=self.spots,
            state=around.state,
            settings=around.settings,
            costs=around.costs,
            refitter=around.refitter,
            metrics=around.metrics,
            shortlist=around.shortlist,
            clock=around.clock,
        )

    def _bars(self) -> Bars:
        around = self._around
        return Bars(
            self._gatherer(),
            history=around.history,
            contexts=self.contexts,
            closes=self.closes,
            agreement=self.agreement,
            selector=self.selector,
            state=around.state,
            settings=around.settings,
            metrics=around.metrics,
            chosen=self.chosen,
            clock=around.clock,
            sleep=around.sleep,
        )

    def _gatherer(self) -> Gatherer:
        around = self._around
        return Gatherer(
            around.client,
            history=around.history,
            closes=self.closes,
            agreement=self.agreement,
            first_bar=self.selector.first_bar,
            state=around.state,
            clock=around.clock,
            sleep=around.sleep,
        )

    def _feed(self, stream: Stream) -> Feed:
        around = self._around
        return Feed(
            stream,
            around.client,
            state=around.state,
            contexts=self.contexts,
            closes=self.closes,
            books=self.books,
            agreement=self.agreement,
            minutes=self.minutes,
            metrics=around.metrics,
            moved=self.ticks.moved,
            interval=around.settings.interval,
            clock=around.clock,
            sleep=around.sleep,
        )

    def _filler(self) -> Filler:
        around = self._around
        return Filler(
            around.client,
            budget=around.budget,
            history=around.history,
            contexts=self.contexts,
            state=around.state,
            eligible=self.bars.eligible,
            spots=self.spots.coins,
            window_start=self.selector.first_bar,
            clock=around.clock,
            sleep=around.sleep,
        )

    def _scorecard(self) -> Scorecard:
        around = self._around
        return Scorecard(
            around.scorecard,
            Marker(around.history, self.contexts.delisted, lambda: self.spots.matches),
            state=around.state,
            bar=interval_duration(around.settings.interval),
            clock=around.clock,
            sleep=around.sleep,
        )

    def _recorder(self, minutes: Minutes) -> Recorder:
        around = self._around
        return Recorder(minutes, around.history.minutes, state=around.state, clock=around.clock, sleep=around.sleep)
