"""What many candidates earned, all at once: the rules of `simulate_trade` on arrays."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hlpairs_core._typing import BoolArray, FloatArray, IntArray
from hlpairs_core.backtest.walk_market import WalkMarket
from hlpairs_core.backtest.walk_trades import Trades
from hlpairs_core.costs import CostModel, check_integer, square_root_slippage_bps
from hlpairs_core.intervals import interval_duration
from hlpairs_core.market import Panel
from hlpairs_core.screening import ScreenSettings, leg_weights, spread_zscore
from hlpairs_core.screening.priced import Columns

__all__ = ["OUTCOMES", "realise"]

_AMOUNTS = tuple(f"realised_{name}_bps" for name in ("gross", "fee", "slippage", "funding", "net"))
OUTCOMES = (*_AMOUNTS, "hold_hours", "entry_time", "exit_time", "exit_reason", "funding_assumed", "unknown")
"""Columns of a candidate that are known when its trade has ended."""

_REASONS = ("reverted", "horizon", "delisted", "data end", "no entry")
_REVERTED, _HORIZON, _DELISTED, _DATA_END, _NO_ENTRY = range(5)
_UNKNOWN = ("", "no entry", "funding", "slippage")
# Candidates per step: their paths stay in the processor's cache.
_BATCH = 2048


def realise(
    rows: pd.DataFrame, panel: Panel, *, settings: ScreenSettings, costs: CostModel, delay_bars: int = 0
) -> pd.DataFrame:
    """Trade candidates through the bars after their signals: each as `simulate_trade` would.

    Parameters
    ----------
    rows : DataFrame
        Candidates of a walk-forward: ``signal_time, y, x, side_y, side_x, alpha, beta, sigma, vol_y_bps,
        vol_x_bps, day_notional_y_usd, day_notional_x_usd``, all frozen at the signal; ``kind`` where some are
        "spot_perp" (all are "perp_perp" without it).
    panel : Panel
        Bars before and after the signals; with funding. For "spot_perp" of `join_spot`.
    settings : ScreenSettings
        ``z_out``, ``horizon_hours``, ``notional_usd``.
    costs : CostModel
        Taker fee, slippage model, assumed funding.
    delay_bars : int
        Bars that an order comes late: 0 is filled from the first open after the signal on.

    Returns
    -------
    DataFrame
        In the order and with the index of `rows`: ``realised_gross_bps, realised_fee_bps, realised_slippage_bps,
        realised_funding_bps, realised_net_bps`` (bps of the gross notional at entry, net = gross - fee - slippage +
        funding), ``hold_hours, entry_time, exit_time, exit_reason`` as in `TradeOutcome`, ``funding_assumed``, and
        ``unknown``: why an amount is NaN: ``"no entry"``, ``"funding"`` (a due rate is not in the panel and none is
        assumed), ``"slippage"`` (volume or volatility unknown at the signal), else "".

    Raises
    ------
    InputError
        If the intervals of panel and settings differ, a coin is not in the panel, or a signal has no bar after it.

    Notes
    -----
    Of "spot_perp" the rules differ: a unit of spot for each unit of the perpetual (not equal notional: what is left of
    one would move with the price), no exit by z but the horizon alone, spot's taker fee on y, and funding of x only.
    """
    check_integer("delay_bars", delay_bars, low=0, high=1000)
    market = WalkMarket(panel, costs.assumed_funding_per_hour)
    trades = Trades.of(rows, panel, settings, delay_bars)
    parts = [slice(start, start + _BATCH) for start in range(0, max(len(rows), 1), _BATCH)]
    settled = [_settle(market, trades.take(part), settings, costs) for part in parts]
    columns = {name: np.concatenate([one[name] for one in settled]) for name in settled[0]}
    return _frame(columns, panel, rows.index)


@dataclass(frozen=True, eq=False)
class _Fills:
    """Where N trades begin and end: ``end`` is the bar whose open is the time of the exit; prices (2, N)."""

    entry: IntArray
    end: IntArray
    reason: IntArray
    entry_price: FloatArray
    exit_price: FloatArray


def _settle(market: WalkMarket, trades: Trades, settings: ScreenSettings, costs: CostModel) -> Columns:
    fills = _fills(market, trades, settings)
    units = _units(trades, fills.entry_price, settings.notional_usd)
    traded = np.stack([units * fills.entry_price, units * fills.exit_price])
    # Funding's sign is that of a seller: a short receives a positive rate, and gains when the price falls.
    sign, bps = np.where(trades.short, 1.0, -1.0), 1e4 / settings.notional_usd
    paid, missing = _funding_of_legs(market, trades, fills)
    gross = bps * np.sum(-sign * (traded[1] - traded[0]), axis=0)
    fee_y = np.where(trades.is_carry, costs.fee_bps("spot"), costs.fee_bps("perp"))
    fee = bps / 1e4 * (fee_y * np.sum(traded[:, 0], axis=0) + costs.fee_bps("perp") * np.sum(traded[:, 1], axis=0))
    slippage = bps * np.sum(_slippage_usd(traded, trades, costs), axis=(0, 1))
    funding = bps * np.sum(sign * paid * units, axis=0)
    funding = np.where(missing & (market.assumed is None), np.nan, funding)
    return _columns(fills, (gross, fee, slippage, funding, gross - fee - slippage + funding), missing)


def _units(trades: Trades, price: FloatArray, notional_usd: float) -> FloatArray:
    """Return the units of each leg, shape (2, N): by notional, or the same of both."""
    by_notional = np.stack(leg_weights(trades.beta)) * notional_usd / price
    return np.where(trades.is_carry, notional_usd / np.sum(price, axis=0), by_notional)


def _funding_of_legs(market: WalkMarket, trades: Trades, fills: _Fills) -> tuple[FloatArray, BoolArray]:
    """Return what one unit of each leg pays if it is long (USD), and whether a rate of either leg is missing."""
    (paid_y, missing_y), (paid_x, missing_x) = (market.paid(fills.entry, fills.end, coin) for coin in trades.coin)
    # Spot has no funding: none that could be missing either.
    paid_y, missing_y = np.where(trades.is_carry, 0.0, paid_y), missing_y & ~trades.is_carry
    return np.stack([paid_y, paid_x]), missing_y | missing_x


def _columns(fills: _Fills, amounts: tuple[FloatArray, ...], missing: BoolArray) -> Columns:
    out, (*_, slippage, funding, _) = fills.reason == _NO_ENTRY, amounts
    return {
        **{name: np.where(out, np.nan, amount) for name, amount in zip(_AMOUNTS, amounts, strict=True)},
        "entry": fills.entry,
        "end": fills.end,
        "reason": fills.reason,
        "funding_assumed": missing & ~np.isnan(funding) & ~out,
        "unknown": np.select([out, np.isnan(funding), np.isnan(slippage)], [1, 2, 3], default=0),
    }


def _fills(market: WalkMarket, trades: Trades, settings: ScreenSettings) -> _Fills:
    """Fill both legs at the first open at which both trade, and again when z or the clock says so."""
    panel, (y, x) = market.panel, trades.coin
    last = market.last_common[y, x]
    patience = int(settings.horizon_hours / settings.bar_hours)
    entry = market.next_fill(trades.first, y, x, np.minimum(trades.first + patience, last))
    entered = entry >= 0
    # A trade that is never entered is followed from its first bar, and its numbers are thrown away.
    entry = np.where(entered, entry, np.minimum(trades.first, panel.n_bars - 1))
    decided, reason = _decisions(panel, trades, entry, last, settings)
    fill = market.next_fill(decided + 1, y, x, last)
    ended = np.where(last < panel.n_bars - 1, _DELISTED, _DATA_END)
    at_close = fill < 0
    end = np.where(entered, np.where(at_close, last + 1, fill), entry)
    exit_price = np.where(
        at_close, panel.close[last, trades.coin], panel.open[np.minimum(end, panel.n_bars - 1), trades.coin]
    )
    reason = np.where(entered, np.where(at_close, ended, reason), _NO_ENTRY)
    return _Fills(entry, end, reason, panel.open[entry, trades.coin], exit_price)


def _decisions(
    panel: Panel, trades: Trades, entry: IntArray, last: IntArray, settings: ScreenSettings
) -> tuple[IntArray, IntArray]:
    """Return the first bar whose close asks for the exit, and why; the bar may lie after the data."""
    longest = _longest_hold(settings)
    bars = entry[:, None] + np.arange(longest)
    there = bars <= last[:, None]
    bars = np.minimum(bars, panel.n_bars - 1)
    y, x = trades.coin
    zscore = spread_zscore(
        panel.close[bars, y[:, None]],
        panel.close[bars, x[:, None]],
        alpha=trades.alpha[:, None],
        beta=trades.beta[:, None],
        mean=0.0,
        sigma=trades.sigma[:, None],
    )
    direction = np.where(trades.short[0], 1.0, -1.0)
    back = there & (direction[:, None] * zscore <= settings.z_out) & ~trades.is_carry[:, None]
    reverted = back.any(axis=1)
    decided = entry + np.where(reverted, np.argmax(back, axis=1), longest - 1)
    return decided, np.where(reverted, _REVERTED, _HORIZON)


def _longest_hold(settings: ScreenSettings) -> int:
    """Return the first number of bars that is as long as the horizon; the quotient itself may be off by rounding."""
    bars = max(1, int(settings.horizon_hours / settings.bar_hours) - 1)
    while bars * settings.bar_hours < settings.horizon_hours:
        bars += 1
    return bars


def _slippage_usd(traded: FloatArray, trades: Trades, costs: CostModel) -> FloatArray:
    # A trade without prices has no notional either: what is thrown away must not look negative.
    notional = np.where(traded >= 0, traded, 0.0)
    bps = square_root_slippage_bps(
        notional,
        day_notional_usd=trades.day_notional_usd,
        day_volatility_bps=trades.day_volatility_bps,
        half_spread_bps=costs.half_spread_bps,
        coefficient=costs.impact_coefficient,
    )
    return np.asarray(costs.slippage_multiple * traded * bps / 1e4)


def _frame(columns: Columns, panel: Panel, index: pd.Index) -> pd.DataFrame:
    step, out = interval_duration(panel.interval), columns["reason"] == _NO_ENTRY
    entry = panel.time[columns["entry"]]
    hours = (columns["end"] - columns["entry"]) * (step / pd.Timedelta(hours=1))
    exits = entry + (columns["end"] - columns["entry"]) * step
    return pd.DataFrame(
        {
            **{name: columns[name] for name in _AMOUNTS},
            "hold_hours": np.where(out, np.nan, hours),
            "entry_time": entry.where(~out),
            "exit_time": exits.where(~out),
            "exit_reason": pd.Categorical.from_codes(columns["reason"], categories=list(_REASONS)),
            "funding_assumed": columns["funding_assumed"],
            "unknown": pd.Categorical.from_codes(columns["unknown"], categories=list(_UNKNOWN)),
        },
        index=index,
    )[list(OUTCOMES)]
