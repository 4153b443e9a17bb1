from dataclasses import dataclass

import numpy as np
import pandas as pd

from hlpairs_core._typing import FloatArray
from hlpairs_core.backtest.bars import PairBars
from hlpairs_core.backtest.outcome import ExitReason, TradeOutcome
from hlpairs_core.costs import CostModel, funding_sign, square_root_slippage_bps
from hlpairs_core.exceptions import InputError
from hlpairs_core.market.panel import Panel
from hlpairs_core.screening import (
    Candidate,
    ScreenSettings,
    day_notional_usd,
    day_volatility_bps,
    leg_weights,
)

__all__ = ["simulate_trade"]

# A volatility takes three closes before the signal bar.
_FIRST_ENTRY = 4


def simulate_trade(
    panel: Panel, candidate: Candidate, *, entry_bar: int, settings: ScreenSettings, costs: CostModel
) -> TradeOutcome:
    """Trade one candidate through later bars under its frozen parameters.

    Parameters
    ----------
    panel : Panel
        Bars before and after the signal; with funding.
    candidate : Candidate
        Legs, sides, α, β, mean and σ, all frozen at the signal.
    entry_bar : int
        Position of the bar after the signal bar: the first in which the trade can be filled. At least 4.
    settings : ScreenSettings
        ``z_out``, ``horizon_hours``, ``notional_usd``; ``window`` for the volatility in the slippage.
    costs : CostModel
        Taker fee, slippage model, assumed funding.

    Returns
    -------
    TradeOutcome
        In bps of the gross notional at entry. Slippage and net are NaN where the volume or the volatility at
        the signal is unknown.

    Raises
    ------
    InputError
        If the entry bar has no signal bar before it or lies outside the panel, the intervals of panel and settings
        differ, or a due funding rate is unknown and none is assumed.

    Notes
    -----
    * Entry: both legs at the open of the first bar from `entry_bar` on in which both coins traded, at most one
      horizon later; an order that waits is not withdrawn. Units are fixed there: notional weights
      ``1 / (1 + |β|)`` and ``|β| / (1 + |β|)``.
    * Exit: z is read at each close. Where it is back at ``z_out``, or beyond it on the other side, or the
      horizon is reached, both legs leave at the next open at which both coins trade. Where the data of one coin
      end, at the last close of both.
    * A bar in which a coin did not trade fills nothing: both legs wait.
    * Funding: a rate stamped h settles the positions open at h, at the bar's open price (the oracle price is not
      recorded). A fill at the open of bar h neither pays nor receives the stamp h.
    * Slippage: the square-root law on each fill, with the volume of the last 24 hours and the volatility of the
      fit window, as both were known at the signal.
    """
    _check(panel, entry_bar, settings)
    bars = PairBars.of(panel, candidate)
    entry = bars.next_tradable(entry_bar)
    latest = entry_bar + settings.horizon_hours / bars.bar_hours
    if entry is None or entry > latest or entry > bars.last:
        return _no_entry(candidate, bars, entry_bar)
    fills = _Fills.of(bars, candidate, entry, settings)
    liquidity = _liquidity(bars.panel, entry_bar, settings)
    return _settle(bars, candidate, fills, liquidity, entry_bar=entry_bar, settings=settings, costs=costs)


@dataclass(frozen=True, eq=False)
class _Fills:
    """Where a trade begins and ends.

    ``end`` is the bar whose open is the time of the exit (the bar after the last close for an exit at a close);
    ``decided`` the bar whose close decided it. Prices have shape (2,): y, x.
    """

    entry: int
    end: int
    decided: int
    reason: ExitReason
    entry_price: FloatArray
    exit_price: FloatArray

    @classmethod
    def of(cls, bars: PairBars, candidate: Candidate, entry: int, settings: ScreenSettings) -> "_Fills":
        opens, closes = bars.panel.open, bars.panel.close
        decided, reason = _exit_decision(bars, candidate, entry, settings)
        fill = None if decided is None else bars.next_tradable(decided + 1)
        if decided is not None and fill is not None and fill <= bars.last:
            return cls(entry, fill, decided, reason, opens[entry], opens[fill])
        ended: ExitReason = "delisted" if bars.last < bars.panel.n_bars - 1 else "data end"
        return cls(entry, bars.last + 1, bars.last, ended, opens[entry], closes[bars.last])


