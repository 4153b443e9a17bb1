"""What came of pairs that were named: by the rules of the backtest, on what the exchange has confirmed."""

import logging
import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import groupby
from operator import attrgetter
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from hlpairs_core.backtest.walk_outcomes import realise
from hlpairs_core.costs import CostModel
from hlpairs_core.edge.holds import longest_hold
from hlpairs_core.engine.history import History
from hlpairs_core.exceptions import InputError
from hlpairs_core.intervals import interval_duration
from hlpairs_core.market import Panel, SpotMatch, join_spot
from hlpairs_core.screening import ScreenSettings
from hlpairs_core.store import Came, Unmarked

__all__ = ["PATIENCE", "Marker", "frozen"]

log = logging.getLogger(__name__)

PATIENCE = pd.Timedelta(days=7)
"""So long (of the market's time) beyond the longest hold what is missing is waited for."""

# An engine that was off for weeks first fetches what it has missed.
SETTLING = pd.Timedelta(days=1)
_WORDS = ("kind", "y", "x", "side_y", "side_x")
_FLAGS = ("qualifies", "is_top")
Options = TypeVar("Options")


def frozen(row: "pd.Series[Any]") -> dict[str, Any]:
    """Return a row of signals as JSON can say it: its time as ISO 8601, NaN as null."""
    return {str(name): _plain(value) for name, value in row.items()}


@dataclass(frozen=True, eq=False)
class Marker:
    """Finds the outcomes of pairs that were named.

    Parameters
    ----------
    history : History
        What is stored, and what the exchange was not asked for yet.
    delisted : callable
        The coins that the exchange says are delisted, as far as is known.
    matches : callable
        Which spot pair is of which perpetual, as far as is known.
    """

    history: History
    delisted: Callable[[], Collection[str]]
    matches: Callable[[], Sequence[SpotMatch]]

    def came(self, unmarked: Iterable[Unmarked], *, now: pd.Timestamp, since: pd.Timestamp) -> list[Came]:
        """Return the outcomes that are certain by now.

        An exit is certain when it is in bars that have closed, and none of a coin's bars from the signal to it is still
        to be asked for. What is missing is waited for, up to a week beyond the longest hold.

        Parameters
        ----------
        unmarked : iterable of Unmarked
            In any order; those of the same settings and costs are realised together.
        now : pandas.Timestamp
            Market time: bars that close later are not looked at.
        since : pandas.Timestamp
            Market time from which on the engine has looked.
        """
        found: list[Came] = []
        for _, same in groupby(sorted(unmarked, key=_asked_of), key=_asked_of):
            found += self._of_settings(list(same), now, since)
        return sorted(found, key=attrgetter("closed_ms", "rule"))

    def _of_settings(self, unmarked: Sequence[Unmarked], now: pd.Timestamp, since: pd.Timestamp) -> list[Came]:
        try:
            settings = _options(ScreenSettings, unmarked[0].asked["settings"])
            costs = _options(CostModel, unmarked[0].asked["costs"])
        except InputError as error:  # of an earlier version, which allowed them: they must not stop the others
            log.warning("%d pairs that were named by other rules cannot be marked: %s", len(unmarked), error)
            return []
        hold = longest_hold(horizon_hours=settings.horizon_hours, bar_hours=settings.bar_hours)
        rows = _thawed(unmarked)
        outcomes = self._realised(rows, settings, costs, now)
        found = (
            self._judged(one, outcomes.get(place), now=now, since=since, hold=hold, settings=settings)
            for place, one in enumerate(unmarked)
        )
        return [one for one in found if one is not None]

    def _realised(
        self, rows: pd.DataFrame, settings: ScreenSettings, costs: CostModel, now: pd.Timestamp
    ) -> dict[int, Any]:
        """Return what the backtest makes of rows, by place; nothing of those whose first bar is not there yet."""
        outcomes: dict[int, Any] = {}
        for kind, part in rows.groupby("kind", sort=False):
            try:
                panel = (self._with_spot if kind == "spot_perp" else self._of_pairs)(part, settings.interval, now)
                if panel is None:
                    continue
                begun = part["signal_time"].isin(panel.time) & part[["y", "x"]].isin(panel.coins).all(axis=1)
                realised = realise(part[begun], panel, settings=settings, costs=costs)
            except InputError as error:
                log.warning("pairs that were named cannot be marked: %s", error)
                continue
            outcomes |= {one.Index: one for one in realised.itertuples()}
        return outcomes

    def _of_pairs(self, rows: pd.DataFrame, interval: str, now: pd.Timestamp) -> Panel | None:
        return self._panel({*rows["y"], *rows["x"]}, rows["signal_time"].min(), interval, now)

    def _with_spot(self, rows: pd.DataFrame, interval: str, now: pd.Timestamp) -> Panel | None:
        named = set(zip(rows["y"], rows["x"], strict=True))
        matches = [one for one in self.matches() if (one.coin, one.perp) in named]
        legs = ({one.perp for one in matches}, {one.coin for one in matches})
        perps, spots = (self._panel(coins, rows["signal_time"].min(), interval, now) for coins in legs)
        return None if perps is None or spots is None else join_spot(perps, spots, matches)

    def _panel(self, coins: Collection[str], first: pd.Timestamp, interval: str, now: pd.Timestamp) -> Panel | None:
        """Return the bars of coins that have closed by now, with their funding; None where there is none."""
        names = sorted(coins)
        if not names or first + interval_duration(interval) > now:
            return None
        candles = self.history.candles_of(interval).read(names, first, now)
        # Market time is an estimate: what closes after it is not looked at.
        candles = candles[candles["time"] + interval_duration(interval) <= now]
        if candles.empty:
            return None
        funding = self.history.funding_of_bars(names, first, now, interval)
        return Panel.from_candles(candles, funding, interval=interval, coins=names)

    def _judged(
        self,
        said: Unmarked,
        outcome: Any,
        *,
        now: pd.Timestamp,
        since: pd.Timestamp,
        hold: pd.Timedelta,
        settings: ScreenSettings,
    ) -> Came | None:
        """Return what came of a pair; None while it may still turn out otherwise."""
        signal_time = pd.Timestamp(said.closed_ms, unit="ms", tz="UTC")
        over = signal_time + hold
        given_up = now >= max(over + PATIENCE, since + SETTLING)
        if outcome is not None:
            has_ended = outcome.exit_reason in ("reverted", "horizon")
            until = outcome.exit_time if has_ended else over
            is_certain = has_ended or (outcome.exit_reason == "no entry" and now >= over + _bar(settings))
            is_whole = self._is_whole(said, settings.interval, signal_time, until, to_its_end=given_up)
            is_paid = outcome.unknown != "funding" and not outcome.funding_assumed
            if is_whole and ((is_certain and is_paid) or given_up):
                return _came(said, outcome)
        return Came(closed_ms=said.closed_ms, rule=said.rule, unknown="candles") if given_up else None

    def _is_whole(
        self, said: Unmarked, interval: str, first: pd.Timestamp, last: pd.Timestamp, *, to_its_end: bool
    ) -> bool:
        """Return whether every bar of both coins was asked for and is not doubted; of a delisted one `to_its_end`."""
        candles, delisted = self.history.candles_of(interval), self.delisted() if to_its_end else ()
        for coin in (said.signal["y"], said.signal["x"]):
            # What comes after a coin's last bar is never asked for.
            end = last if coin not in delisted else candles.read([coin], first, last)["time"].max()
            if pd.isna(end) or candles.missing(coin, first, end):
                return False
        return True


