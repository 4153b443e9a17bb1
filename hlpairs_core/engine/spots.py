"""Spot pairs of the same coins as perpetuals: which there are, and their candles of a bar."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd

from hlpairs_core.engine.history import History, Range
from hlpairs_core.engine.ingest import Ingest
from hlpairs_core.engine.state import State
from hlpairs_core.exceptions import ExchangeError
from hlpairs_core.exchange import HyperliquidClient, Priority
from hlpairs_core.intervals import interval_duration
from hlpairs_core.market import KNOWN_SPOT, KnownSpot, SpotMatch, match_spot
from hlpairs_core.screening.carry_funding import WINDOW_HOURS

__all__ = ["SpotCandles", "Spots"]

# New spot pairs are rare.
MATCHED_SECONDS = 6 * 3600.0
# So long the screen of the perpetuals waits for them: their candles and funding of a bar weigh half a minute's budget.
PATIENCE_SECONDS = 30.0


@dataclass(frozen=True, eq=False)
class SpotCandles:
    """Closed candles of matched spot pairs, long, and which perpetual each is of."""

    matches: tuple[SpotMatch, ...]
    candles: pd.DataFrame


class Spots:
    """Knows which spot pairs are held against a perpetual, and gets their candles.

    Parameters
    ----------
    client : HyperliquidClient
        Where to ask.
    history, state : History, State
        Where candles go, and where trouble is told.
    listed : callable
        The perpetuals that trade.
    first_bar : callable
        From the open of a bar to that of the first one that its screen looks at.
    known : sequence of KnownSpot
        Tokens to look for; where there are none nobody is asked.
    clock : callable
        Wall time, seconds since the epoch.

    Attributes
    ----------
    matches : tuple of SpotMatch
        Of the newest answer; none before the first.
    patience_seconds : float
        How long `gather` takes at most, of real time.
    """

    def __init__(
        self,
        client: HyperliquidClient,
        *,
        history: History,
        state: State,
        listed: Callable[[], list[str]],
        first_bar: Callable[[pd.Timestamp], pd.Timestamp],
        known: Sequence[KnownSpot] = KNOWN_SPOT,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client, self._history, self._state = client.at(Priority.NORMAL), history, state
        self._listed, self._first_bar, self._known, self._clock = listed, first_bar, known, clock
        self._ingest = Ingest(self._client, history)
        self._matched_at: float | None = None
        self.matches: tuple[SpotMatch, ...] = ()
        self.patience_seconds = PATIENCE_SECONDS

    def coins(self) -> list[str]:
        """Return the matched spot pairs, by their names on the wire."""
        return [one.coin for one in self.matches]

    async def gather(self, last: pd.Timestamp) -> None:
        """Bring in what is missing up to the bar that opened at `last`: candles of spot, and funding of its perpetuals.

        That is all they earn: were it left to the backfill, a bar's answer would hang on how far that has come.

        A screen does not fail for it: it has no candidates of the pairs whose candle of the bar is not there.
        """
        if not self._known:
            return
        try:
            async with asyncio.timeout(self.patience_seconds):
                trouble = await self._gather(last)
        except TimeoutError:
            trouble = (
                f"spot pairs were not fetched within {self.patience_seconds:g} s: screened without what is missing"
            )
        self._state.problems.report("spot", trouble)

    async def _gather(self, last: pd.Timestamp) -> str | None:
        """Return what did not come. Pairs that were known before are gathered, whether they can be matched anew."""
        troubles = []
        try:
            await self._match()
        except ExchangeError as error:
            troubles.append(f"which spot pairs there are is not known: {error}")
        failed = await self._ingest.candles(self.coins(), self._first_bar(last), last)
        failed |= await self._ingest.funding({one.perp: None for one in self.matches}, *self._hours(last))
        if failed:
            names = ", ".join(list(failed)[:5])
            troubles.append(f"of {len(failed)} coins what spot pairs need could not be fetched ({names})")
        return "; ".join(troubles) or None

    def _hours(self, last: pd.Timestamp) -> Range:
        """Return the first and the last hour whose funding tells what to expect at the close of a bar."""
        closed_at = last + interval_duration(self._history.interval)
        newest = (closed_at - pd.Timedelta(milliseconds=1)).floor("h")
        return newest - pd.Timedelta(hours=WINDOW_HOURS), newest

    async def read(self, last: pd.Timestamp) -> SpotCandles | None:
        """Return the pairs that have a candle of the bar that opened at `last`; None where there is none."""
        if not self.matches:
            return None
        candles = await asyncio.to_thread(self._history.candles.read, self.coins(), self._first_bar(last), last)
        there = set(candles.loc[candles["time"] == last, "coin"])
        matches = tuple(one for one in self.matches if one.coin in there)
        return SpotCandles(matches, candles[candles["coin"].isin(there)]) if matches else None

    async def _match(self) -> None:
        now = self._clock()
        if self._matched_at is not None and 0 <= now - self._matched_at < MATCHED_SECONDS:
            return
        meta = await self._client.spot_meta()
        self.matches, self._matched_at = match_spot(meta, self._listed(), known=self._known), now
