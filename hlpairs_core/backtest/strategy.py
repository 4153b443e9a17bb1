"""What a backtest trades: decisions that see no bar but the closed ones."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import pandas as pd

from hlpairs_core._typing import Side
from hlpairs_core.costs import CostModel, check_integer, check_number, funding_sign
from hlpairs_core.exceptions import InputError
from hlpairs_core.market.panel import Panel
from hlpairs_core.screening import Candidate, ScreenResult, ScreenSettings, screen

__all__ = ["Decision", "FrozenSignals", "Moment", "ScreenStrategy", "Signal", "Strategy"]

_COLUMNS = ("signal_time", "y", "x", "side_y", "side_x", "alpha", "beta", "sigma")


@dataclass(frozen=True, kw_only=True)
class Signal:
    """A pair to trade under frozen parameters; see `Candidate` for each.

    Raises
    ------
    InputError
        If both legs are one coin, a side is unknown, or a parameter is not a number (σ: above 0).
    """

    y: str
    x: str
    side_y: Side
    side_x: Side
    alpha: float
    beta: float
    sigma: float
    mean: float = 0.0

    def __post_init__(self) -> None:
        funding_sign([self.side_y, self.side_x])
        if self.y == self.x:
            raise InputError(f"both legs are {self.y!r}: a pair needs two coins")
        for name in ("alpha", "beta", "mean"):
            check_number(f"{name} of {self.y}/{self.x}", getattr(self, name), low=-math.inf, high=math.inf)
        check_number(f"sigma of {self.y}/{self.x}", self.sigma, low=0, high=math.inf, low_open=True)

    @classmethod
    def of(cls, candidate: Any) -> "Signal":
        """Take what a trade needs from a `Candidate`, or from a row of a table with these names."""
        given = candidate if isinstance(candidate, Mapping | pd.Series) else vars(candidate)
        return cls(
            y=given["y"],
            x=given["x"],
            side_y=given["side_y"],
            side_x=given["side_x"],
            alpha=float(given["alpha"]),
            beta=float(given["beta"]),
            sigma=float(given["sigma"]),
            mean=float(given["mean"]) if "mean" in given else 0.0,
        )

    @property
    def pair(self) -> tuple[str, str]:
        """y and x."""
        return self.y, self.x


@dataclass(frozen=True, eq=False)
class Moment:
    """A bar that has just closed: what a strategy may know.

    Attributes
    ----------
    bar : int
        Its position.
    closed_at : pandas.Timestamp
        Its close (UTC).
    open_pairs : tuple of Signal
        What is held, with the parameters it is held under.
    """

    bar: int
    closed_at: pd.Timestamp
    open_pairs: tuple[Signal, ...]
    _cut: Callable[[], Panel]

    @property
    def known(self) -> Panel:
        """All bars up to and with this one."""
        return self._cut()


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What to do from the next bar on.

    Attributes
    ----------
    enter : tuple of Signal
        Pairs to enter, best first: the caps take them in this order.
    leave : frozenset of (y, x)
        Held pairs whose test failed.
    rehedge : mapping of (y, x) to Signal
        New parameters of held pairs: z is measured by them, and the x leg is traded to the new hedge ratio.
    """

    enter: tuple[Signal, ...] = ()
    leave: frozenset[tuple[str, str]] = frozenset()
    rehedge: Mapping[tuple[str, str], Signal] = field(default_factory=dict)


class Strategy(Protocol):
    """Whatever decides at each closed bar."""

    def decide(self, moment: Moment) -> Decision:
        """Return what to do, from what was known at the close."""


