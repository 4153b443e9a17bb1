from collections.abc import Callable
from typing import Any

import pandas as pd

from hlpairs_core.backtest.trade import simulate_trade
from hlpairs_core.costs import CostModel, check_integer
from hlpairs_core.exceptions import InputError
from hlpairs_core.market.panel import Panel
from hlpairs_core.screening import Candidate, ScreenResult, ScreenSettings, screen

__all__ = ["follow"]


def _top(result: ScreenResult) -> Candidate | None:
    return result.top


def follow(
    panel: Panel,
    *,
    settings: ScreenSettings,
    costs: CostModel,
    every: int = 24,
    start: int | None = None,
    stop: int | None = None,
    choose: Callable[[ScreenResult], Candidate | None] = _top,
) -> pd.DataFrame:
    """Screen at several closed bars and trade each choice through the bars after it.

    Every screen sees only the bars up to its own, every trade only frozen parameters: expected and realised stand
    side by side as they would have been.

    Parameters
    ----------
    panel : Panel
        History with funding.
    settings : ScreenSettings
        Of the screens and the trades.
    costs : CostModel
        Likewise.
    every : int
        Bars from one screen to the next.
    start, stop : int, optional
        First signal bar and the one to stop before; by default the first with a full window before it, and the
        last that has a bar after it.
    choose : callable, optional
        Which candidate of a result to trade; its top by default. None trades nothing.

    Returns
    -------
    DataFrame
        One row a verdict: ``closed_at``, ``verdict`` (text), ``qualifies``; of the candidate traded
        ``expected_gross_bps, expected_fee_bps, expected_slippage_bps, expected_funding_bps, expected_net_bps``; and
        the attributes of its `TradeOutcome`. Missing where nothing was traded.

    Raises
    ------
    InputError
        If no signal bar lies in the range, or as `screen` and `simulate_trade` say.
    """
    check_integer("every", every, low=1, high=panel.n_bars)
    first = settings.window if start is None else start
    last = panel.n_bars - 1 if stop is None else min(stop, panel.n_bars - 1)
    if not settings.window <= first < last:
        raise InputError(
            f"signal bars {first} to {last} of {panel.n_bars}: use a range from {settings.window} (the window) to "
            f"{panel.n_bars - 2} (one bar before the last)"
        )
    rows = [_verdict_row(panel, bar, settings, costs, choose) for bar in range(first, last, every)]
    return pd.DataFrame(rows)


def _verdict_row(
    panel: Panel,
    bar: int,
    settings: ScreenSettings,
    costs: CostModel,
    choose: Callable[[ScreenResult], Candidate | None],
) -> dict[str, Any]:
    result = screen(panel.rows(0, bar + 1), settings=settings, costs=costs)
    row: dict[str, Any] = {
        "closed_at": result.closed_at,
        "verdict": result.verdict.text,
        "qualifies": result.verdict.qualifies,
    }
    candidate = choose(result)
    if candidate is None:
        return row
    expected = {
        f"expected_{name}_bps": getattr(candidate, f"{name}_bps") for name in ("gross", "fee", "slippage", "funding")
    }
    outcome = simulate_trade(panel, candidate, entry_bar=bar + 1, settings=settings, costs=costs)
    return row | expected | {"expected_net_bps": candidate.net_edge_bps} | outcome.as_row()
