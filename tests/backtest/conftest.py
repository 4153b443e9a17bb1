from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hlpairs_core.market import Panel, PanelReport
from hlpairs_core.screening import CANDIDATE_COLUMNS, Candidate


@pytest.fixture(scope="session")
def make_bars() -> Callable[..., Panel]:
    """Build a panel of coins Y and X from opens and closes; bars trade unless their volume is 0."""

    def make(
        close: Any,
        *,
        open_: Any = None,
        volume: Any = 1000.0,
        funding: Any = 0.0,
        coins: tuple[str, ...] = ("Y", "X"),
        interval: str = "1h",
        start: str = "2025-01-01T00:00Z",
    ) -> Panel:
        close = np.asarray(close, dtype=float)
        opens = close if open_ is None else np.asarray(open_, dtype=float)
        freq = {"1h": "1h", "30m": "30min", "4h": "4h"}[interval]
        time = pd.date_range(start, periods=len(close), freq=freq).as_unit("ms")
        volumes = np.where(np.isnan(close), np.nan, np.broadcast_to(np.asarray(volume, dtype=float), close.shape))
        rates = np.broadcast_to(np.asarray(funding, dtype=float), close.shape)
        report = PanelReport(close.size, close.size, True, pd.DataFrame())
        return Panel(time, coins, interval, opens, close, close, close, volumes, rates, report)

    return make


@pytest.fixture(scope="session")
def messy_market(make_bars: Callable[..., Panel]) -> Callable[..., Panel]:
    """Walks around one market as the exchange has them.

    Opens are not the closes before, some bars do not trade, a coin is listed late, one delisted, one has a hole, and
    some rates are not known.
    """

    def make(n_bars: int = 200, n_coins: int = 8, *, seed: int = 1, idle: float = 0.1, interval: str = "1h") -> Panel:
        rng = np.random.default_rng(seed)
        market = np.cumsum(rng.normal(0, 0.01, (n_bars, 1)), axis=0)
        steps = pd.DataFrame(rng.normal(0, 0.004, (n_bars, n_coins)))
        # Every fourth coin wanders, the others hang on the market.
        wandering = np.arange(n_coins) % 4 == 0
        own = np.where(wandering, steps.cumsum(), 5 * steps.ewm(alpha=0.15).mean())
        close = np.exp(market * rng.uniform(-0.3, 1.5, n_coins) + own + rng.uniform(-3, 8, n_coins))
        close[: n_bars // 5, 0] = np.nan
        close[-n_bars // 4 :, 1] = np.nan
        close[n_bars // 2 : n_bars // 2 + 4, 2] = np.nan
        opens = close * np.exp(rng.normal(0, 0.002, close.shape))
        traded = rng.random(close.shape) >= idle * rng.random(n_coins)
        volume = np.where(traded, rng.lognormal(0, 1, close.shape) * 1e5 / np.nan_to_num(close, nan=1.0), 0.0)
        funding = np.where(rng.random(close.shape) < 0.005, np.nan, rng.normal(1e-5, 5e-5, close.shape))
        funding[np.isnan(close)] = np.nan
        coins = tuple(f"C{i}" for i in rng.permutation(n_coins))
        return make_bars(close, open_=opens, volume=volume, funding=funding, coins=coins, interval=interval)

    return make


@pytest.fixture(scope="session")
def make_candidate() -> Callable[..., Candidate]:
    """A candidate with log y = log x + e: β = 1, σ = 0.01, so that z is 100 log(y / x)."""

    def make(**changes: Any) -> Candidate:
        number = {
            "alpha": 0.0, "beta": 1.0, "mean": 0.0, "sigma": 0.01, "zscore": 3.0, "p_value": 0.01, "q_value": 1.0,
            "t_stat": -4.0, "r_squared": 0.9, "correlation": 0.5, "half_life_hours": 5.0, "hold_hours": 10.0,
            "gross_bps": 100.0, "fee_bps": 9.0, "slippage_bps": 4.0, "funding_bps": 0.0, "funding_bps_per_hour": 0.0,
            "net_edge_bps": 87.0, "notional_y_usd": 5000.0, "notional_x_usd": 5000.0, "capacity_usd": 1e6,
        }  # fmt: skip
        word = {
            "y": "Y", "x": "X", "side_y": "short", "side_x": "long", "same_side": False, "lag": 0,
            "slippage_source": "model", "funding_source": "panel", "qualifies": True, "misses": (), "calibrated": False,
            "gates_failed": (),
        }  # fmt: skip
        return Candidate(**(dict.fromkeys(CANDIDATE_COLUMNS, np.nan) | number | word | changes))

    return make
