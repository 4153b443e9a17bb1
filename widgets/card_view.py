from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from widgets import formatting as show
from widgets.facts import Fact, expected_bps, pair_facts

__all__ = [
    "Axis",
    "CardView",
    "Leg",
    "Role",
    "Sparkline",
    "Step",
    "card_view",
    "leg_name",
    "pair_key",
]

Role = Literal["answer", "nearest", "runner"]

_MARKS = {
    "entry": "beyond entry",
    "faded": "faded: back inside entry",
    "reverted": "reverted: already inside exit",
    "crossed": "crossed to the other side",
    "unknown": "no mid price for a leg",
    "held": "spot is held for its funding, whatever the prices do",
}


@dataclass(frozen=True)
class Leg:
    """One side of the pair, in words; `notional` in USD."""

    side: Literal["long", "short"]
    shape: str
    word: str
    coin: str
    notional: str


@dataclass(frozen=True)
class Axis:
    """Where z stands between exit and entry; `limit` is the end of the drawn scale, None is unknown."""

    z: float | None
    signal_z: float | None
    z_in: float
    z_out: float
    limit: float
    value: str
    signal: str
    state: str
    label: str


@dataclass(frozen=True)
class Step:
    """One row of the waterfall: from `start` to `stop` in bps of gross notional; None cannot be drawn."""

    label: str
    note: str
    value: str
    kind: Literal["total", "gain", "cost", "net"]
    start: float | None
    stop: float | None


@dataclass(frozen=True)
class Sparkline:
    """z over the last 15 minutes: wall times (ISO 8601, UTC) and values of the same length."""

    times: tuple[str, ...]
    values: tuple[float, ...]
    z_in: float
    z_out: float
    summary: str


@dataclass(frozen=True)
class CardView:
    """All that the card says about one pair, as text and positions; texts are plain, not HTML."""

    key: str
    role: Role
    legs: tuple[Leg, Leg]
    edge: str
    edge_usd: str
    edge_kind: Literal["gain", "loss", "unknown"]
    edge_context: str
    signal_edge: str
    bound: str
    calibrated: bool
    same_side: bool
    misses: tuple[str, ...]
    axis: Axis
    steps: tuple[Step, ...]
    facts: tuple[Fact, ...]
    sparkline: Sparkline


def pair_key(row: Mapping[str, Any]) -> str:
    """Return the name of a pair that survives a change of the regression's direction; of spot, each has its own."""
    names = (show.text(row["y"]), show.text(row["x"]))
    return "|".join(names if row["spot_leg"] else sorted(names))


def leg_name(row: Mapping[str, Any], which: Literal["y", "x"]) -> str:
    """Return what people call a leg: ``UBTC spot`` for spot."""
    return f"{show.text(row['spot_token'])} spot" if row["spot_leg"] == which else show.text(row[which])


def card_view(row: Mapping[str, Any], settings: Mapping[str, Any], *, role: Role) -> CardView:
    """Return the card of one pair.

    Parameters
    ----------
    row : mapping
        A `hlpairs_core.engine.payload.Row`; not trusted.
    settings : mapping
        The payload's settings (``z_in``, ``z_out``).
    role : {"answer", "nearest", "runner"}
        Whether this pair is the answer, what comes nearest to one, or a runner-up that the reader chose.

    Raises
    ------
    KeyError, TypeError, ValueError
        When the row is not what the contract says.
    """
    believed = row["believed"]
    net = expected_bps(row)
    usd, signal = (
        (row["net_edge_usd"], row["signal_net_edge_bps"])
        if believed is None
        else (believed["mean_net_usd"], believed["signal_mean_net_bps"])
    )
    return CardView(
        key=pair_key(row),
        role=role,
        legs=(_leg(row, "y"), _leg(row, "x")),
        edge=show.signed(net),
        edge_usd=show.usd(usd, 2, sign=True),
        edge_kind="unknown" if net is None else "gain" if net > 0 else "loss",
        edge_context=f"on {show.usd(row['notional_usd'])} gross, held {show.hours(row['hold_hours'])}",
        signal_edge=show.signed(signal),
        bound="" if believed is None else _bound(believed),
        calibrated=believed is not None,
        same_side=bool(row["same_side"]),
        misses=tuple(show.text(miss) for miss in row["misses"]),
        axis=_axis(row, settings),
        steps=_steps(row),
        facts=pair_facts(row),
        sparkline=_sparkline(row["sparkline"], settings),
    )


def _bound(believed: Mapping[str, Any]) -> str:
    lower = show.signed(believed["lower_net_bps"])
    if lower == show.UNKNOWN:
        return "no bound: nothing has been learned that would give one"
    return f"above {lower} bps with 90 %"


