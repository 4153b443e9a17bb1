"""Slippage times 0, 1 and 2: wherever slippage is priced, the multiple acts."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from hlpairs_core.backtest import simulate_trade
from hlpairs_core.costs import CostModel
from hlpairs_core.exceptions import InputError
from hlpairs_core.exchange import OrderBook
from hlpairs_core.market import Panel, PanelReport
from hlpairs_core.screening import ScreenSettings
from hlpairs_core.screening.legs import CoinLiquidity, price_legs

TIME = pd.Timestamp("2025-01-01T00:00Z")


def leg_slippage(multiple: float, *, with_books: bool) -> float:
    book = OrderBook("X", TIME, np.array([[99.9, 1000.0]]), np.array([[100.1, 1000.0]]))
    books = {"Y": book, "X": book} if with_books else {}
    coins = CoinLiquidity.of(("Y", "X"), np.full(2, 1e6), np.full(2, 500.0), books)
    both: Any = (np.array([0]), np.array([1])), (np.array([0.5]), np.array([0.5]))
    priced = price_legs(*both, coins, settings=ScreenSettings(), costs=CostModel(slippage_multiple=multiple))
    return float(priced.slippage_bps[0])


@pytest.mark.parametrize("multiple", [0.0, 1.0, 2.0])
def test_the_screen_multiplies_slippage_of_books_and_of_the_law(multiple: float) -> None:
    # Out and in at 10 bps from the mid; the law: 2 x (1 + 500 x sqrt(5,000 / 1,000,000)).
    assert leg_slippage(multiple, with_books=True) == pytest.approx(multiple * 20)
    assert leg_slippage(multiple, with_books=False) == pytest.approx(multiple * 2 * (1 + 500 * np.sqrt(0.005)))


def test_a_simulated_trade_pays_the_multiple_and_nothing_else_changes() -> None:
    close = 100 * np.exp(np.column_stack([[0, 0.01, 0, 0.01, 0.03, 0.03, 0.01, 0.0, 0.0, 0.0], np.zeros(10)]))
    close[:, 1] *= np.exp(0.01 * np.arange(10) % 0.02)
    time = pd.date_range(TIME, periods=10, freq="h").as_unit("ms")
    volume, no_funding = np.full(close.shape, 1000.0), np.zeros(close.shape)
    report = PanelReport(close.size, close.size, True, pd.DataFrame())
    panel = Panel(time, ("Y", "X"), "1h", close, close, close, close, volume, no_funding, report)
    pair: Any = type("Pair", (), {"y": "Y", "x": "X", "side_y": "short", "side_x": "long", "alpha": 0.0, "beta": 1.0})()
    pair.mean, pair.sigma = 0.0, 0.01
    none, once, twice = (
        simulate_trade(
            panel,
            pair,
            entry_bar=5,
            settings=ScreenSettings(horizon_hours=4.0),
            costs=CostModel(slippage_multiple=multiple),
        )
        for multiple in (0.0, 1.0, 2.0)
    )
    assert none.slippage_bps == 0
    assert once.slippage_bps > 0
    assert twice.slippage_bps == pytest.approx(2 * once.slippage_bps)
    assert (none.gross_bps, none.fee_bps) == (twice.gross_bps, twice.fee_bps)


@pytest.mark.parametrize("multiple", [-1.0, np.nan, 101.0])
def test_an_absurd_multiple_is_refused(multiple: float) -> None:
    with pytest.raises(InputError, match=r"slippage_multiple is .*: use a finite number at least 0 and at most 100"):
        CostModel(slippage_multiple=multiple)
