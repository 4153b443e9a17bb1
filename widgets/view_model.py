"""What the page shows, worked out from what the engine said: pure, without widgets or HTML."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from hlpairs_core.wording import by_luck
from widgets import formatting as show
from widgets.belief_view import belief_lines, record_views
from widgets.card_view import card_view, leg_name, pair_key
from widgets.facts import expected_bps
from widgets.views import CarryView, Face, FunnelView, MarketView, Notice, PageView, Progress, RunnerView

__all__ = ["STALE_AFTER_SECONDS", "connecting_view", "held_view", "page_view", "wrong_view"]

STALE_AFTER_SECONDS = 10.0

_MARKET_SHAPES = {"live": "●", "testnet": "◆", "demo": "◆", "replay": "▶", "unverified": "▲"}


_MADE_UP = {
    "demo": "Demo: prices, volumes, funding and order books are all made up.",
    "replay": "Replay: candles and funding are recorded; prices within a bar and order books are made up.",
}
_NO_MARKET = MarketView("none", "○", "CONNECTING", "", "", None)


def connecting_view() -> PageView:
    """Return the page before the engine said anything."""
    return PageView("loading", _NO_MARKET, "Connecting to the engine", "The first answer is on its way.", "")


def held_view(last: PageView, reason: str, retry_seconds: float) -> PageView:
    """Return the page while the engine does not answer: the last view, marked as such."""
    notice = Notice("bad", "Disconnected from the engine", f"Next try within {retry_seconds:.0f} s.", details=reason)
    if last.card is None:
        return replace(
            last,
            face="disconnected",
            headline="The engine does not answer",
            verdict="The page goes on by itself as soon as it does.",
            notices=(notice,),
            progress=None,
        )
    kept = f"What you see is from before and is not being updated. {notice.text}"
    return replace(last, face="disconnected", notices=(replace(notice, text=kept),))


def wrong_view(last: PageView, reason: str) -> PageView:
    """Return the page when an answer cannot be read: the last card, marked as such."""
    notice = Notice(
        "bad",
        "The engine's answer cannot be read",
        "What you see is from before. The page goes on with the next answer that can be read.",
        details=reason,
    )
    if last.card is None:
        text = "The page goes on with the next answer that can be read."
        return replace(
            last,
            face="error",
            headline="The engine's answer cannot be read",
            verdict=text,
            notices=(replace(notice, text="No data to show yet."),),
            progress=None,
        )
    return replace(last, face="error", notices=(notice,))


def page_view(payload: Mapping[str, Any], *, selected: str | None = None) -> PageView:
    """Return the page for one answer of the engine.

    Parameters
    ----------
    payload : mapping
        A `hlpairs_core.engine.payload.TopPayload`; not trusted.
    selected : str, optional
        Key (`pair_key`) of the pair that the reader chose to look at.

    Raises
    ------
    KeyError, TypeError, ValueError, AttributeError
        When the payload is not what the contract says.
    """
    age = show.finite(payload["message_age_seconds"])
    frame = PageView(
        face="loading",
        market=_market(payload["market"]),
        headline="",
        verdict=show.text(payload["verdict"]["text"]),
        context=_context(payload),
        notices=tuple(_problem(problem) for problem in payload["problems"]),
        funnel=_funnel(payload["funnel"], payload.get("luck")),
        belief=belief_lines(payload, close=None if payload["bar"] is None else _close(payload["bar"])),
        record=record_views(payload["track_record"]),
        footnotes=_footnotes(payload),
        message_age=age,
    )
    phase = payload["phase"]
    if phase == "ready":
        return _ready(payload, frame, selected)
    headlines: dict[str, tuple[Face, str]] = {
        "loading": ("loading", "Loading the market"),
        "empty": ("empty", "No coin passes the universe's filters"),
        "error": ("error", "The engine cannot answer now"),
    }
    face, headline = headlines[phase]
    return replace(frame, face=face, headline=headline, progress=_progress(payload["loading"]))


def _ready(payload: Mapping[str, Any], frame: PageView, selected: str | None) -> PageView:
    top, nearest = payload["top"], payload["nearest_miss"]
    answer = top or nearest
    others, carry = (
        [row for row in payload[name] if answer is None or pair_key(row) != pair_key(answer)]
        for name in ("runners_up", "carry")
    )
    chosen = next((row for row in (*others, *carry) if pair_key(row) == selected), None)
    lost = selected is not None and chosen is None and (answer is None or pair_key(answer) != selected)
    settings, calibrated = payload["settings"], bool(payload["verdict"]["calibrated"])
    card = None
    if chosen is not None:
        card = card_view(chosen, settings, role="runner")
    elif answer is not None:
        role: Literal["answer", "nearest"] = "answer" if top else "nearest"
        card = card_view(answer, settings, role=role)
    shown = card.key if card else ""
    face: Face = "qualifies" if top else "none"
    if frame.message_age is not None and frame.message_age >= STALE_AFTER_SECONDS:
        face = "stale"
    notices = (*_fresh_notices(frame, face, lost), *frame.notices)
    return replace(
        frame,
        face=face,
        headline="" if top else "No pair qualifies now",
        verdict=_dated(payload["bar"], frame.verdict),
        notices=notices,
        card=card,
        runners=tuple(_runner(row, shown, calibrated=calibrated) for row in others[:10]),
        carry=tuple(_carry(row, shown, calibrated=calibrated) for row in payload["carry"]),
        selection_lost=lost,
    )


def _fresh_notices(frame: PageView, face: Face, lost: bool) -> tuple[Notice, ...]:
    notices: list[Notice] = []
    if face == "stale":
        age = show.duration(frame.message_age)
        notices.append(
            Notice("warning", "Stale", f"The exchange has sent nothing for {age}; the numbers below are that old.")
        )
    if lost:
        notices.append(Notice("info", "Back to the answer", "The pair you were looking at is no longer a candidate."))
    return tuple(notices)


def _market(market: Mapping[str, Any]) -> MarketView:
    kind, speed = market["kind"], show.finite(market["speed"])
    label = show.text(market["label"])
    if speed is not None and speed != 1:
        label = f"{label} {speed:g}×"
    fallback = market["fallback"]
    at = "" if kind == "live" or market["time"] is None else show.utc_time(market["time"], date=True)
    return MarketView(
        kind=kind,
        shape=_MARKET_SHAPES[kind],
        label=label,
        name=show.text(market["name"]),
        clock=f"market clock {at}" if at else "",
        fallback=None if fallback is None else show.text(fallback),
    )


def _context(payload: Mapping[str, Any]) -> str:
    bar = payload["bar"]
    if bar is None:
        return ""
    age, quoted = show.duration(bar["age_seconds"]), show.utc_time(payload["updated_at"])
    selected = f"Selected at the {_close(bar)} of the {show.text(bar['interval'])} bar, {age} ago"
    if payload["market"]["kind"] in ("demo", "replay"):  # two clocks are on the page: say which is which
        return f"{selected} in market time. Last quote {quoted} in real time."
    return f"{selected}. Last quote {quoted}."


def _close(bar: Mapping[str, Any]) -> str:
    return f"{show.utc_time(bar['closed_at'], seconds=False)} close"


def _dated(bar: Mapping[str, Any] | None, verdict: str) -> str:
    # Its numbers are those of the close, and other ones stand beside it.
    return verdict if bar is None else f"At the {_close(bar)}: {verdict}"


def _problem(problem: Mapping[str, Any]) -> Notice:
    retry = show.finite(problem["retry_in_seconds"])
    again = f" Trying again in {show.duration(retry)}." if retry is not None else ""
    title = f"Problem with the {show.text(problem['source'])} since {show.utc_time(problem['since'])}"
    return Notice("warning", title, f"{show.text(problem['text']).rstrip('.')}.{again}")


def _progress(loading: Mapping[str, Any] | None) -> Progress | None:
    if loading is None:
        return None
    return Progress(
        show.text(loading["stage"]),
        show.text(loading["text"]),
        show.whole(loading["done"]),
        show.whole(loading["total"]),
    )


def _runner(row: Mapping[str, Any], shown: str, *, calibrated: bool) -> RunnerView:
    net, believed = expected_bps(row), row["believed"]
    signal = show.signed(row["signal_net_edge_bps"] if believed is None else believed["signal_mean_net_bps"])
    sides = {"long": "▲ LONG", "short": "▼ SHORT"}
    key = pair_key(row)
    misses = row["misses"]
    return RunnerView(
        key=key,
        pair=f"{leg_name(row, 'y')} / {leg_name(row, 'x')}",
        sides=f"{sides[row['side_y']]} / {sides[row['side_x']]}",
        z=show.signed(row["zscore"], 2),
        edge=show.signed(net),
        edge_note=_edge_note(net, believed, calibrated),
        edge_kind="unknown" if net is None else "gain" if net > 0 else "loss",
        p_value=show.probability(row["p_value"]),
        half_life=show.hours(row["half_life_hours"]),
        why=show.text(misses[0]) if misses else f"Qualifies too: {signal} bps at the bar’s close.",
        shown=key == shown,
    )


def _edge_note(net: float | None, believed: object, calibrated: bool) -> str:
    """Tell a projection from the believed edges that it stands beside."""
    return "projected" if calibrated and believed is None and net is not None else ""


def _carry(row: Mapping[str, Any], shown: str, *, calibrated: bool) -> CarryView:
    net, believed, misses = expected_bps(row), row["believed"], row["misses"]
    key, costs = pair_key(row), [show.finite(row[name]) for name in ("fee_bps", "slippage_bps")]
    return CarryView(
        key=key,
        pair=f"{leg_name(row, 'y')} / {leg_name(row, 'x')}",
        sides="▲ LONG / ▼ SHORT",
        funding=show.signed(row["funding_bps"]),
        costs=show.UNKNOWN if costs[0] is None or costs[1] is None else show.number(costs[0] + costs[1], 1),
        edge=show.signed(net),
        edge_note=_edge_note(net, believed, calibrated),
        edge_kind="unknown" if net is None else "gain" if net > 0 else "loss",
        bound=show.UNKNOWN if believed is None else show.signed(believed["lower_net_bps"]),
        why=show.text(misses[0]) if misses else "Qualifies.",
        shown=key == shown,
    )


def _funnel(funnel: Mapping[str, Any] | None, best: Mapping[str, Any] | None) -> FunnelView | None:
    if funnel is None:
        return None
    luck = by_luck(funnel["expected_by_luck"])
    steps = (
        ("coins_eligible", "coins"),
        ("pairs", "pairs"),
        ("pairs_cointegrated", "cointegrated"),
        ("pairs_at_entry", "at entry"),
        ("pairs_qualifying", "qualify"),
    )
    counts = tuple((show.count(funnel[name]), label) for name, label in steps)
    return FunnelView(counts, f"luck alone: {luck}", _luck_of_best(best))


def _luck_of_best(best: Mapping[str, Any] | None) -> str:
    if best is None:
        return ""
    return (
        f"The best test of this bar has t = {show.number(best['t_stat'], 2)}. "
        "Among as many pairs that only move alike, none of them cointegrated, "
        f"the best one looks as good {show.share(best['chance'])} of the time "
        f"({show.count(best['screens'])} null screens)."
    )


def _footnotes(payload: Mapping[str, Any]) -> tuple[str, ...]:
    settings = payload["settings"]
    rules = (
        f"The screen: {show.count(settings['window'])} bars, |z| ≥ {show.number(settings['z_in'], 2)} to enter, "
        f"≤ {show.number(settings['z_out'], 2)} to exit, p < {show.number(settings['p_max'], 3)}, "
        f"horizon {show.hours(settings['horizon_hours'])}, "
        f"taker fee {show.number(settings['taker_fee_bps'], 1)} bps a leg, {show.usd(settings['notional_usd'])} gross."
    )
    bps = "Edges and costs are basis points of gross notional, both legs together. Display only: nothing is traded."
    made_up = _MADE_UP.get(payload["market"]["kind"])
    return (rules, bps) if made_up is None else (made_up, rules, bps)
