"""What a pair must pass to qualify, and the sentence for each way to fail."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hlpairs_core._typing import BoolArray
from hlpairs_core.costs import MINIMUM_ORDER_USD
from hlpairs_core.screening.settings import ScreenSettings
from hlpairs_core.wording import digits_to_exceed, stated, told_apart

__all__ = ["GATES", "Gate", "collect_misses", "doubt", "names_of_failed", "screen_gates"]

GATES = ("cointegrated", "entry", "reversion", "funding", "slippage", "edge", "capacity", "order", "leverage")
"""Names of the gates of two perpetuals, in the order in which a failure tells most."""


@dataclass(frozen=True, eq=False)
class Gate:
    """One condition.

    Attributes
    ----------
    name : str
        One of `GATES`.
    failed : ndarray of bool, shape (n_pairs,)
        Which pairs fail it.
    sentence : callable
        From a pair's position to why it fails.
    """

    name: str
    failed: BoolArray
    sentence: Callable[[int], str]


def screen_gates(column: Mapping[str, Any], settings: ScreenSettings, *, calibrated: bool = False) -> list[Gate]:
    """Judge all pairs by every gate, in the order in which a failure tells most.

    Parameters
    ----------
    column : mapping of str to ndarray, shape (n_pairs,)
        The numbers of the candidates and, of each pair, ``reason`` (why it could not be tested) and
        ``max_leverage`` (the lower of its coins'; NaN where unknown). Only sentences need ``thin_coin,
        thin_needs_usd, thin_depth_usd`` (the leg its visible book does not hold, or None) and ``unfunded`` (the
        coins whose rate is unknown).
    settings : ScreenSettings
        The thresholds.
    calibrated : bool
        Whether a model says what can be believed: the columns have ``is_signal`` (which pairs it was asked about)
        and the numbers of a forecast.
    """
    return [
        _cointegrated(column, settings),
        _entry(column, settings),
        _reversion(column),
        _funding(column),
        _slippage(column),
        _believed_edge(column) if calibrated else _edge(column),
        _capacity(column, settings),
        _order(column),
        _leverage(column, settings),
    ]


def collect_misses(gates: list[Gate], n_pairs: int) -> list[tuple[str, ...]]:
    """Return each pair's sentences, in the order of the gates; empty where it passes all."""
    said: list[list[str]] = [[] for _ in range(n_pairs)]
    for gate in gates:
        for i in np.flatnonzero(gate.failed).tolist():
            said[i].append(gate.sentence(i))
    return [tuple(sentences) for sentences in said]


def names_of_failed(gates: list[Gate], n_pairs: int) -> list[tuple[str, ...]]:
    """Return the names of the gates that each pair fails, in their order."""
    bits = np.zeros(n_pairs, dtype=np.int64)
    for place, gate in enumerate(gates):
        bits |= gate.failed.astype(np.int64) << place
    # Few combinations occur: their pairs share one tuple.
    known = {
        some: tuple(gate.name for place, gate in enumerate(gates) if some >> place & 1)
        for some in np.unique(bits).tolist()
    }
    return [known[some] for some in bits.tolist()]


_Columns = Mapping[str, Any]


def _cointegrated(column: _Columns, settings: ScreenSettings) -> Gate:
    p, reason = column["p_value"].tolist(), column["reason"].tolist()

    def sentence(i: int) -> str:
        if reason[i]:
            return f"cointegration cannot be judged: {reason[i]}"
        bound = settings.p_max
        return f"p is {told_apart(p[i], bound, 3)}, cointegration needs less than {stated(bound, 1)}"

    failed = ~(column["p_value"] < settings.p_max) | (column["reason"] != "").astype(bool)
    return Gate("cointegrated", failed, sentence)


def _entry(column: _Columns, settings: ScreenSettings) -> Gate:
    size = np.abs(column["zscore"])
    known, needed = size.tolist(), stated(settings.z_in, 1)

    def sentence(i: int) -> str:
        if np.isnan(known[i]):
            return f"z is unknown, entry needs |z| of {needed}"
        return f"|z| is {told_apart(known[i], settings.z_in, 1)}, entry needs {needed}"

    return Gate("entry", ~(size >= settings.z_in), sentence)


def _reversion(column: _Columns) -> Gate:
    return Gate(
        "reversion",
        np.isnan(column["hold_hours"]),
        lambda _: "the spread has no half-life: no reversion to expect",
    )


def _funding(column: _Columns) -> Gate:
    return Gate(
        "funding",
        np.isnan(column["funding_bps_per_hour"]),
        lambda i: f"the funding rate of {column['unfunded'][i] or 'a leg'} is unknown, so the net edge is too",
    )


def _slippage(column: _Columns) -> Gate:
    def sentence(i: int) -> str:
        coin, needs, depth = (column[name][i] for name in ("thin_coin", "thin_needs_usd", "thin_depth_usd"))
        if coin is None:
            return "the slippage is unknown"
        most, needed = told_apart(depth, needs, 0), told_apart(needs, depth, 0)
        return f"the visible {coin} book is too thin: at most {most} USD, the leg is {needed}"

    return Gate("slippage", np.isnan(column["slippage_bps"]), sentence)


def _edge(column: _Columns) -> Gate:
    fee, slippage = column["fee_bps"].tolist(), column["slippage_bps"].tolist()
    funding, gross = column["funding_bps"].tolist(), column["gross_bps"].tolist()

    def sentence(i: int) -> str:
        paid, received = max(-funding[i], 0.0), max(funding[i], 0.0)
        n = digits_to_exceed([fee[i], slippage[i], paid], [gross[i], received], 1)
        costs = f"fees {fee[i]:.{n}f} + slippage {slippage[i]:.{n}f}" + (f" + funding {paid:.{n}f}" if paid else "")
        income = f"{gross[i]:.{n}f}" + (f" + funding {received:.{n}f}" if received else "")
        return f"{costs} bps exceed the expected reversion {income} bps"

    return Gate("edge", np.asarray(column["net_edge_bps"] <= 0), sentence)


def _believed_edge(column: _Columns) -> Gate:
    """A pair at entry needs a mean above 0 with 90 %; others fail on what they have failed on, and on a raw edge."""
    mean, lower, share = (column[name].tolist() for name in ("mean_net_bps", "lower_net_bps", "gross_share"))
    asked, raw = column["is_signal"], _edge(column)

    def sentence(i: int) -> str:
        if not asked[i]:
            return raw.sentence(i)
        return doubt(mean[i], lower[i], f"{share[i]:.0%} of the projected reversion is expected to arrive")

    failed = np.where(asked, ~(column["lower_net_bps"] > 0), raw.failed)
    return Gate("edge", failed, sentence)


def doubt(mean_bps: float, lower_bps: float, arrives: str) -> str:
    """Return why a believed edge is not enough; `arrives` says how much of the projection is."""
    if np.isnan(mean_bps):
        return "what can be believed of its expectation is unknown: there is no model for it, or no number"
    if np.isnan(lower_bps):
        return f"nothing of such expectations has arrived so far: {mean_bps:.1f} bps are left after costs"
    return f"{arrives}: net {mean_bps:.1f} bps, above {lower_bps:.1f} with 90 %, which is not above 0"


def _capacity(column: _Columns, settings: ScreenSettings) -> Gate:
    capacity = column["capacity_usd"].tolist()

    def sentence(i: int) -> str:
        if np.isnan(capacity[i]):
            return "its capacity is unknown"
        most = told_apart(capacity[i], settings.notional_usd, 0)
        return f"its volume and book take at most {most} USD gross, the trade is {stated(settings.notional_usd, 0)}"

    return Gate("capacity", ~(column["capacity_usd"] >= settings.notional_usd), sentence)


def _order(column: _Columns) -> Gate:
    smaller = np.minimum(column["notional_y_usd"], column["notional_x_usd"])
    size = smaller.tolist()
    return Gate(
        "order",
        np.asarray(smaller < MINIMUM_ORDER_USD),
        lambda i: f"one leg is {size[i]:.2f} USD, the exchange takes no order below {MINIMUM_ORDER_USD:g}",
    )


def _leverage(column: _Columns, settings: ScreenSettings) -> Gate:
    allowed = column["max_leverage"].tolist()
    return Gate(
        "leverage",
        np.asarray(column["max_leverage"] < settings.leverage),
        lambda i: f"leverage is {settings.leverage:g}, one leg allows {allowed[i]:g}",
    )
