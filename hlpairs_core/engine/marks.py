"""The shown pairs at the newest mids: the same numbers as `screening.mark`, cheap enough for ten times a second."""

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, cast

import numpy as np

from hlpairs_core._typing import FloatArray
from hlpairs_core.engine.payload import Believed, Row, Sparkline, iso
from hlpairs_core.market.second_bars import SecondBars
from hlpairs_core.screening import ExpectedEdge, ScreenResult, expected_edge, spread_zscore
from hlpairs_core.screening.forecast import believed_bps
from hlpairs_core.screening.mark import held_edge, mark_states, signal_edge

__all__ = ["Marks"]

# A quarter of an hour has about 113 of them.
SPARKLINE_STEP_SECONDS = 8

_COPIED = ("kind", "y", "x", "spot_token", "spot_leg", "side_y", "side_x", "slippage_source")
_STILL = ("beta", "p_value", "q_value", "correlation", "half_life_hours", "fee_bps", "slippage_bps")
_SIZE = (
    "funding_bps_per_hour", "notional_y_usd", "notional_x_usd", "capacity_usd", "margin_usd", "capital_usd",
    "liquidation_distance_y", "liquidation_distance_x", "break_even_z", "largest_size_usd", "maker_cost_bps",
    "maker_unfilled",
)  # fmt: skip
_SPREAD = ("alpha", "beta", "mean", "sigma")
_RANGE = ("low_net_bps", "high_net_bps", "gain_probability", "deviation_bps", "worst_net_bps")
_ARRIVES = ("gross_share", "funding_share")
_SIGNAL = (*_ARRIVES, "fee_bps", "slippage_bps", "mean_net_bps", "lower_net_bps")
_EDGE = ("sigma", "beta", "half_life_hours", "fee_bps", "slippage_bps", "funding_bps_per_hour")


_iso_of_second = lru_cache(maxsize=2048)(iso)


