"""Rules that pick at most one candidate a bar, and grids of them."""

from dataclasses import dataclass, fields, replace
from itertools import product
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import pandas as pd

from hlpairs_core._typing import BoolArray, FloatArray, IntArray
from hlpairs_core.costs import check_choice, check_number
from hlpairs_core.edge.choice import best_of_bars
from hlpairs_core.edge.features import tightness
from hlpairs_core.exceptions import InputError
from hlpairs_core.screening import ScreenSettings

__all__ = ["Rank", "TradeRule", "rule_grid"]

Rank: TypeAlias = Literal["net", "p", "z"]


@dataclass(frozen=True, kw_only=True)
class TradeRule:
    """Which candidate of a bar is traded, and how long.

    Parameters
    ----------
    z_in, z_out : float
        Entered at ``|z| >= z_in``, left at ``|z| <= z_out``.
    horizon_hours : float
        Time stop.
    p_max : float
        p is below it.
    rank : {"net", "p", "z"}
        Of the candidates that pass: the one with the largest raw net edge (``expected_net_bps``, at the time stop of
        the walk-forward that they are from), the smallest p or the largest ``|z|``.
    max_half_life_hours : float
        Of the spread.
    min_day_notional_usd : float
        Of the leg that trades less (USD in 24 hours).
    min_tightness : float
        0 where the legs are less than 2.5 times as volatile as the spread, 1 from 3.5 times on.
    min_record_share : float, optional
        What the pair's own earlier signals delivered, as of `with_record`; None asks for no record.

    Raises
    ------
    InputError
        Names the field, the value and what is allowed.
    """

    z_in: float = 2.0
    z_out: float = 0.5
    horizon_hours: float = 48.0
    p_max: float = 0.05
    rank: Rank = "net"
    max_half_life_hours: float = np.inf
    min_day_notional_usd: float = 0.0
    min_tightness: float = 0.0
    min_record_share: float | None = None

    def __post_init__(self) -> None:
        self.applied_to(ScreenSettings())
        check_choice("rank", self.rank, get_args(Rank))
        if self.max_half_life_hours != np.inf:
            check_number("max_half_life_hours", self.max_half_life_hours, low=0, high=np.inf, low_open=True)
        check_number("min_day_notional_usd", self.min_day_notional_usd, low=0, high=np.inf)
        check_number("min_tightness", self.min_tightness, low=0, high=1)

    def __str__(self) -> str:
        """Name what differs from the defaults."""
        told = {one.name: getattr(self, one.name) for one in fields(self) if getattr(self, one.name) != one.default}
        return ", ".join(
            f"{name} {value:,.10g}" if name != "rank" else f"by {value}" for name, value in told.items()
        ) or ("all defaults")

    def applied_to(self, settings: ScreenSettings) -> ScreenSettings:
        """Return settings with this rule's thresholds, time stop and p."""
        names = ("z_in", "z_out", "horizon_hours", "p_max")
        return replace(settings, **{name: getattr(self, name) for name in names})

    def passes(self, rows: pd.DataFrame) -> BoolArray:
        """Return which candidates may be traded; one with an unknown number that is asked for may not."""
        weaker = np.minimum(rows["day_notional_y_usd"], rows["day_notional_x_usd"])
        allowed = (rows["zscore"].abs() >= self.z_in) & (rows["p_value"] < self.p_max)
        if self.min_day_notional_usd > 0:
            allowed &= weaker >= self.min_day_notional_usd
        if self.max_half_life_hours < np.inf:
            allowed &= rows["half_life_hours"] <= self.max_half_life_hours
        if self.min_tightness > 0:
            allowed &= tightness(rows) >= self.min_tightness
        if self.min_record_share is not None:
            allowed &= self._record(rows) >= self.min_record_share
        return np.asarray(allowed, dtype=np.bool_)

    def choose(self, rows: pd.DataFrame) -> IntArray:
        """Return the positions of the candidates that are traded, one a bar at most; of equals the first."""
        return best_of_bars(rows["signal_time"], self._worth(rows), self.passes(rows))

    def _worth(self, rows: pd.DataFrame) -> FloatArray:
        if self.rank == "net":
            return np.asarray(rows["expected_net_bps"], dtype=np.float64)
        worth = -rows["p_value"] if self.rank == "p" else rows["zscore"].abs()
        return np.asarray(worth, dtype=np.float64)

    def _record(self, rows: pd.DataFrame) -> FloatArray:
        if "record_share" not in rows:
            raise InputError("the rule asks for a record and the candidates have none: give them one by with_record")
        return np.asarray(rows["record_share"], dtype=np.float64)


def rule_grid(base: TradeRule | None = None, **values: Any) -> tuple[TradeRule, ...]:
    """Return every combination of some values of the rules' fields.

    Parameters
    ----------
    base : TradeRule, optional
        Has the values of all other fields; the defaults when None.
    **values : sequence
        Of each field named: what to try.

    Raises
    ------
    InputError
        If a field is unknown, has no values, or a value is not allowed.

    Examples
    --------
    >>> [str(rule) for rule in rule_grid(z_in=(2.0, 3.0), rank=("net", "p"))]
    ['all defaults', 'by p', 'z_in 3', 'z_in 3, by p']
    """
    known = {one.name for one in fields(TradeRule)}
    for name, given in values.items():
        if name not in known:
            raise InputError(f"a rule has no field {name!r}: use some of {', '.join(sorted(known))}")
        if not len(given):
            raise InputError(f"{name} has no values: give at least one")
    base = TradeRule() if base is None else base
    return tuple(replace(base, **dict(zip(values, one, strict=True))) for one in product(*values.values()))
