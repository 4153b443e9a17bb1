"""The bars of a backtest, one after the other: fills at the open, funding, marks, and decisions at the close."""

from dataclasses import dataclass, field

import numpy as np

from hlpairs_core._typing import FloatArray, IntArray
from hlpairs_core.backtest.broker import Broker
from hlpairs_core.backtest.ledger import Ledger
from hlpairs_core.backtest.margin import liquidation_price, maintenance_rate
from hlpairs_core.backtest.market_bars import MarketBars
from hlpairs_core.backtest.portfolio import Portfolio
from hlpairs_core.backtest.position import Exit, Liquidity, Position, signed_weights, zscore_of
from hlpairs_core.backtest.strategy import Moment, Signal, Strategy
from hlpairs_core.costs import MINIMUM_ORDER_USD
from hlpairs_core.exceptions import InputError
from hlpairs_core.screening import ScreenSettings, day_volatility_bps

__all__ = ["FIRST_SIGNAL", "EventLoop"]

# A volatility takes three closes before the signal bar.
FIRST_SIGNAL = 3


@dataclass(frozen=True, eq=False, kw_only=True)
class _Waiting:
    """An entry that is not filled yet, and the bars that may fill it."""

    signal: Signal
    legs: IntArray
    liquidity: Liquidity
    decided: int
    first_bar: int
    latest: float
    zscore: float