def _exit_decision(
    bars: PairBars, candidate: Candidate, entry: int, settings: ScreenSettings
) -> tuple[int | None, ExitReason]:
    """Return the first bar whose close asks for the exit, and why."""
    direction = 1.0 if candidate.side_y == "short" else -1.0
    for bar in range(entry, bars.last + 1):
        if direction * bars.zscore[bar] <= settings.z_out:
            return bar, "reverted"
        if (bar + 1 - entry) * bars.bar_hours >= settings.horizon_hours:
            return bar, "horizon"
    return None, "data end"


@dataclass(frozen=True, eq=False)
class _Liquidity:
    """Day notional (USD) and day volatility (bps) of y and x as known at the signal; shape (2,)."""

    day_notional_usd: FloatArray
    day_volatility_bps: FloatArray

    def slippage_usd(self, notional: FloatArray, costs: CostModel) -> float:
        bps = square_root_slippage_bps(
            notional,
            day_notional_usd=self.day_notional_usd,
            day_volatility_bps=self.day_volatility_bps,
            half_spread_bps=costs.half_spread_bps,
            coefficient=costs.impact_coefficient,
        )
        return costs.slippage_multiple * float(np.sum(notional * bps) / 1e4)


def _liquidity(pair: Panel, entry_bar: int, settings: ScreenSettings) -> _Liquidity:
    known = pair.rows(0, entry_bar)
    fitted = pair.close[max(0, entry_bar - 1 - settings.window) : entry_bar - 1]
    return _Liquidity(day_notional_usd(known), day_volatility_bps(fitted, pair.interval))


def _settle(
    bars: PairBars,
    candidate: Candidate,
    fills: _Fills,
    liquidity: _Liquidity,
    *,
    entry_bar: int,
    settings: ScreenSettings,
    costs: CostModel,
) -> TradeOutcome:
    notional = settings.notional_usd
    weights = np.array(leg_weights(candidate.beta))
    units = weights * notional / fills.entry_price
    # Funding's sign is that of a seller: a short receives a positive rate, and gains when the price falls.
    short = funding_sign([candidate.side_y, candidate.side_x])
    paid_by_longs, assumed = bars.funding(fills.entry, fills.end, units, costs.assumed_funding_per_hour)
    traded = np.stack([units * fills.entry_price, units * fills.exit_price])
    bps = 1e4 / notional
    gross = bps * float(np.sum(-short * (traded[1] - traded[0])))
    fee = bps * costs.taker_fee_bps / 1e4 * float(np.sum(traded))
    slippage = bps * sum(liquidity.slippage_usd(fill, costs) for fill in traded)
    funding = bps * float(np.sum(short * paid_by_longs))
    hours = (fills.end - fills.entry) * bars.bar_hours
    return TradeOutcome(
        y=candidate.y,
        x=candidate.x,
        side_y=candidate.side_y,
        side_x=candidate.side_x,
        entry_time=bars.panel.time[fills.entry],
        exit_time=bars.panel.time[fills.entry] + pd.Timedelta(hours=hours),
        hold_hours=hours,
        exit_reason=fills.reason,
        gross_bps=gross,
        fee_bps=fee,
        slippage_bps=slippage,
        funding_bps=funding,
        net_bps=gross - fee - slippage + funding,
        notional_usd=notional,
        entry_zscore=float(bars.zscore[entry_bar - 1]),
        exit_zscore=float(bars.zscore[fills.decided]),
        funding_assumed=assumed,
    )


def _no_entry(candidate: Candidate, bars: PairBars, entry_bar: int) -> TradeOutcome:
    unknown = float("nan")
    return TradeOutcome(
        y=candidate.y,
        x=candidate.x,
        side_y=candidate.side_y,
        side_x=candidate.side_x,
        entry_time=None,
        exit_time=None,
        hold_hours=unknown,
        exit_reason="no entry",
        gross_bps=unknown,
        fee_bps=unknown,
        slippage_bps=unknown,
        funding_bps=unknown,
        net_bps=unknown,
        notional_usd=0.0,
        entry_zscore=float(bars.zscore[entry_bar - 1]),
        exit_zscore=unknown,
        funding_assumed=False,
    )


def _check(panel: Panel, entry_bar: int, settings: ScreenSettings) -> None:
    if panel.interval != settings.interval:
        raise InputError(
            f"the panel has {panel.interval} bars and the settings say {settings.interval}: make them agree"
        )
    if not _FIRST_ENTRY <= entry_bar < panel.n_bars:
        raise InputError(
            f"entry_bar is {entry_bar}: use {_FIRST_ENTRY} to {panel.n_bars - 1}, the bar after the signal bar of "
            f"a panel with {panel.n_bars} bars"
        )
