from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hlpairs_core.exchange.book import OrderBook
from hlpairs_core.market import MarketState, Panel, PanelReport

START = "2025-01-01T00:00Z"


@pytest.fixture(scope="session")
def make_panel() -> Callable[..., Panel]:
    """Build a panel from closes; every bar trades 1,000,000 USD unless told otherwise."""

    def make(
        close: Any,
        *,
        coins: tuple[str, ...] | None = None,
        notional: Any = 1e6,
        volume: Any = None,
        funding: Any = 0.0,
        interval: str = "1h",
        start: str = START,
    ) -> Panel:
        close = np.asarray(close, dtype=float)
        n_bars, n_coins = close.shape
        names = coins or tuple(f"C{i}" for i in range(n_coins))
        step = {"1h": "1h", "5m": "5min", "4h": "4h", "3d": "3D"}[interval]
        time = pd.date_range(start, periods=n_bars, freq=step).as_unit("ms")
        volume = np.broadcast_to(notional, close.shape) / close if volume is None else volume
        full = np.broadcast_to(np.asarray(funding, dtype=float), close.shape)
        report = PanelReport(close.size, close.size, True, pd.DataFrame())
        return Panel(time, names, interval, close, close, close, close, volume, full, report)

    return make


@pytest.fixture(scope="session")
def make_walks() -> Callable[..., np.ndarray]:
    """Prices of independent random walks, rounded to five significant figures as the exchange does."""

    def make(n_bars: int, n_coins: int, *, seed: int, volatility: float = 0.01) -> np.ndarray:
        steps = np.random.default_rng(seed).normal(0, volatility, (n_bars, n_coins))
        return np.vectorize(lambda price: float(f"{price:.5g}"))(100 * np.exp(np.cumsum(steps, axis=0)))

    return make


@pytest.fixture(scope="session")
def make_pair() -> Callable[..., np.ndarray]:
    """Prices of (y, x) with log y = 1 + β log x + e, e an AR(1) with a half-life of 5 bars, ending at `last_z`."""

    def make(n_bars: int, *, beta: float = 0.8, sigma: float = 0.02, last_z: float = 3.0, seed: int = 5) -> np.ndarray:
        rng = np.random.default_rng(seed)
        phi = 2 ** (-1 / 5)
        x = np.log(100) + np.cumsum(rng.normal(0, 0.01, n_bars))
        e = np.zeros(n_bars)
        for t, shock in enumerate(rng.normal(0, sigma * np.sqrt(1 - phi**2), n_bars - 1)):
            e[t + 1] = phi * e[t] + shock
        e[-1] = last_z * sigma
        return np.exp(np.column_stack([1 + beta * x + e, x]))

    return make


@pytest.fixture(scope="session")
def make_market() -> Callable[..., MarketState]:
    """What the exchange says now: everything listed, liquid and funded at 0 unless told otherwise."""

    def make(coins: tuple[str, ...], *, books: dict[str, OrderBook] | None = None, **columns: Any) -> MarketState:
        contexts = pd.DataFrame(
            {"max_leverage": 10, "is_delisted": False, "funding_rate": 0.0, "day_notional_usd": 1e8},
            index=pd.Index(coins, name="coin"),
        )
        for name, values in columns.items():
            contexts[name] = values
        return MarketState(pd.Timestamp("2025-02-01T00:00Z"), contexts, {}, books or {})

    return make


@pytest.fixture(scope="session")
def make_book() -> Callable[..., OrderBook]:
    """A book of ten levels a side around a mid of 100, each level `level_usd` deep."""

    def make(coin: str, *, level_usd: float = 10_000.0, half_spread: float = 0.01) -> OrderBook:
        away = half_spread + 0.01 * np.arange(10)
        asks = np.column_stack([100 + away, level_usd / (100 + away)])
        bids = np.column_stack([100 - away, level_usd / (100 - away)])
        return OrderBook(coin, pd.Timestamp("2025-02-01T00:00Z"), bids, asks)

    return make
