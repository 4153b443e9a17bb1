"""From a signal to a position: what the caps allow, what the exchange takes, what is refused and why."""

from dataclasses import dataclass

import numpy as np

from hlpairs_core._typing import FloatArray, IntArray
from hlpairs_core.backtest.broker import Broker
from hlpairs_core.backtest.market_bars import MarketBars
from hlpairs_core.backtest.portfolio import Portfolio
from hlpairs_core.backtest.position import Liquidity, Position, signed_weights, zscore_of
from hlpairs_core.backtest.strategy import Signal
from hlpairs_core.costs import MINIMUM_ORDER_USD
from hlpairs_core.exceptions import InputError
from hlpairs_core.screening import ScreenSettings, day_volatility_bps

__all__ = ["Account", "EntryDesk", "Waiting"]

# A volatility takes three closes before the signal bar.
_FIRST_SIGNAL = 3


@dataclass(frozen=True, eq=False, kw_only=True)
class Waiting:
    """An entry that is not filled yet, the bar that decided it, and the bars that may fill it."""

    signal: Signal
    legs: IntArray
    liquidity: Liquidity
    decided: int
    first_bar: int
    latest: float
    zscore: float


@dataclass(frozen=True)
class Account:
    """What an entry is measured against: equity at the last close and gross notional of what is held (USD)."""

    equity_usd: float
    gross_usd: float


@dataclass(frozen=True, eq=False, kw_only=True)
class EntryDesk:
    """Takes signals and fills their orders; a text in place of a result says why it was refused."""

    bars: MarketBars
    settings: ScreenSettings
    portfolio: Portfolio
    broker: Broker
    max_leverage: FloatArray | None

    def take(self, signal: Signal, bar: int, busy: list[tuple[str, str]], account: Account) -> Waiting | str:
        """Accept a signal of a bar's close; `busy` are the pairs held or waited for."""
        legs = self._columns(signal)
        liquidity = self._liquidity(legs, bar)
        problem = self._busy_problem(signal, busy) or self._leg_problem(signal, legs, liquidity, account)
        if problem:
            return problem
        first = bar + 1 + self.portfolio.delay_bars
        return Waiting(
            signal=signal, legs=legs, liquidity=liquidity, decided=bar, first_bar=first,
            latest=first + self.settings.horizon_hours / self.bars.bar_hours,
            zscore=zscore_of(signal, self.bars.panel.close[bar, legs]),
        )  # fmt: skip

    def fill(self, order: Waiting, bar: int, stop: int, account: Account) -> Position | str:
        """Open the position at a bar's open; `stop` is the bar before which the backtest ends."""
        price = self.broker.price(self.bars.panel.open[bar, order.legs], order.legs)
        weights = signed_weights(order.signal)
        units = self.broker.size(weights * self._allowed_usd(order.signal, weights, account) / price, order.legs)
        notional = np.abs(units) * price
        problem = self._size_problem(notional, account)
        if problem:
            return problem
        position = Position(
            signal=order.signal, legs=order.legs, liquidity=order.liquidity, entered=bar,
            last=min(self.bars.last_of(order.legs), stop - 1), entry_zscore=order.zscore, entry_units=units,
            notional_usd=float(notional.sum()),
        )  # fmt: skip
        self.broker.trade_to(position, units, price)
        position.set_margin(price, self.settings.leverage)
        return position

    def _columns(self, signal: Signal) -> IntArray:
        coins = self.bars.panel.coins
        for coin in signal.pair:
            if coin not in coins:
                raise InputError(f"the pair {signal.y}/{signal.x} is to be traded, but the panel has no coin {coin!r}")
        return np.array([coins.index(coin) for coin in signal.pair])

    def _liquidity(self, legs: IntArray, bar: int) -> Liquidity:
        if bar < _FIRST_SIGNAL:
            return Liquidity(np.full(2, np.nan), np.full(2, np.nan))
        panel = self.bars.panel
        fitted = panel.close[max(0, bar - self.settings.window) : bar, legs]
        return Liquidity(self.bars.day_notional_usd(bar, legs), day_volatility_bps(fitted, panel.interval))

    def _busy_problem(self, signal: Signal, busy: list[tuple[str, str]]) -> str:
        if any(set(pair) == set(signal.pair) for pair in busy):
            return "already open"
        if len(busy) >= self.portfolio.max_pairs:
            return "pairs at once"
        most = max(sum(coin in pair for pair in busy) for coin in signal.pair)
        return "pairs per coin" if most >= self.portfolio.max_pairs_per_coin else ""

    def _leg_problem(self, signal: Signal, legs: IntArray, liquidity: Liquidity, account: Account) -> str:
        if not liquidity.known:
            return "slippage unknown"
        if self.max_leverage is not None and (self.settings.leverage > self.max_leverage[legs]).any():
            return "maximum leverage"
        weights = signed_weights(signal)
        return self._size_problem(np.abs(weights) * self._allowed_usd(signal, weights, account), account)

    def _allowed_usd(self, signal: Signal, weights: FloatArray, account: Account) -> float:
        wanted = self.portfolio.wanted_usd(
            notional_usd=self.settings.notional_usd, equity=account.equity_usd, beta=signal.beta, sigma=signal.sigma
        )
        largest = float(np.abs(weights).max())
        return self.portfolio.allowed_usd(
            wanted, equity=account.equity_usd, gross=account.gross_usd, largest_weight=largest
        )

    def _size_problem(self, notional: FloatArray, account: Account) -> str:
        # Not "below": what cannot be told is refused as well.
        if not notional.min() >= MINIMUM_ORDER_USD:
            return "below the least order"
        needed = (account.gross_usd + notional.sum()) / self.settings.leverage
        return "margin" if self.portfolio.margin != "none" and needed > account.equity_usd else ""
