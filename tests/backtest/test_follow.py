from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from hlpairs_core.backtest import follow, simulate_trade
from hlpairs_core.costs import CostModel
from hlpairs_core.exceptions import InputError
from hlpairs_core.market import Panel
from hlpairs_core.screening import ScreenSettings, screen

SETTINGS = ScreenSettings(window=60, min_day_notional_usd=0.0, p_max=0.2, z_in=1.5, max_day_volume_share=1.0)
COSTS = CostModel()


@pytest.fixture(scope="module")
def history(make_bars: Callable[..., Panel]) -> Panel:
    """Eight walks around one market, 200 bars, all liquid."""
    rng = np.random.default_rng(21)
    market = np.cumsum(rng.normal(0, 0.01, (200, 1)), axis=0)
    own = np.cumsum(rng.normal(0, 0.004, (200, 8)), axis=0)
    coins = tuple(f"C{i}" for i in range(8))
    return make_bars(100 * np.exp(market + own), volume=1e6, coins=coins)


def test_each_verdict_is_one_row_with_expected_and_realised(history: Panel) -> None:
    table = follow(history, settings=SETTINGS, costs=COSTS, every=20)
    assert table["closed_at"].tolist() == [history.time[bar + 1] for bar in range(60, 199, 20)]
    traded = table[table["qualifies"]]
    assert len(traded) > 0
    net = traded["gross_bps"] - traded["fee_bps"] - traded["slippage_bps"] + traded["funding_bps"]
    pd.testing.assert_series_equal(traded["net_bps"], net, check_names=False)
    assert (traded["entry_time"] >= traded["closed_at"]).all()
    assert (traded["expected_net_bps"] > 0).all()


def test_a_row_is_what_the_screen_and_the_trade_say_alone(history: Panel) -> None:
    table = follow(history, settings=SETTINGS, costs=COSTS, every=20)
    at = int(np.flatnonzero(table["qualifies"])[0])
    bar = 60 + 20 * at
    result = screen(history.rows(0, bar + 1), settings=SETTINGS, costs=COSTS)
    assert result.top is not None
    outcome = simulate_trade(history, result.top, entry_bar=bar + 1, settings=SETTINGS, costs=COSTS)
    row = table.iloc[at]
    assert row["verdict"] == result.verdict.text
    assert row["expected_net_bps"] == result.top.net_edge_bps
    assert row["net_bps"] == outcome.net_bps


def test_the_future_does_not_change_what_was_expected(history: Panel) -> None:
    known = follow(history, settings=SETTINGS, costs=COSTS, every=20, stop=101)
    cut = follow(history.rows(0, 104), settings=SETTINGS, costs=COSTS, every=20, stop=101)
    expected = [name for name in known.columns if name.startswith("expected_")] + ["closed_at", "verdict"]
    pd.testing.assert_frame_equal(known[expected], cut[expected])


def test_another_choice_can_be_followed(history: Panel) -> None:
    strict = ScreenSettings(window=60, min_day_notional_usd=0.0, z_in=50.0)
    nothing = follow(history, settings=strict, costs=COSTS, every=40)
    assert not nothing["qualifies"].any()
    assert "net_bps" not in nothing.columns
    nearest = follow(history, settings=strict, costs=COSTS, every=40, choose=lambda result: result.nearest_miss)
    assert nearest["net_bps"].notna().all()


@pytest.mark.parametrize(("start", "stop"), [(10, None), (100, 100), (199, None), (300, None)])
def test_a_range_without_a_signal_bar_is_refused(history: Panel, start: int, stop: int | None) -> None:
    with pytest.raises(InputError, match=r"signal bars .* of 200: use a range from 60"):
        follow(history, settings=SETTINGS, costs=COSTS, start=start, stop=stop)


def test_a_step_below_one_bar_is_refused(history: Panel) -> None:
    with pytest.raises(InputError, match="every is 0"):
        follow(history, settings=SETTINGS, costs=COSTS, every=0)
