from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hlpairs_core.backtest.broker import Broker, coin_numbers
from hlpairs_core.backtest.entry_desk import EntryDesk
from hlpairs_core.backtest.event_loop import EventLoop
from hlpairs_core.backtest.ledger import Ledger
from hlpairs_core.backtest.market_bars import MarketBars
from hlpairs_core.backtest.portfolio import Portfolio
from hlpairs_core.backtest.strategy import FrozenSignals, Strategy
from hlpairs_core.costs import MINIMUM_ORDER_USD, CostModel
from hlpairs_core.exceptions import InputError
from hlpairs_core.market.panel import Panel
from hlpairs_core.screening import DEFAULT_COSTS, DEFAULT_SETTINGS, ScreenSettings

__all__ = ["Backtest", "backtest_pairs"]

DEFAULT_PORTFOLIO = Portfolio()
_WORST_SHARE = 0.05


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Backtest:
    """What a backtest traded, and what came of it.

    Attributes
    ----------
    trades : DataFrame
        One row a trade, in the order of their ends: ``y, x, side_y, side_x, beta, entry_time, exit_time, hold_hours,
        exit_reason, entry_zscore, exit_zscore``, signed ``units_y, units_x`` at entry, ``notional_usd`` (gross, at
        entry), ``turnover_usd``, and ``gross, fee, slippage, funding, net``, each as ``_usd`` and as ``_bps`` of the
        notional: costs are positive, funding is positive when received, ``net = gross - fee - slippage + funding``.
        Also ``rehedges`` (how often) and ``funding_assumed``.
    equity : DataFrame
        One row a bar, by its close: ``cash_usd`` (capital, closed trades, costs and funding of the open ones),
        ``unrealised_usd`` (price profit of the open ones, at the last known closes), ``equity_usd`` (their sum),
        ``gross_usd`` and ``net_exposure_usd`` (of the open legs), ``pairs``.
    orders : DataFrame
        One row an order: ``decided_at`` (close of the signal bar), ``time`` (of the fill, or of the refusal),
        ``action`` ("enter", "exit", "rehedge", "liquidation"), ``y, x, status`` ("filled", "refused", "expired",
        "unfilled"), ``reason``, signed ``units_y, units_x, price_y, price_x, fee_usd, slippage_usd``.
    settings, costs, portfolio : ScreenSettings, CostModel, Portfolio
        What was asked.
    """

    trades: pd.DataFrame
    equity: pd.DataFrame
    orders: pd.DataFrame
    settings: ScreenSettings
    costs: CostModel
    portfolio: Portfolio

    def __repr__(self) -> str:
        span = f"{self.equity.index[0]:%Y-%m-%d %H:%M} to {self.equity.index[-1]:%Y-%m-%d %H:%M} UTC"
        if self.trades.empty:
            return f"<Backtest: no trade, {span}>"
        net = np.sort(self.trades["net_bps"].to_numpy())
        worst = net[: max(1, round(_WORST_SHARE * len(net)))].mean()
        earned = self.equity["equity_usd"].iloc[-1] - self.portfolio.capital_usd
        return (
            f"<Backtest: {len(net)} trades, net {net.mean():.1f} bps each (worst 5 %: {worst:.1f}), "
            f"{earned:+,.0f} USD, {span}>"
        )