@dataclass(eq=False, kw_only=True)
class EventLoop:
    """State of a backtest; `run` goes through the bars."""

    bars: MarketBars
    strategy: Strategy
    settings: ScreenSettings
    portfolio: Portfolio
    broker: Broker
    max_leverage: FloatArray | None
    stop: int
    ledger: Ledger
    closed_net_usd: float = 0.0
    equity_usd: float = 0.0
    held: list[Position] = field(default_factory=list)
    waiting: list[_Waiting] = field(default_factory=list)
    hedging: dict[Position, int] = field(default_factory=dict)

    def run(self, start: int) -> Ledger:
        """Go through the bars from `start` on."""
        self.equity_usd = self.portfolio.capital_usd
        for bar in range(start, self.stop):
            self._open(bar)
            self._close(bar)
            if bar + 1 < self.stop:
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
                self._set_margin(position, price)
                self.ledger.fill(
                    position, "rehedge", decided=decided, time=self.bars.panel.time[bar], reason="refitted",
                    change=change, price=price, costs=costs,
                )  # fmt: skip

    def _fill_entry(self, order: _Waiting, bar: int) -> None:
        if bar > order.latest:
            self.waiting.remove(order)
            self.ledger.refuse(order.signal, order.decided, self.bars.panel.time[bar], "no trade", "expired")
        elif bar >= order.first_bar and self.bars.tradable[bar, order.legs].all():
            self.waiting.remove(order)
            self._enter(order, bar)

    def _enter(self, order: _Waiting, bar: int) -> None:
        price = self.broker.price(self.bars.panel.open[bar, order.legs], order.legs)
        weights = signed_weights(order.signal)
        notional = self._allowed_usd(order.signal, weights)
        units = self.broker.size(weights * notional / price, order.legs)
        problem = self._size_problem(np.abs(units) * price)
        if problem:
            self.ledger.refuse(order.signal, order.decided, self.bars.panel.time[bar], problem)
            return
        last = min(self.bars.last_of(order.legs), self.stop - 1)
        position = Position(
            signal=order.signal, legs=order.legs, liquidity=order.liquidity, entered=bar, last=last,
            entry_zscore=order.zscore, entry_units=units, notional_usd=float((np.abs(units) * price).sum()),
        )  # fmt: skip
        costs = self.broker.trade_to(position, units, price)
        self._set_margin(position, price)
        self.held.append(position)
        self.ledger.fill(
            position, "enter", decided=order.decided, time=self.bars.panel.time[bar], reason="signal", change=units,
            price=price, costs=costs,
        )  # fmt: skip

    def _allowed_usd(self, signal: Signal, weights: FloatArray) -> float:
        wanted = self.portfolio.wanted_usd(
            notional_usd=self.settings.notional_usd, equity=self.equity_usd, beta=signal.beta, sigma=signal.sigma
        )
        largest = float(np.abs(weights).max())
        return self.portfolio.allowed_usd(wanted, equity=self.equity_usd, gross=self._gross(), largest_weight=largest)

    def _gross(self) -> float:
        return sum(float(np.abs(one.units * one.mark_usd).sum()) for one in self.held)

    def _size_problem(self, notional: FloatArray) -> str:
        if notional.min() < MINIMUM_ORDER_USD:
            return "below the least order"
        needed = (self._gross() + notional.sum()) / self.settings.leverage
        return "margin" if self.portfolio.margin != "none" and needed > self.equity_usd else ""

    def _set_margin(self, position: Position, price: FloatArray) -> None:
        """Put behind each leg what its notional asks for now; what it has gained or lost goes to the cash."""
        value = position.units * price
        position.mark_usd = np.array(price)
        position.margin_usd = np.abs(value) / self.settings.leverage - value - position.flow_usd - position.funding_usd

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
        """Close the legs whose price went through their liquidation price, no better than at the bar's open.

        Where the bar opens beyond the price at which nothing is left of the margin, the leg loses its margin.
        """
        if self.max_leverage is None:
            return
        panel, legs, units = self.bars.panel, position.legs, position.units
        account = position.account_usd()
        at = liquidation_price(units, account, maintenance_rate(self.max_leverage[legs]))
        worst = np.where(units > 0, panel.low[bar, legs], panel.high[bar, legs])
        gone = np.divide(-account, units, out=np.full(2, np.nan), where=units != 0)
        side = np.sign(units)
        hit = (units != 0) & (side * worst <= side * at)
        if not hit.any():
            return
        price = side * np.maximum(np.minimum(side * at, side * panel.open[bar, legs]), side * gone)
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
        row = (self.equity_usd - unrealised, unrealised, self.equity_usd, self._gross(), exposure, len(self.held))
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
            self._order(signal, bar)

    def _order(self, signal: Signal, bar: int) -> None:
        legs = self._columns(signal)
        liquidity = self._liquidity(legs, bar)
        problem = self._entry_problem(signal, legs, liquidity)
        if problem:
            self.ledger.refuse(signal, bar, self.ledger.close_of(bar), problem)
            return
        first = bar + 1 + self.portfolio.delay_bars
        self.waiting.append(_Waiting(
            signal=signal, legs=legs, liquidity=liquidity, decided=bar, first_bar=first,
            latest=first + self.settings.horizon_hours / self.bars.bar_hours,
            zscore=zscore_of(signal, self.bars.panel.close[bar, legs]),
        ))  # fmt: skip

    def _columns(self, signal: Signal) -> IntArray:
        coins = self.bars.panel.coins
        for coin in signal.pair:
            if coin not in coins:
                raise InputError(f"the pair {signal.y}/{signal.x} is to be traded, but the panel has no coin {coin!r}")
        return np.array([coins.index(coin) for coin in signal.pair])

    def _entry_problem(self, signal: Signal, legs: IntArray, liquidity: Liquidity) -> str:
        busy = [one.signal.pair for one in self.held] + [one.signal.pair for one in self.waiting]
        if any(set(pair) == set(signal.pair) for pair in busy):
            return "already open"
        if len(busy) >= self.portfolio.max_pairs:
            return "pairs at once"
        if any(sum(coin in pair for pair in busy) >= self.portfolio.max_pairs_per_coin for coin in signal.pair):
            return "pairs per coin"
        if not liquidity.known:
            return "slippage unknown"
        if self.max_leverage is not None and (self.settings.leverage > self.max_leverage[legs]).any():
            return "maximum leverage"
        weights = signed_weights(signal)
        return self._size_problem(np.abs(weights) * self._allowed_usd(signal, weights))

    def _liquidity(self, legs: IntArray, bar: int) -> Liquidity:
        if bar < FIRST_SIGNAL:
            return Liquidity(np.full(2, np.nan), np.full(2, np.nan))
        panel = self.bars.panel
        fitted = panel.close[max(0, bar - self.settings.window) : bar, legs]
        return Liquidity(self.bars.day_notional_usd(bar, legs), day_volatility_bps(fitted, panel.interval))