class Marks:
    """Some pairs of a screen's result, prepared once and marked again and again.

    Parameters
    ----------
    result : ScreenResult
        Of the closed bar: parameters, sides, costs and verdicts are taken from it and stay.
    pairs : iterable of (y, x)
        Which of its candidates, in the order of the rows.

    Attributes
    ----------
    coins : tuple of str
        The legs: no other coin moves a mark.
    """

    def __init__(self, result: ScreenResult, pairs: Iterable[tuple[str, str]]) -> None:
        by_pair = result.candidates.set_index(["y", "x"], drop=False)
        table = by_pair.loc[list(pairs)].reset_index(drop=True) if len(by_pair) else by_pair.reset_index(drop=True)
        self.coins = tuple(dict.fromkeys([*table["y"], *table["x"]]))
        self._legs = frozenset(self.coins)
        self._settings, self._closed_at = result.settings, result.closed_at
        place = {coin: number for number, coin in enumerate(self.coins)}
        self._y, self._x = (np.array([place[coin] for coin in table[leg]], dtype=np.int64) for leg in ("y", "x"))
        floats = {name: table[name].to_numpy(dtype=np.float64) for name in {*_SPREAD, *_EDGE}}
        self._spread = {name: floats[name] for name in _SPREAD}
        self._edge = {name: floats[name] for name in _EDGE}
        self._signal = {name: table[name].to_numpy(dtype=np.float64) for name in _SIGNAL}
        self._believed = [_still_believed(one) for one in table.to_dict("records")]
        self._held = (table["kind"] == "spot_perp").to_numpy()
        self._at_signal = signal_edge(table)
        self._toward = np.where(table["side_y"] == "short", 1.0, -1.0)
        self._still = [_still(one, result.settings.notional_usd) for one in table.to_dict("records")]

    def hang_on(self, coin: str) -> bool:
        """Return whether a coin is a leg of one of the pairs."""
        return coin in self._legs

    def rows(self, mids: Mapping[str, float], seconds: SecondBars) -> list[Row]:
        """Return the pairs at these mids (USD); a leg without a usable one leaves its pairs unknown."""
        if not self._still:
            return []
        prices = np.array([mids.get(coin, math.nan) for coin in self.coins])
        zscore = self._zscore(np.where((prices > 0) & np.isfinite(prices), prices, np.nan)[:, None])[:, 0]
        zscore = np.where(self._held, np.nan, zscore)
        distance = self._toward * zscore
        edge = expected_edge(distance, **self._edge, entry_time=self._closed_at, settings=self._settings)
        edge = held_edge(edge, self._held, self._at_signal)
        moving = {
            "zscore": zscore,
            "hold_hours": edge.hold_hours,
            "gross_bps": edge.gross_bps,
            "funding_bps": edge.funding_bps,
            "net_edge_bps": edge.net_edge_bps,
            "net_edge_usd": edge.net_edge_bps * self._settings.notional_usd / 1e4,
        }
        numbers = zip(*(map(_number, values.tolist()) for values in moving.values()), strict=True)
        states, lines = mark_states(distance, self._held, self._settings), self._sparklines(seconds)
        rows = [
            {**still, **dict(zip(moving, row, strict=True)), "mark_state": state, "sparkline": line, "believed": one}
            for still, row, state, line, one in zip(
                self._still, numbers, states, lines, self._believe(edge), strict=True
            )
        ]
        return cast("list[Row]", rows)

    def _believe(self, edge: ExpectedEdge) -> list[Believed | None]:
        """Return what can be believed of each pair's edge now; None where no model was asked."""
        mean, lower = believed_bps(edge, **self._signal, held=self._held)
        moving = zip(mean.tolist(), lower.tolist(), strict=True)
        return [
            None if still is None else self._moved(still, *now)
            for still, now in zip(self._believed, moving, strict=True)
        ]

    def _moved(self, still: Mapping[str, float | None], mean: float, lower: float) -> Believed:
        usd = _number(mean * self._settings.notional_usd / 1e4)
        return cast(
            "Believed",
            {**still, "mean_net_bps": _number(mean), "lower_net_bps": _number(lower), "mean_net_usd": usd},
        )

    def _zscore(self, prices: FloatArray) -> FloatArray:
        """Return z by pair from prices by coin; further axes are moments."""
        frozen = {name: values[:, None] for name, values in self._spread.items()}
        return spread_zscore(prices[self._y], prices[self._x], **frozen)

    def _sparklines(self, seconds: SecondBars) -> list[Sparkline]:
        """Return z over the last quarter of an hour; a moment without both legs is a gap, not a number."""
        at, closes = seconds.closes(self.coins, SPARKLINE_STEP_SECONDS)
        times = [_iso_of_second(second) for second in at.tolist()]
        # Spot is held whatever the basis does: it has no z.
        zscore = np.where(self._held[:, None], np.nan, self._zscore(closes))
        known, rounded = np.isfinite(zscore), np.round(zscore, 4)
        return [_line(times, there, values) for there, values in zip(known, rounded, strict=True)]


def _line(times: Sequence[str], there: Any, values: Any) -> Sparkline:
    if there.all():
        return Sparkline(t=list(times), z=values.tolist())
    return Sparkline(t=[times[place] for place in np.flatnonzero(there).tolist()], z=values[there].tolist())


def _still(one: Mapping[Any, Any], notional: float) -> dict[str, Any]:
    """Return what no tick changes."""
    return {
        **{name: one[name] for name in _COPIED},
        **{name: _number(one[name]) for name in (*_STILL, *_SIZE)},
        "signal_zscore": _number(one["zscore"]),
        "signal_net_edge_bps": _number(one["net_edge_bps"]),
        "same_side": bool(one["same_side"]),
        "qualifies": bool(one["qualifies"]),
        "notional_usd": notional,
        "misses": list(cast("Sequence[str]", one["misses"])),
    }


def _still_believed(one: Mapping[Any, Any]) -> dict[str, float | None] | None:
    """Return what no tick changes of what a model says."""
    if not one["calibrated"]:
        return None
    signal = {f"signal_{name}": _number(one[name]) for name in ("mean_net_bps", "lower_net_bps")}
    return {**signal, **{name: _number(one[name]) for name in (*_RANGE, *_ARRIVES)}}


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