def _came(said: Unmarked, outcome: Any) -> Came:
    return Came(
        closed_ms=said.closed_ms,
        rule=said.rule,
        entry_ms=_ms(outcome.entry_time),
        exit_ms=_ms(outcome.exit_time),
        exit_reason=str(outcome.exit_reason),
        hold_hours=float(outcome.hold_hours),
        gross_bps=float(outcome.realised_gross_bps),
        fee_bps=float(outcome.realised_fee_bps),
        slippage_bps=float(outcome.realised_slippage_bps),
        funding_bps=float(outcome.realised_funding_bps),
        net_bps=float(outcome.realised_net_bps),
        funding_assumed=bool(outcome.funding_assumed),
        unknown=str(outcome.unknown),
    )


def _thawed(unmarked: Sequence[Unmarked]) -> pd.DataFrame:
    """Return frozen rows as `realise` takes them."""
    rows = pd.DataFrame([one.signal for one in unmarked])
    numbers = [name for name in rows.columns if name not in (*_WORDS, *_FLAGS, "signal_time")]
    times = pd.DatetimeIndex([one.closed_ms for one in unmarked], dtype="datetime64[ms, UTC]")
    return rows.astype(dict.fromkeys(numbers, np.float64)).assign(signal_time=times)


def _options(kind: type[Options], content: Mapping[str, Any]) -> Options:
    """Return settings that were stored; a field that this version does not have is passed over."""
    known = {one.name for one in fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: value for name, value in content.items() if name in known})


def _asked_of(unmarked: Unmarked) -> str:
    return repr(unmarked.asked)


def _bar(settings: ScreenSettings) -> pd.Timedelta:
    return interval_duration(settings.interval)


def _ms(time: pd.Timestamp) -> int | None:
    return None if pd.isna(time) else int(time.as_unit("ms").asm8.astype(np.int64))


def _plain(value: Any) -> Any:
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and math.isnan(value) else value