class FrozenSignals:
    """Trade given candidates, such as the rows of a walk-forward.

    Parameters
    ----------
    signals : DataFrame, or iterable of (time, Candidate or Signal)
        A table has the columns ``signal_time, y, x, side_y, side_x, alpha, beta, sigma`` and, if it is not 0, ``mean``;
        `signal_time` is the close of the signal bar. Of one time the first comes first.

    Raises
    ------
    InputError
        If a column is missing or a time has no zone.
    """

    def __init__(self, signals: pd.DataFrame | Iterable[tuple[Any, Candidate | Signal]]) -> None:
        self._at: dict[pd.Timestamp, list[Signal]] = {}
        for time, given in _rows(signals):
            stamp = pd.Timestamp(time)
            if stamp.tzinfo is None:
                raise InputError(f"the signal time {stamp} has no time zone: say UTC")
            self._at.setdefault(stamp, []).append(given if isinstance(given, Signal) else Signal.of(given))

    def decide(self, moment: Moment) -> Decision:
        """Return the signals of this close."""
        return Decision(enter=tuple(self._at.get(moment.closed_at, ())))

    def check(self, panel: Panel) -> set[str]:
        """Return the coins that are traded.

        Raises
        ------
        InputError
            If the panel lacks one, or no bar of it closes at the time of a signal.
        """
        closes = panel.time + (panel.closed_at - panel.time[-1])
        for time, signals in self._at.items():
            if time not in closes:
                raise InputError(
                    f"no bar of the panel closes at the signal time {time}: its {panel.interval} bars close from "
                    f"{closes[0]} to {closes[-1]}"
                )
            for coin in (coin for one in signals for coin in one.pair):
                if coin not in panel.coins:
                    raise InputError(f"the signals trade {coin!r}, which is no coin of the panel: see panel.coins")
        return {coin for signals in self._at.values() for one in signals for coin in one.pair}


def _rows(signals: Any) -> Iterable[tuple[Any, Any]]:
    if not isinstance(signals, pd.DataFrame):
        return signals  # type: ignore[no-any-return]
    missing = [name for name in _COLUMNS if name not in signals]
    if missing:
        raise InputError(f"the signals lack the column {missing[0]!r}: they need {', '.join(_COLUMNS)}")
    return ((row["signal_time"], row) for _, row in signals.iterrows())


def _top(result: ScreenResult) -> tuple[Candidate, ...]:
    return () if result.top is None else (result.top,)


@dataclass(frozen=True, kw_only=True)
class ScreenStrategy:
    """Trade what `screen` finds: the decision of the live ranking.

    Parameters
    ----------
    settings, costs : ScreenSettings, CostModel
        Of the screen.
    every : int
        Bars from one screen to the next.
    choose : callable
        Which candidates of a result to enter, best first; its top by default.
    leave_on_failure : bool
        Leave a held pair whose test has ``p >= p_max`` when it is screened again. A pair that is not tested any more
        (its coins left the universe) is kept.
    rehedge : bool
        Give held pairs that pass again their new parameters, and trade the x leg to the new hedge ratio.
    """

    settings: ScreenSettings
    costs: CostModel
    every: int = 24
    choose: Callable[[ScreenResult], tuple[Candidate, ...]] = _top
    leave_on_failure: bool = True
    rehedge: bool = False

    def __post_init__(self) -> None:
        check_integer("every", self.every, low=1, high=1_000_000)

    def decide(self, moment: Moment) -> Decision:
        """Screen the known bars, where it is time to."""
        if moment.bar % self.every or moment.bar < self.settings.window:
            return Decision()
        result = screen(moment.known, settings=self.settings, costs=self.costs)
        enter = tuple(Signal.of(candidate) for candidate in self.choose(result))
        failed, fitted = set(), {}
        for held in moment.open_pairs:
            for _, row in self._again(result.candidates, held).iterrows():
                if not row["p_value"] < self.settings.p_max:
                    failed.add(held.pair)
                elif self.rehedge:
                    fitted[held.pair] = _refitted(held, row)
        return Decision(enter=enter, leave=frozenset(failed if self.leave_on_failure else ()), rehedge=fitted)

    @staticmethod
    def _again(candidates: pd.DataFrame, held: Signal) -> pd.DataFrame:
        return candidates[(candidates["y"] == held.y) & (candidates["x"] == held.x)]


def _refitted(held: Signal, row: pd.Series) -> Signal:
    """Return the new parameters; the bet on y stays, x is what hedges it now."""
    fitted = Signal.of(row)
    other: Side = "short" if held.side_y == "long" else "long"
    return replace(fitted, side_y=held.side_y, side_x=held.side_y if fitted.beta < 0 else other)
