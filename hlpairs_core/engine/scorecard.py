"""Keeps what was said of each closed bar, and marks it at its exit, beside the event loop."""

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from hlpairs_core._typing import BoolArray
from hlpairs_core.edge import CalibratedEdge
from hlpairs_core.edge.scoreboard import Scoreboard, scoreboard
from hlpairs_core.engine.marking import Marker, frozen
from hlpairs_core.engine.payload import iso
from hlpairs_core.engine.scorecard_report import track_record
from hlpairs_core.engine.state import State
from hlpairs_core.engine.waiting import woken
from hlpairs_core.exceptions import StoreError
from hlpairs_core.screening import ScreenResult
from hlpairs_core.store import Said, ScorecardFile, read_scorecard

__all__ = ["Scorecard", "board_of", "said_of"]

log = logging.getLogger(__name__)

RETRY_SECONDS = 5.0
# Marked in one step: 500 trades take a tenth of a second, in a thread.
AT_ONCE = 500
# Ten thousand bars are summed up in a second: what is summed up for ever must not take more and more of the processor.
RESTS_TIMES = 20.0


class Scorecard:
    """What was said of closed bars, and what came of it.

    An answer waits until it is stored; of a bar the first final one counts. Whenever a final answer comes, and once a
    bar without one, every pair that was named and is not marked yet is looked at again.

    Parameters
    ----------
    file : ScorecardFile
        Where to write.
    marker : Marker
        Finds outcomes.
    state : State
        Whose market time counts; problems are told there, and `State.track_record` follows what is stored.
    bar : pandas.Timedelta
        Length of a bar.
    at_once : int
        How many pairs that are not marked a step looks at.
    clock : callable
        Wall time, seconds since the epoch.
    sleep : callable
        Awaitable sleep, seconds of wall time.
    """

    def __init__(
        self,
        file: ScorecardFile,
        marker: Marker,
        *,
        state: State,
        bar: pd.Timedelta,
        at_once: int = AT_ONCE,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._file, self._marker, self._state, self._bar = file, marker, state, bar
        self._at_once = at_once
        self._clock, self._sleep = clock, sleep
        self._waiting: dict[int, tuple[Said, ...]] = {}
        self._news = asyncio.Event()
        self._lock = threading.Lock()
        # Market times: since when this engine looks, and when the last round of looking began.
        self._since: pd.Timestamp | None = None
        self._round: pd.Timestamp | None = None
        # Whether what is shown is behind what is stored, and the wall times of the last sum: its end, and its length.
        self._behind, self._summed_at, self._summed_in = True, 0.0, 0.0
        self._next: tuple[int, str] | None = None  # the last row that the round has looked at; None between rounds

    @property
    def waiting(self) -> int:
        """Bars whose answers are not stored yet."""
        return len(self._waiting)

    def add(self, result: ScreenResult, *, final: bool, edge: CalibratedEdge | None = None) -> None:
        """Take the answer of a bar, if it is final; `step` stores it.

        Parameters
        ----------
        result : ScreenResult
            The answer.
        final : bool
            Whether it stays. One that may still change is passed over.
        edge : CalibratedEdge, optional
            What it rests on.
        """
        if not final:
            return
        said = said_of(result, market_time=self._state.market_time(self._clock()), edge=edge)
        self._waiting.setdefault(said[0].closed_ms, said)
        self._news.set()

    async def step(self) -> None:
        """Wait for an answer, store what waits, mark what has ended; what cannot be stored is told, and tried again."""
        came = await woken(self._news, RETRY_SECONDS, self._sleep)
        now = self._state.market_time(self._clock())
        if now is None:
            return
        self._since = now if self._since is None else self._since
        try:
            changed = await asyncio.to_thread(self.write) if self._waiting else False
            if came or self._next is not None or self._round is None or not abs(now - self._round) < self._bar:
                changed |= await asyncio.to_thread(self._mark, now)
            self._behind |= changed
            if self._behind and not 0 <= self._clock() - self._summed_at < RESTS_TIMES * self._summed_in:
                await self._sum_up()
        except StoreError as error:
            text = f"{error}. The page goes on; answers of bars that wait in memory: {self.waiting}"
            self._state.problems.report("scorecard", text)
        else:
            self._state.problems.report("scorecard", None)
        for problem in self._file.problems:
            self._state.problems.note("scorecard", str(problem))

    def write(self) -> bool:
        """Store the answers that wait, at once; return whether there was a new one.

        Raises
        ------
        StoreError
            If one cannot be written; it and those after it go on waiting.
        """
        added = False
        # At the end of the engine a thread that nobody waits for any more may still be at it.
        with self._lock:
            for closed_ms, said in list(self._waiting.items()):
                if self._file.add(said):
                    added = True
                    text, told = "kept what was said of the bar that closed at %s", {"scored_closed_ms": closed_ms}
                    log.info(text, iso(closed_ms / 1000), extra=told)
                self._waiting.pop(closed_ms, None)
        return added

    def _mark(self, now: pd.Timestamp) -> bool:
        """Look at some of the pairs that are not marked, oldest first; return whether an outcome was stored."""
        assert self._since is not None
        if self._next is None:
            self._round = now
        unmarked = self._file.unmarked(after=self._next, limit=self._at_once)
        came = self._marker.came(unmarked, now=now, since=self._since)
        marked = self._file.mark(came)
        self._next = (unmarked[-1].closed_ms, unmarked[-1].rule) if len(unmarked) == self._at_once else None
        if marked:
            log.info("marked %d pairs that were named", marked)
        return marked > 0

    async def _sum_up(self) -> None:
        began = self._clock()
        self._state.track_record = await asyncio.to_thread(self._summed_up)
        self._behind, self._summed_at = False, self._clock()
        self._summed_in = max(0.0, self._summed_at - began)

    def _summed_up(self) -> Any:
        return track_record(board_of(read_scorecard(self._file.path, signals=False)))


def board_of(rows: pd.DataFrame) -> Scoreboard:
    """Sum up a scorecard; the same rows give the same numbers."""
    return scoreboard(rows, rng=np.random.default_rng(0))


def said_of(
    result: ScreenResult, *, market_time: pd.Timestamp | None = None, edge: CalibratedEdge | None = None
) -> tuple[Said, Said]:
    """Return what the answer of a bar says, and what the raw rule would have said.

    The raw rule's record is kept at every bar, also where the answer names a pair: bars chosen by the other's silence
    would be another rule.
    """
    common: dict[str, Any] = {
        "closed_ms": _ms(result.closed_at),
        "market_ms": None if market_time is None else _ms(market_time),
        "asked": {"settings": asdict(result.settings), "costs": asdict(result.costs)},
    }
    verdict, raw = result.verdict, result.raw_top
    answer = Said(
        rule="answer",
        qualifies=verdict.qualifies,
        calibrated=verdict.calibrated,
        text=verdict.text,
        fitted_ms=_fitted_ms(edge) if verdict.calibrated and edge is not None else None,
        **common,
        **_answered(result),
    )
    text = f"The uncalibrated rule names {'no pair' if raw is None else 'a pair'}."
    return answer, Said(rule="raw", qualifies=raw is not None, calibrated=False, text=text, **common, **_raw(result))


_MODEL = ("mean_net_bps", "standard_error_bps", "lower_net_bps")


def _answered(result: ScreenResult) -> dict[str, Any]:
    top, signals = result.top, result.signals
    if top is None:
        return {}
    as_said = _is_of(signals, top.y, top.x) & (signals["side_y"] == top.side_y).to_numpy(dtype=bool)
    # Of spot against its perpetual the answer names the long leg first, and the signals spot.
    turned = _is_of(signals, top.x, top.y) & (signals["side_y"] == top.side_x).to_numpy(dtype=bool)
    return _named(signals[as_said | turned]) | {name: getattr(top, name) for name in _MODEL}


def _raw(result: ScreenResult) -> dict[str, Any]:
    if result.raw_top is None:
        return {}
    best = result.signals["is_top"].to_numpy(dtype=bool)
    return _named(result.signals[best & _is_of(result.signals, *result.raw_top)])


def _is_of(signals: pd.DataFrame, y: str, x: str) -> BoolArray:
    return np.asarray((signals["y"] == y) & (signals["x"] == x), dtype=bool)


def _named(rows: pd.DataFrame) -> dict[str, Any]:
    if rows.empty:  # the bar's screen must not stop for it
        log.error("the pair that was named is not among the signals: what comes of it will not be known")
        return {}
    return {"signal": frozen(rows.iloc[0]), "raw_net_bps": float(rows["expected_net_bps"].iloc[0])}


def _fitted_ms(edge: CalibratedEdge) -> int | None:
    return max((_ms(model.span[1]) for model in edge.models.values()), default=None)


def _ms(time: pd.Timestamp) -> int:
    return int(time.as_unit("ms").asm8.astype(np.int64))