def backtest_pairs(
    panel: Panel,
    *,
    strategy: Strategy,
    settings: ScreenSettings = DEFAULT_SETTINGS,
    costs: CostModel = DEFAULT_COSTS,
    portfolio: Portfolio = DEFAULT_PORTFOLIO,
    sz_decimals: Mapping[str, int] | None = None,
    max_leverage: Mapping[str, float] | None = None,
    start: int | None = None,
    stop: int | None = None,
) -> Backtest:
    """Trade a strategy bar by bar: a portfolio of pairs, each of two legs that are one position.

    Parameters
    ----------
    panel : Panel
        Bars with funding; their highs and lows decide on liquidations.
    strategy : Strategy
        What decides at each closed bar: `ScreenStrategy` (the decision of the live ranking), `FrozenSignals` (given
        candidates), or any object with such a `decide`.
    settings : ScreenSettings
        Of the trades: ``z_out``, ``horizon_hours``, ``notional_usd``, ``leverage``; ``window`` for the volatility in
        the slippage.
    costs : CostModel
        Taker fee, slippage model, assumed funding.
    portfolio : Portfolio
        Capital, sizes, caps, margin, delay, stops.
    sz_decimals : mapping of coin to int, optional
        Decimals of the sizes: they are rounded down to them, and prices to the tick that follows from them. Not
        rounded without.
    max_leverage : mapping of coin to float, optional
        For margin: it sets the maintenance margin.
    start, stop : int, optional
        First bar, and the one to stop before; by default all. What is held at the end leaves at the last close.

    Returns
    -------
    Backtest
        Trades, equity after each bar, orders.

    Raises
    ------
    InputError
        If the intervals differ, a coin or the time of a signal is not the panel's, the notional is below two orders of
        the least size, `stop_z` is not beyond ``z_out``, margin is asked for without maximum leverages, or a due
        funding rate is unknown and none is assumed.

    Notes
    -----
    In each bar, in this order:

    * **Open.** Orders decided at the close before (earlier, with a delay) are filled: exits, re-hedges, entries. An
      order waits for a bar in which both coins traded; an entry waits one horizon at most. Units are fixed at the
      entry, with notional weights ``1 / (1 + |β|)`` and ``|β| / (1 + |β|)``.
    * **Funding.** A rate stamped h settles the positions open at h; a fill at the open of bar h neither pays nor
      receives it.
    * **Close.** A leg whose low (high, if short) went through its isolated liquidation price was closed there, or at
      the open where that was beyond; the other leg follows at the next open. With cross margin the account is closed
      when its equity is below the maintenance margin at a close. A pair whose data end leaves at the last close of
      both ("delisted"; "data end" with the panel). Then the rest is marked.
    * **Decisions.** Exits ("reverted" to ``z_out``, "stop", "horizon", "test failed"), then what the strategy enters.

    Slippage follows the square-root law, with what was known of the volume and the volatility at the signal. An entry
    whose slippage cannot be told is refused, not free.

    Examples
    --------
    >>> strategy = ScreenStrategy(settings=settings, costs=costs, every=24)  # doctest: +SKIP
    >>> backtest_pairs(panel, strategy=strategy, settings=settings, costs=costs).trades  # doctest: +SKIP
    """
    _check(panel, settings, portfolio)
    _check_stop(settings, portfolio)
    first, end = _range(panel, start, stop)
    traded = _columns(panel, strategy)
    lots = coin_numbers("sz_decimals", sz_decimals, panel.coins, traded)
    leverage = coin_numbers("max_leverage", max_leverage, panel.coins, traded)
    if portfolio.margin != "none" and leverage is None:
        raise InputError(f"margin is {portfolio.margin!r} and no max_leverage is given: give it for every coin")
    bars = MarketBars.of(panel, costs.assumed_funding_per_hour)
    broker = Broker(costs, lots)
    desk = EntryDesk(bars=bars, settings=settings, portfolio=portfolio, broker=broker, max_leverage=leverage)
    loop = EventLoop(
        bars=bars, strategy=strategy, settings=settings, portfolio=portfolio, broker=broker, desk=desk,
        max_leverage=leverage, stop=end, ledger=Ledger(panel.time, bars.bar_hours),
    )  # fmt: skip
    trades, equity, orders = loop.run(first).tables(first)
    return Backtest(trades=trades, equity=equity, orders=orders, settings=settings, costs=costs, portfolio=portfolio)


def _check(panel: Panel, settings: ScreenSettings, portfolio: Portfolio) -> None:
    if panel.interval != settings.interval:
        raise InputError(
            f"the panel has {panel.interval} bars and the settings say {settings.interval}: make them agree"
        )
    if portfolio.sizing == "notional" and settings.notional_usd < 2 * MINIMUM_ORDER_USD:
        raise InputError(
            f"notional_usd is {settings.notional_usd:g}: the least order is {MINIMUM_ORDER_USD:g} USD a leg, "
            f"so use at least {2 * MINIMUM_ORDER_USD:g}"
        )


def _check_stop(settings: ScreenSettings, portfolio: Portfolio) -> None:
    if portfolio.stop_z is not None and portfolio.stop_z <= settings.z_out:
        raise InputError(f"stop_z is {portfolio.stop_z:g} and z_out {settings.z_out:g}: a stop lies beyond the exit")


def _range(panel: Panel, start: int | None, stop: int | None) -> tuple[int, int]:
    first, end = 0 if start is None else start, panel.n_bars if stop is None else stop
    if not 0 <= first < end <= panel.n_bars:
        raise InputError(f"bars {first} to {end} of {panel.n_bars}: use a range within the panel")
    return first, end


def _columns(panel: Panel, strategy: Strategy) -> set[int]:
    """Columns that are traded: those of given signals, or any."""
    if not isinstance(strategy, FrozenSignals):
        return set(range(panel.n_coins))
    return {panel.coins.index(coin) for coin in strategy.check(panel)}
