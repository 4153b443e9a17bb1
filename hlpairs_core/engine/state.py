"""What the engine knows now, and the answer of the last closed bar."""

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from hlpairs_core.edge import CalibratedEdge
from hlpairs_core.engine.edge_fit import EdgeFit
from hlpairs_core.engine.luck import LuckDraws
from hlpairs_core.engine.marks import Marks
from hlpairs_core.engine.payload import Loading, Settings
from hlpairs_core.engine.problems import Problems
from hlpairs_core.engine.track_record import TrackRecord
from hlpairs_core.exceptions import ExchangeError
from hlpairs_core.exchange import MarketStamp
from hlpairs_core.market.second_bars import SecondBars
from hlpairs_core.market.tick_book import TickBook
from hlpairs_core.screening import ScreenResult
from hlpairs_core.store import ScreenTable

__all__ = ["RUNNERS_UP", "SILENT_SECONDS", "Selection", "State"]

RUNNERS_UP = 10
# The stream sends all mids about every second.
SILENT_SECONDS = 5.0


@dataclass(frozen=True, eq=False)
class Selection:
    """The answer of one closed bar, and how it came about.

    Attributes
    ----------
    result : ScreenResult
        Of the screen; its candidates are cut down to those shown.
    table : ScreenTable
        Every tested pair, as it is kept.
    refit_seconds : float
        Wall time of the screens of this bar, in the worker.
    shown : tuple of (y, x)
        The selected pair (or the nearest miss), the runners-up, and spot against perpetuals: these are marked on each
        tick.
    marks : Marks
        Those pairs, ready to be marked.
    coins_loaded, coins_wanted : int
        How many of the coins that should be screened had their candle of the bar by then.
    is_final : bool
        Whether it stays until the next bar has closed; else a candle that comes late may still change it.
    coins_unconfirmed : int
        How many of the coins it rests on have a candle that the exchange has not confirmed (yet).
    """

    result: ScreenResult
    table: ScreenTable
    refit_seconds: float
    shown: tuple[tuple[str, str], ...]
    marks: Marks
    coins_loaded: int
    coins_wanted: int
    is_final: bool
    coins_unconfirmed: int = 0

    @classmethod
    def of(
        cls,
        result: ScreenResult,
        table: ScreenTable,
        refit_seconds: float,
        *,
        loaded: int,
        wanted: int,
        final: bool = True,
        unconfirmed: int = 0,
    ) -> "Selection":
        """Choose the pairs to show: the answer first, then the best of the rest."""
        lead = result.top or result.nearest_miss
        first = [(lead.y, lead.x)] if lead is not None else []
        head = result.candidates.head(RUNNERS_UP + 1)
        rest = [pair for pair in zip(head["y"], head["x"], strict=True) if pair not in first]
        of_spot = result.candidates[(result.candidates["kind"] == "spot_perp").to_numpy()]
        carry = list(zip(of_spot["y"], of_spot["x"], strict=True))
        shown = tuple(dict.fromkeys([*first, *rest[:RUNNERS_UP], *carry]))
        # The others are nobody's business until the next bar, but for the numbers in the table.
        pairs = zip(result.candidates["y"], result.candidates["x"], strict=True)
        few = result.candidates[np.array([pair in shown for pair in pairs], dtype=bool)].reset_index(drop=True)
        kept = replace(result, candidates=few)
        return cls(kept, table, refit_seconds, shown, Marks(kept, shown), loaded, wanted, final, unconfirmed)


@dataclass
class State:
    """What the engine knows now. One writer: the engine's event loop."""

    settings: Settings
    problems: Problems
    address: str = ""
    fallback: str | None = None
    stamp: MarketStamp | None = None
    message_at: float | None = None  # wall time of the newest quotes, by whichever way
    feed_at: float | None = None  # of the newest message of the stream
    ticks: TickBook = field(default_factory=TickBook)
    seconds: SecondBars = field(default_factory=SecondBars)
    selection: Selection | None = None
    shortlist: tuple[str, ...] = ()  # coins of the best pairs, best first: their books are wanted
    screened: pd.Timestamp | None = None  # open of the newest bar that was screened
    empty: str | None = None  # why no pair can be formed
    loading: Loading | None = None
    track_record: TrackRecord | None = None  # of all that was said here; None until it was read
    luck: LuckDraws | None = None  # null screens of a day's window
    edge: CalibratedEdge | None = None  # says what of an expectation can be believed, from the next bar's screen on
    edge_fit: EdgeFit = field(default_factory=EdgeFit)  # how far its next fit has come

    def hear(self, stamp: MarketStamp) -> None:
        """Take over the market's clock from a message.

        Raises
        ------
        ExchangeError
            If it comes from another market than the first one did, as when a simulated exchange was restarted
            with another seed: what is stored and shown must not be mixed.
        """
        if self.stamp is not None and stamp.name != self.stamp.name:
            raise ExchangeError(
                f"the exchange at {self.address} is now the market {stamp.name}, not {self.stamp.name}: "
                "restart the engine to follow it"
            )
        self.stamp = stamp

    def market_time(self, now: float) -> pd.Timestamp | None:
        """Return the market's clock at wall time `now`: the last message's, moved on at the market's speed."""
        if self.stamp is None:
            return None
        elapsed = max(0.0, now - self.stamp.received_at)
        return self.stamp.time + pd.Timedelta(seconds=elapsed * self.stamp.speed)

    def wall_seconds(self, market: pd.Timedelta) -> float:
        """Return how long (seconds of wall time) a span of the market's time takes, once the market is known."""
        assert self.stamp is not None
        return float(market.total_seconds() / max(self.stamp.speed, 1e-9))

    def is_feed_silent(self, now: float) -> bool:
        """Return whether nothing has come from the stream for some seconds at wall time `now`, or nothing ever did.

        A wall clock that was set back makes no silence.
        """
        return self.feed_at is None or not now - self.feed_at < SILENT_SECONDS