def _leg(row: Mapping[str, Any], which: Literal["y", "x"]) -> Leg:
    side = row[f"side_{which}"]
    if side not in ("long", "short"):
        raise ValueError(f"side_{which} must be long or short, got {side!r}")
    return Leg(
        side=side,
        shape="▲" if side == "long" else "▼",
        word=side.upper(),
        coin=leg_name(row, which),
        notional=show.usd(row[f"notional_{which}_usd"]),
    )


def _axis(row: Mapping[str, Any], settings: Mapping[str, Any]) -> Axis:
    z, signal_z = show.finite(row["zscore"]), show.finite(row["signal_zscore"])
    z_in, z_out = _threshold(settings, "z_in"), _threshold(settings, "z_out")
    furthest = max(abs(z or 0.0), abs(signal_z or 0.0), z_in)
    # A scale that follows z would make the mark stand still: it only grows, in whole steps, when it must.
    limit = max(4.0, float(int(furthest + 0.7) + 1)) if furthest > 3.6 else 4.0
    state = _MARKS[row["mark_state"]]
    return Axis(
        z=z,
        signal_z=signal_z,
        z_in=z_in,
        z_out=z_out,
        limit=min(limit, max(4.0, 3 * z_in)),  # so that the thresholds' names never meet
        value=show.signed(z, 2),
        signal=show.signed(signal_z, 2),
        state=state,
        label=f"z-score {show.signed(z, 2)} now, {show.signed(signal_z, 2)} at the bar's close; entry at "
        f"plus or minus {z_in:g}, exit within {z_out:g}; {state}",
    )


def _threshold(settings: Mapping[str, Any], name: str) -> float:
    value = show.finite(settings[name])
    if value is None or value < 0:
        raise ValueError(f"settings.{name} must be a number of at least 0, got {settings[name]!r}")
    return value


def _steps(row: Mapping[str, Any]) -> tuple[Step, ...]:
    source = {"book": "from the order book", "model": "from the model"}[row["slippage_source"]]
    gross, funding, note, of_funding = _income(row)
    fee, slippage = show.finite(row["fee_bps"]), show.finite(row["slippage_bps"])
    changes = (-fee if fee is not None else None, -slippage if slippage is not None else None, funding)
    names = (("Fees", "four legs, taker"), ("Slippage", source), ("Funding", of_funding))
    first = "Reversion" if row["kind"] == "perp_perp" else "Basis"
    steps = [Step(first, note, show.signed(gross), "total", 0.0, gross)]
    level = gross
    for (label, note), change in zip(names, changes, strict=True):
        after = None if level is None or change is None else level + change
        kind: Literal["gain", "cost"] = "gain" if (change or 0.0) > 0 else "cost"
        steps.append(Step(label, note, show.signed(change), kind, level if after is not None else None, after))
        level = after
    net = expected_bps(row)
    return (*steps, Step("Net edge", "expected", show.signed(net), "net", 0.0, net))


def _income(row: Mapping[str, Any]) -> tuple[float | None, float | None, str, str]:
    """Return reversion and funding to expect, and what each of them is."""
    believed, gross, funding = row["believed"], show.finite(row["gross_bps"]), show.finite(row["funding_bps"])
    paid, of_funding = _arriving(funding, believed, "funding_share", "projected, over the hold", 1)
    if row["kind"] == "spot_perp":
        return gross, paid, "not counted on", of_funding
    arrives, of_gross = _arriving(gross, believed, "gross_share", "projected, before costs", 0)
    return arrives, paid, of_gross, of_funding


def _arriving(
    projected: float | None, believed: Mapping[str, Any] | None, name: str, alone: str, decimals: int
) -> tuple[float | None, str]:
    """Return what of a projection can be counted on, and of how much it is which share."""
    if believed is None:
        return projected, alone
    share = show.finite(believed[name])
    arrives = None if share is None or projected is None else share * projected
    return arrives, f"{show.share(share)} of {show.number(projected, decimals)} bps"


def _sparkline(sparkline: Mapping[str, Any], settings: Mapping[str, Any]) -> Sparkline:
    points = [(show.text(t), show.finite(z)) for t, z in zip(sparkline["t"], sparkline["z"], strict=True)]
    known = [(t, z) for t, z in points if z is not None]
    z_in, z_out = _threshold(settings, "z_in"), _threshold(settings, "z_out")
    times, values = tuple(t for t, _ in known), tuple(z for _, z in known)
    if len(values) < 2:
        return Sparkline(times, values, z_in, z_out, "The first minutes are being collected.")
    summary = (
        f"{show.signed(values[0], 2)} → {show.signed(values[-1], 2)}, "
        f"low {show.signed(min(values), 2)}, high {show.signed(max(values), 2)}"
    )
    return Sparkline(times, values, z_in, z_out, summary)
