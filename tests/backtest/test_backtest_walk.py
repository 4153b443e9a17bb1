"""What the walk-forward realised and what the backtest of its rows earns are one thing."""

import numpy as np
import pandas as pd
import pytest

from hlpairs_core.backtest import FrozenSignals, Portfolio, backtest_pairs, walk_forward
from hlpairs_core.costs import CostModel
from hlpairs_core.market import Panel, PanelReport
from hlpairs_core.screening import ScreenSettings

SETTINGS = ScreenSettings(window=40, horizon_hours=10.0, z_in=1.5, p_max=0.4, lag_rule=0, min_day_notional_usd=0.0)


@pytest.fixture(scope="module")
def panel() -> Panel:
    rng = np.random.default_rng(4)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, (120, 4)), axis=0))
    opens = close * np.exp(rng.normal(0, 0.002, close.shape))
    time = pd.date_range("2025-01-01T00:00Z", periods=120, freq="1h").as_unit("ms")
    report = PanelReport(close.size, close.size, True, pd.DataFrame())
    volume, funding = rng.uniform(1e3, 1e5, close.shape), rng.normal(0, 1e-4, close.shape)
    high, low = np.maximum(opens, close), np.minimum(opens, close)
    return Panel(time, ("A", "B", "C", "D"), "1h", opens, high, low, close, volume, funding, report)


@pytest.fixture(scope="module")
def walked(panel: Panel) -> pd.DataFrame:
    return walk_forward(panel, settings=SETTINGS, costs=CostModel(), every=2, candidate_p=0.5).rows


def test_rows_of_a_walk_forward_earn_what_it_realised(panel: Panel, walked: pd.DataFrame) -> None:
    rows = walked[walked["realised_net_bps"].notna()]
    assert len(rows) > 8
    for _, row in rows.iterrows():
        signals = FrozenSignals(pd.DataFrame([row]))
        trade = backtest_pairs(panel, strategy=signals, settings=SETTINGS, costs=CostModel()).trades.iloc[0]
        for name in ("gross", "fee", "slippage", "funding", "net"):
            assert trade[f"{name}_bps"] == pytest.approx(row[f"realised_{name}_bps"], abs=1e-8), name
        assert trade["exit_reason"] == row["exit_reason"]
        assert trade["exit_time"] == row["exit_time"]


def test_all_rows_together_are_held_to_the_caps(panel: Panel, walked: pd.DataFrame) -> None:
    got = backtest_pairs(
        panel, strategy=FrozenSignals(walked), settings=SETTINGS, portfolio=Portfolio(max_pairs=2, max_pairs_per_coin=1)
    )
    assert got.equity["pairs"].max() <= 2
    assert len(got.trades) < len(walked)
    entered = (got.orders["action"] == "enter").sum()
    assert entered == len(walked)
