"""The bars of a backtest, one after the other: fills at the open, funding, marks, and decisions at the close."""

from dataclasses import dataclass, field

import numpy as np

from hlpairs_core._typing import FloatArray
from hlpairs_core.backtest.broker import Broker
from hlpairs_core.backtest.entry_desk import Account, EntryDesk, Waiting
from hlpairs_core.backtest.ledger import Ledger
from hlpairs_core.backtest.margin import liquidation_fills, maintenance_rate
from hlpairs_core.backtest.market_bars import MarketBars
from hlpairs_core.backtest.portfolio import Portfolio
from hlpairs_core.backtest.position import Exit, Position
from hlpairs_core.backtest.strategy import Moment, Strategy
from hlpairs_core.costs import MINIMUM_ORDER_USD
from hlpairs_core.screening import ScreenSettings

__all__ = ["EventLoop"]


@dataclass(eq=False, kw_only=True)
class EventLoop:
    """State of a backtest; `run` goes through the bars."""

    bars: MarketBars
    strategy: Strategy
    settings: ScreenSettings
    portfolio: Portfolio
    broker: Broker
    desk: EntryDesk
    max_leverage: FloatArray | None
    stop: int
    ledger: Ledger
    closed_net_usd: float = 0.0
    equity_usd: float = 0.0
    held: list[Position] = field(default_factory=list)
    waiting: list[Waiting] = field(default_factory=list)
    hedging: dict[Position, int] = field(default_factory=dict)

    def run(self, start: int) -> Ledger:
        """Go through the bars from `start` on."""
        self.equity_usd = self.portfolio.capital_usd
        for bar in range(start, self.stop):
            self._open(bar)
            self._close(bar)
            self._leave(bar)
            self._decide(bar)
        for order in self.waiting:
            self.ledger.refuse(order.signal, order.decided, self.ledger.close_of(self.stop - 1), "data end", "unfilled")
        return self.ledger

    # Open of a bar: fills, then the funding of what is held.

    def _open(self, bar: int) -> None:
        before = {position: position.units for position in self.held}
        for position in list(self.held):
            self._fill_exit(position, bar)
        for position in list(self.hedging):
            self._fill_hedge(position, bar)
        for order in list(self.waiting):
            self._fill_entry(order, bar)
        for position in self.held:
            was = before.get(position, np.zeros(2))
            paid, assumed = self.bars.funding_paid(bar, position.legs, was, position.units)
            position.funding_usd = position.funding_usd - paid
            position.assumed |= assumed

    def _fill_exit(self, position: Position, bar: int) -> None:
        left = position.exit
        legs = position.legs[position.units != 0]
        if left is not None and bar >= left.first_bar and self.bars.tradable[bar, legs].all():
            self._close_position(position, bar, left, self.bars.panel.open[bar], at_open=True)

    def _close_position(self, position: Position, bar: int, left: Exit, prices: FloatArray, *, at_open: bool) -> None:
        time = self.bars.panel.time[bar] if at_open else self.ledger.close_of(bar)
        price = self.broker.price(prices[position.legs], position.legs)
        change = -position.units
        if change.any():
            costs = self.broker.trade_to(position, np.zeros(2), price)
            self.ledger.fill(
                position, "exit", decided=left.decided, time=time, reason=left.reason, change=change, price=price,
                costs=costs,
            )  # fmt: skip
        self.closed_net_usd += self.ledger.close(position, left, time)
        self.held.remove(position)
        self.hedging.pop(position, None)

    def _fill_hedge(self, position: Position, bar: int) -> None:
        if position.exit is not None:
            del self.hedging[position]
        elif bar > self.hedging[position] + self.portfolio.delay_bars and self.bars.tradable[bar, position.legs].all():
            decided = self.hedging.pop(position)
            price = self.broker.price(self.bars.panel.open[bar, position.legs], position.legs)
            units = self.broker.size(position.hedged_units(price), position.legs)
            change = units - position.units
            if abs(change[1]) * price[1] >= MINIMUM_ORDER_USD:
                costs = self.broker.trade_to(position, units, price)
                position.rehedges += 1
                position.set_margin(price, self.settings.leverage)
                self.ledger.fill(
                    position, "rehedge", decided=decided, time=self.bars.panel.time[bar], reason="refitted",
                    change=change, price=price, costs=costs,
                )  # fmt: skip

    def _fill_entry(self, order: Waiting, bar: int) -> None:
        if bar > order.latest:
            self.waiting.remove(order)
            self.ledger.refuse(order.signal, order.decided, self.bars.panel.time[bar], "no trade", "expired")
        elif bar >= order.first_bar and self.bars.tradable[bar, order.legs].all():
            self.waiting.remove(order)
            self._enter(order, bar)

    def _enter(self, order: Waiting, bar: int) -> None:
        position = self.desk.fill(order, bar, self.stop, self._account())
        time = self.bars.panel.time[bar]
        if isinstance(position, str):
            self.ledger.refuse(order.signal, order.decided, time, position)
            return
        self.held.append(position)
        self.ledger.fill(
            position, "enter", decided=order.decided, time=time, reason="signal", change=position.units,
            price=position.mark_usd, costs=(position.fee_usd, position.slippage_usd),
        )  # fmt: skip

    def _account(self) -> Account:
        gross = sum(float(np.abs(one.units * one.mark_usd).sum()) for one in self.held)
        return Account(self.equity_usd, gross)

    # Close of a bar: liquidations, the end of a coin's data, marks.

    def _close(self, bar: int) -> None:
        panel = self.bars.panel
        if self.portfolio.margin == "isolated":
            for position in list(self.held):
                self._liquidate_legs(position, bar)
        for position in list(self.held):
            position.mark_usd = self.bars.value[bar, position.legs]
            if bar == position.last:
                ended = "data end" if bar == self.stop - 1 else "delisted"
                left = Exit(bar, bar, ended, position.zscore(panel.close[bar, position.legs]))
                self._close_position(position, bar, left, panel.close[bar], at_open=False)
        if self.portfolio.margin == "cross" and self._marked_equity() < self._maintenance_usd(bar):
            for position in list(self.held):
                left = Exit(bar, bar, "liquidated", position.zscore(panel.close[bar, position.legs]))
                self._close_position(position, bar, left, self.bars.value[bar], at_open=False)
        self._write_equity()

    def _liquidate_legs(self, position: Position, bar: int) -> None:
        """Close the legs whose price went through their isolated liquidation price; the other follows."""
        if self.max_leverage is None:
            return
        panel, legs, units = self.bars.panel, position.legs, position.units
        rate = maintenance_rate(self.max_leverage[legs])
        bar_prices = (panel.open[bar, legs], panel.high[bar, legs], panel.low[bar, legs])
        price = liquidation_fills(units, position.account_usd(), rate, *bar_prices)
        hit = np.isfinite(price)
        if not hit.any():
            return
        change = np.where(hit, -units, 0.0)
        costs = self.broker.trade_to(position, units + change, price)
        left = Exit(bar, bar + 1, "liquidated", position.zscore(panel.close[bar, legs]))
        position.exit = left
        self.ledger.fill(
            position, "liquidation", decided=bar, time=self.ledger.close_of(bar), reason="liquidated", change=change,
            price=price, costs=costs,
        )  # fmt: skip
        if not position.units.any():
            self._close_position(position, bar, left, panel.close[bar], at_open=False)

    def _maintenance_usd(self, bar: int) -> float:
        """Maintenance margin of the account: the legs in one coin are one position."""
        if self.max_leverage is None or not self.held:
            return -np.inf
        units = np.zeros(self.bars.panel.n_coins)
        for position in self.held:
            units[position.legs] += position.units
        open_ = units != 0
        notional = np.abs(units[open_]) * self.bars.value[bar, open_]
        return float(notional @ maintenance_rate(self.max_leverage[open_]))

    def _marked_equity(self) -> float:
        open_net = sum(position.net_usd(position.mark_usd) for position in self.held)
        return self.portfolio.capital_usd + self.closed_net_usd + open_net

    def _write_equity(self) -> None:
        unrealised = sum(position.gross_usd(position.mark_usd) for position in self.held)
        self.equity_usd = self._marked_equity()
        exposure = sum(float((one.units * one.mark_usd).sum()) for one in self.held)
        row = (
            self.equity_usd - unrealised,
            unrealised,
            self.equity_usd,
            self._account().gross_usd,
            exposure,
            len(self.held),
        )
        self.ledger.equity.append(row)

    # Decisions at the close.

    def _leave(self, bar: int) -> None:
        for position in self.held:
            if position.exit is None:
                zscore = position.zscore(self.bars.panel.close[bar, position.legs])
                reason = self._reason_to_leave(position, bar, zscore)
                if reason:
                    position.exit = self._exit(bar, reason, zscore)

    def _reason_to_leave(self, position: Position, bar: int, zscore: float) -> str:
        distance = position.direction * zscore
        rules = self.portfolio
        if distance <= self.settings.z_out:
            return "reverted"
        if rules.stop_z is not None and distance >= rules.stop_z:
            return "stop"
        if rules.stop_bps is not None:
            lost = -1e4 * position.net_usd(position.mark_usd) / position.notional_usd
            if lost >= rules.stop_bps:
                return "stop"
        held_hours = (bar + 1 - position.entered) * self.bars.bar_hours
        return "horizon" if held_hours >= self.settings.horizon_hours else ""

    def _exit(self, bar: int, reason: str, zscore: float) -> Exit:
        return Exit(bar, bar + 1 + self.portfolio.delay_bars, reason, zscore)

    def _decide(self, bar: int) -> None:
        staying = {position.signal.pair: position for position in self.held if position.exit is None}
        decision = self.strategy.decide(
            Moment(
                bar,
                self.ledger.close_of(bar),
                tuple(position.signal for position in staying.values()),
                lambda: self.bars.panel.rows(0, bar + 1),
            )
        )
        for pair, position in staying.items():
            if pair in decision.leave:
                zscore = position.zscore(self.bars.panel.close[bar, position.legs])
                position.exit = self._exit(bar, "test failed", zscore)
            elif pair in decision.rehedge:
                position.signal = decision.rehedge[pair]
                self.hedging[position] = bar
        for signal in decision.enter:
            busy = [one.signal.pair for one in self.held] + [one.signal.pair for one in self.waiting]
            order = self.desk.take(signal, bar, busy, self._account())
            if isinstance(order, str):
                self.ledger.refuse(signal, bar, self.ledger.close_of(bar), order)
            else:
                self.waiting.append(order)
