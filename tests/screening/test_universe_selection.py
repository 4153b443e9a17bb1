from collections.abc import Callable

import numpy as np
import pytest

from hlpairs_core.exceptions import InputError
from hlpairs_core.market import MarketState, Panel
from hlpairs_core.screening import ScreenSettings, day_notional_usd, select_universe, stamps_in_bars

SETTINGS = ScreenSettings(window=40)
PanelMaker = Callable[..., Panel]


def test_each_unfit_coin_is_out_with_its_reason(make_panel: PanelMaker, make_walks: Callable[..., np.ndarray]) -> None:
    close = make_walks(60, 6, seed=1)
    close[-3, 1] = np.nan
    close[:, 2] = 7.0
    volume = np.full(close.shape, 1e4)
    volume[-20:, 3] = 0.0
    volume[:, 4] = 1.0
    table = select_universe(make_panel(close, volume=volume), SETTINGS).table
    assert table.loc["C0", "eligible"]
    assert table.loc["C0", "reason"] == ""
    assert table.loc["C1", "reason"] == "1 of the last 41 bars are missing"
    assert table.loc["C2", "reason"] == "its price does not move in the fit window"
    assert table.loc["C3", "reason"] == "it traded in 51% of bars, needs 90%"
    assert "USD traded in 24 hours, needs 10,000" in table.loc["C4", "reason"]
    assert table["eligible"].sum() == 2


def test_a_gap_before_the_fit_window_does_not_matter(
    make_panel: PanelMaker, make_walks: Callable[..., np.ndarray]
) -> None:
    close = make_walks(60, 2, seed=2)
    close[:19, 0] = np.nan  # bar 19 is the first of the window: 41 bars up to 59
    assert select_universe(make_panel(close), SETTINGS).coins == ("C0", "C1")
    close[19, 0] = np.nan
    assert select_universe(make_panel(close), SETTINGS).coins == ("C1",)


def test_the_market_decides_listing_and_volume(
    make_panel: PanelMaker, make_walks: Callable[..., np.ndarray], make_market: Callable[..., MarketState]
) -> None:
    panel = make_panel(make_walks(60, 4, seed=3))
    market = make_market(
        ("C0", "C1", "C2", "NEW"),
        is_delisted=[False, True, False, False],
        day_notional_usd=[2e4, 2e6, 5e3, 9e9],
    )
    universe = select_universe(panel, SETTINGS, market)
    assert universe.coins == ("C0",)
    assert universe.listed == 3
    assert universe.table.loc["C1", "reason"] == "the exchange does not list it now"
    assert universe.table.loc["C2", "reason"] == "5,000 USD traded in 24 hours, needs 10,000"
    assert universe.table.loc["C3", "reason"] == "the exchange does not list it now"
    assert universe.table.loc["NEW", "reason"] == "it has no candles in the panel"


def test_a_market_that_lists_a_coin_twice_is_refused(
    make_panel: PanelMaker, make_walks: Callable[..., np.ndarray], make_market: Callable[..., MarketState]
) -> None:
    with pytest.raises(InputError, match="'C0' more than once"):
        select_universe(make_panel(make_walks(60, 2, seed=3)), SETTINGS, make_market(("C0", "C1", "C0")))


@pytest.mark.parametrize(("interval", "expected"), [("1h", 24.0), ("5m", 288.0), ("4h", 6.0), ("3d", 1 / 3)])
def test_the_notional_of_a_day_is_that_of_24_hours_on_any_interval(
    make_panel: PanelMaker, interval: str, expected: float
) -> None:
    panel = make_panel(np.full((300, 1), 50.0), notional=1.0, interval=interval)
    assert day_notional_usd(panel)[0] == pytest.approx(expected)


@pytest.mark.parametrize(("interval", "stamps"), [("1h", [1, 1, 1]), ("4h", [4, 4, 4]), ("5m", [1, 0, 0])])
def test_a_bar_holds_the_full_hours_from_its_open_to_before_its_close(
    make_panel: PanelMaker, interval: str, stamps: list[int]
) -> None:
    panel = make_panel(np.full((3, 1), 50.0), interval=interval)
    assert stamps_in_bars(panel.time, interval).tolist() == stamps
