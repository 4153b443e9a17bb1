"""The numbers behind a pair, each with its name and what it is in a sentence."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from widgets import formatting as show

__all__ = ["Fact", "expected_bps", "pair_facts"]


@dataclass(frozen=True)
class Fact:
    """One number with its name; `hint` says what it is in a sentence."""

    label: str
    value: str
    hint: str


def expected_bps(row: Mapping[str, Any]) -> float | None:
    """Return the net edge to show: the believed mean where a model was asked, else the projection."""
    believed = row["believed"]
    return show.finite(row["net_edge_bps"] if believed is None else believed["mean_net_bps"])


def pair_facts(row: Mapping[str, Any]) -> tuple[Fact, ...]:
    """Return what is told of a pair beside its edge: what can be believed of one trade, the spread, the size."""
    spread = _of_spread(row) if row["kind"] == "perp_perp" else ()
    return _belief(row["believed"]) + spread + _of_size(row)


def _belief(believed: Mapping[str, Any] | None) -> tuple[Fact, ...]:
    if believed is None:
        return ()
    low, high = show.signed(believed["low_net_bps"]), show.signed(believed["high_net_bps"])
    return (
        Fact("One trade, 90 %", f"{low} to {high}", "Range of this single trade's net, bps of gross notional."),
        Fact("Chance of a gain", show.share(believed["gain_probability"]), "That this single trade ends above 0."),
        Fact("Worst 5 %, mean", show.signed(believed["worst_net_bps"]), "Mean net of the worst 5 % of such trades."),
        Fact("Deviation", show.number(believed["deviation_bps"], 1), "Standard deviation of such a trade's net, bps."),
    )


def _of_spread(row: Mapping[str, Any]) -> tuple[Fact, ...]:
    return (
        Fact("Hedge ratio β", show.number(row["beta"], 3), "Notional of the second leg per unit of the first."),
        Fact("Half-life", show.hours(row["half_life_hours"]), "Time in which the spread's deviation halves."),
        Fact("p value", show.probability(row["p_value"]), "Engle-Granger: chance of this under no cointegration."),
        Fact("q value", show.probability(row["q_value"]), "Benjamini-Yekutieli: p corrected for all pairs tested."),
        Fact("Correlation", show.signed(row["correlation"], 2), "Of the two coins' returns in the window."),
        Fact("Break-even |z|", show.number(row["break_even_z"], 2), "From here on the reversion pays all costs."),
        Fact("Resting orders", _resting(row), "Net edge with maker orders; how often not both are filled in a bar."),
        Fact("Pays up to", show.usd(row["largest_size_usd"]), "Gross notional at which slippage takes the last of it."),
    )


def _of_size(row: Mapping[str, Any]) -> tuple[Fact, ...]:
    return (
        Fact("Expected hold", show.hours(row["hold_hours"]), "Time until exit that the estimate assumes."),
        Fact("Funding", _per_hour(row["funding_bps_per_hour"]), "Received (+) or paid (−), bps of gross an hour."),
        Fact("Capacity", show.usd(row["capacity_usd"]), "Largest gross notional within the liquidity caps."),
        Fact("Capital", _capital(row), "Tied up at the leverage of the settings, and how much of it is margin."),
        Fact("Liquidation", _liquidation(row), "Move of each leg's price at which the exchange closes it."),
    )


def _resting(row: Mapping[str, Any]) -> str:
    net, cost = expected_bps(row), show.finite(row["maker_cost_bps"])
    taker = [show.finite(row[name]) for name in ("fee_bps", "slippage_bps")]
    if net is None or cost is None or taker[0] is None or taker[1] is None:
        return show.UNKNOWN
    return f"{show.signed(net + taker[0] + taker[1] - cost)} bps, {show.share(row['maker_unfilled'])} unfilled"


def _capital(row: Mapping[str, Any]) -> str:
    capital, margin = show.usd(row["capital_usd"]), show.usd(row["margin_usd"])
    return capital if capital == margin else f"{capital}, margin {margin}"


def _liquidation(row: Mapping[str, Any]) -> str:
    return " / ".join(_liquidated_at(row, leg) for leg in ("y", "x"))


def _liquidated_at(row: Mapping[str, Any], leg: Literal["y", "x"]) -> str:
    move = show.finite(row[f"liquidation_distance_{leg}"])
    if move is None:
        return "never" if row["spot_leg"] == leg and row[f"side_{leg}"] == "long" else show.UNKNOWN
    return f"{show.signed(100 * max(move, -1.0), 0)}%"


def _per_hour(value: object) -> str:
    shown = show.signed(value, 2)
    return shown if shown == show.UNKNOWN else f"{shown} bps/h"
