"""Liquidation of legs and accounts, by hand and by published numbers."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hlpairs_core.backtest import Backtest, FrozenSignals, Portfolio, backtest_pairs, isolated_liquidation_price
from hlpairs_core.costs import CostModel
from hlpairs_core.exceptions import InputError
from hlpairs_core.market import Panel
from hlpairs_core.screening import Candidate, ScreenSettings

FREE = CostModel(taker_fee_bps=0.0, half_spread_bps=0.0, impact_coefficient=0.0)
SETTINGS = ScreenSettings(horizon_hours=100.0, leverage=5.0)
Bars = Callable[..., Panel]
Candidates = Callable[..., Candidate]

# Maximum leverage, leverage, side, and where a position entered at 100 is liquidated, computed apart from this code.
LIQUIDATIONS = [
    (40, 10, "long", 91.13924050632912),
    (40, 10, "short", 108.64197530864197),
    (20, 5, "long", 82.05128205128204),
    (3, 3, "long", 80.0),
]


@pytest.mark.parametrize(("maximum", "leverage", "side", "expected"), LIQUIDATIONS)
def test_isolated_liquidation_prices(maximum: float, leverage: float, side: str, expected: float) -> None:
    got = isolated_liquidation_price(100.0, side=side, leverage=leverage, max_leverage=maximum)
    assert got == pytest.approx(expected, rel=1e-12)


@pytest.mark.recordings
def test_the_liquidation_prices_of_the_worked_numbers(shared: Path) -> None:
    rows = json.loads((shared / "reference" / "worked-numbers.json").read_text())["hyperliquid"]["value"]["liq"]
    for row in rows:
        side = "long" if row["side"] > 0 else "short"
        got = isolated_liquidation_price(row["px"], side=side, leverage=row["lev"], max_leverage=row["max"])
        assert got == pytest.approx(row["liq"], rel=1e-12)


def test_a_leverage_above_the_coins_is_refused() -> None:
    with pytest.raises(InputError, match="leverage is 50"):
        isolated_liquidation_price(100.0, side="long", leverage=50, max_leverage=40)
    with pytest.raises(InputError, match="side is"):
        isolated_liquidation_price(100.0, side="buy", leverage=5, max_leverage=40)


def run(panel: Panel, candidate: Any, *, settings: ScreenSettings = SETTINGS, **portfolio: Any) -> Backtest:
    strategy = FrozenSignals([(panel.time[4] + pd.Timedelta(hours=1), candidate)])
    return backtest_pairs(
        panel, strategy=strategy, settings=settings, costs=FREE, portfolio=Portfolio(**portfolio),
        max_leverage={"Y": 20, "X": 20},
    )  # fmt: skip


def flat(n: int = 12) -> np.ndarray:
    return np.full((n, 2), 100.0)


def test_an_isolated_leg_is_closed_at_its_price_and_the_other_follows(
    make_bars: Bars, make_candidate: Candidates
) -> None:
    # Short y is liquidated at (100 + 20) / (1 + 1 / 40); the bar opens below it.
    close, opens = flat(), flat()
    close[7:, 0], opens[8:, 0], opens[8, 1] = 130.0, 130.0, 101.0
    got = run(make_bars(close, open_=opens), make_candidate(alpha=-0.03), margin="isolated")
    row = got.trades.iloc[0]
    expected = 120 / 1.025
    assert row["exit_reason"] == "liquidated"
    assert got.orders["price_y"].iloc[1] == pytest.approx(expected)
    assert row["gross_usd"] == pytest.approx(-50 * (expected - 100) + 50 * 1.0)
    assert row["exit_time"] == pd.Timestamp("2025-01-01T08:00Z")
    assert list(got.orders["action"]) == ["enter", "liquidation", "exit"]


def test_a_gap_beyond_the_margin_costs_the_margin_and_no_more(make_bars: Bars, make_candidate: Candidates) -> None:
    close = flat()
    close[7:, 0] = 200.0
    row = run(make_bars(close), make_candidate(alpha=-0.03), margin="isolated").trades.iloc[0]
    assert row["gross_usd"] == pytest.approx(-5000 / 5)


def test_a_gap_within_the_margin_is_filled_at_the_open(make_bars: Bars, make_candidate: Candidates) -> None:
    close = flat()
    close[7:, 0] = 118.0
    row = run(make_bars(close), make_candidate(alpha=-0.03), margin="isolated").trades.iloc[0]
    assert row["gross_usd"] == pytest.approx(-50 * 18.0)


def test_without_margin_nothing_is_liquidated(make_bars: Bars, make_candidate: Candidates) -> None:
    close = flat()
    close[7:, 0] = 130.0
    assert run(make_bars(close), make_candidate(alpha=-0.03)).trades["exit_reason"].iloc[0] == "data end"


def test_a_cross_account_is_closed_when_its_equity_is_below_the_maintenance_margin(
    make_bars: Bars, make_candidate: Candidates
) -> None:
    # Of 2,000 USD the short leg has lost 1,500 at a price of 130; the maintenance margin is (6,500 + 5,000) / 40.
    close = flat()
    close[7, 0], close[8:, 0] = 130.0, 136.0
    got = run(make_bars(close), make_candidate(alpha=-0.03), margin="cross", capital_usd=2000.0)
    row = got.trades.iloc[0]
    assert (row["exit_reason"], row["gross_usd"]) == ("liquidated", pytest.approx(-50 * 36.0))
    assert row["exit_time"] == pd.Timestamp("2025-01-01T09:00Z")
    assert got.equity["equity_usd"].iloc[-1] == pytest.approx(200.0)


def test_an_entry_that_the_equity_cannot_margin_is_refused(make_bars: Bars, make_candidate: Candidates) -> None:
    got = run(make_bars(flat()), make_candidate(alpha=-0.03), margin="cross", capital_usd=1999.0)
    assert list(got.orders["reason"]) == ["margin"]


def test_more_leverage_than_a_coin_has_is_refused(make_bars: Bars, make_candidate: Candidates) -> None:
    settings = ScreenSettings(horizon_hours=100.0, leverage=25.0)
    got = run(make_bars(flat()), make_candidate(alpha=-0.03), settings=settings, margin="isolated")
    assert list(got.orders["reason"]) == ["maximum leverage"]


def test_funding_moves_the_liquidation_price(make_bars: Bars, make_candidate: Candidates) -> None:
    # 4 % an hour for the short y: three hours leave it 32 USD a unit, so that 130 is above (132 / 1.025 = 128.8)
    # what a leg with two of them bears (128 / 1.025 = 124.9).
    close = flat()
    close[9:, 0] = 126.0
    funding = np.zeros(close.shape)
    funding[6:9, 0] = 0.04
    safe = run(make_bars(close, funding=funding), make_candidate(alpha=-0.03), margin="isolated").trades.iloc[0]
    funding[8, 0] = 0.0
    gone = run(make_bars(close, funding=funding), make_candidate(alpha=-0.03), margin="isolated").trades.iloc[0]
    assert (safe["exit_reason"], gone["exit_reason"]) == ("data end", "liquidated")


def test_legs_in_one_coin_are_netted_in_a_cross_account(make_bars: Bars, make_candidate: Candidates) -> None:
    # Short A against B, long A against C: A cancels out. When B has fallen by 73, 350 USD of 4,000 are left, against a
    # maintenance margin of (50 * 27 + 5,000) / 40 = 158.75; with both legs in A it would be 408.75. At 77 it is 150
    # against 153.75.
    for fall, expected in ((73.0, "data end"), (77.0, "liquidated")):
        close = np.full((12, 3), 100.0)
        close[7:, 1] -= fall
        panel = make_bars(close, coins=("A", "B", "C"))
        first = make_candidate(y="A", x="B", alpha=-0.03)
        second = make_candidate(y="A", x="C", side_y="long", side_x="short", alpha=0.03)
        at = panel.time[4] + pd.Timedelta(hours=1)
        got = backtest_pairs(
            panel, strategy=FrozenSignals([(at, first), (at, second)]), settings=SETTINGS, costs=FREE,
            portfolio=Portfolio(margin="cross", capital_usd=4000.0, max_pairs_per_coin=2),
            max_leverage=dict.fromkeys("ABC", 20),
        )  # fmt: skip
        assert set(got.trades["exit_reason"]) == {expected}
