"""Spot against the perpetual of its coin: funding is the income, and the basis of candles is none."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hlpairs_core.backtest import isolated_liquidation_price
from hlpairs_core.costs import CostModel
from hlpairs_core.exceptions import InputError
from hlpairs_core.market import Panel
from hlpairs_core.market.spot_names import SpotMatch, match_recorded
from hlpairs_core.screening import ScreenSettings
from hlpairs_core.screening.carry import CARRY_FEATURES, carry_signals, screen_carry
from hlpairs_core.screening.carry_gates import CARRY_GATES, CarryAccount
from hlpairs_core.screening.signals import SIGNALS

MakePanel = Callable[..., Panel]

MATCH = (SpotMatch(coin="@142", token="UBTC", perp="BTC"),)
SETTINGS = ScreenSettings()
COSTS = CostModel()
RATE, INTEREST = 5e-5, 1.25e-5
N = 200


@pytest.fixture(scope="module")
def prices() -> np.ndarray:
    return 100 * np.exp(np.cumsum(np.random.default_rng(3).normal(0, 0.004, (N, 1)), axis=0))


@pytest.fixture
def screened(make_panel: MakePanel, prices: np.ndarray) -> Callable[..., pd.DataFrame]:
    def screen(
        *, spot: object = None, perp: object = None, funding: object = RATE, notional: float = 1e8, **options: object
    ) -> pd.DataFrame:
        perps = make_panel(prices if perp is None else perp, coins=("BTC",), funding=funding, notional=notional)
        spots = make_panel(prices if spot is None else spot, coins=("@142",), notional=notional)
        given = {"settings": SETTINGS, "costs": COSTS} | options
        return screen_carry(perps, spots, MATCH, **given)  # type: ignore[arg-type]

    return screen


def long_spot(rows: pd.DataFrame) -> pd.Series:
    return rows[rows["side_y"] == "long"].iloc[0]


def test_the_expected_funding_is_that_of_the_stamps_within_the_hold(screened: Callable[..., pd.DataFrame]) -> None:
    """Entry at hour t + 1: the stamps t + 2 to t + 48, which are the 2nd to the 48th after the newest known one."""
    row = long_spot(screened())
    fades = [INTEREST + (RATE - INTEREST) * 2 ** (-k / 36) for k in range(2, 49)]
    expected = 1e4 * 0.5 * (sum(fades) + 47 * RATE) / 2
    assert row["expected_funding_bps"] == pytest.approx(expected, rel=1e-12)
    assert row["funding_week_bps"] == pytest.approx(1e4 * 0.5 * 47 * RATE, rel=1e-12)
    assert (row["side_x"], row["expected_hold_hours"]) == ("short", 48.0)


def test_fees_are_of_two_spot_and_two_perpetual_fills(screened: Callable[..., pd.DataFrame]) -> None:
    row = long_spot(screened())
    assert row["expected_fee_bps"] == pytest.approx(2 * 0.5 * 7.0 + 2 * 0.5 * 4.5)
    net = row["expected_funding_bps"] - row["expected_fee_bps"] - row["expected_slippage_bps"]
    assert row["expected_net_bps"] == pytest.approx(net)


@pytest.mark.parametrize("jump", [-0.03, -0.001, 0.002, 0.05])
def test_a_jump_of_the_basis_in_the_last_bar_is_not_booked(
    screened: Callable[..., pd.DataFrame], prices: np.ndarray, jump: float
) -> None:
    moved = prices.copy()
    moved[-1] *= np.exp(jump)
    rows = screened(perp=moved)
    assert (rows["expected_gross_bps"] == 0).all()
    assert long_spot(rows)["basis_bps"] == pytest.approx(1e4 * jump)
    # A unit of each: what the dearer leg weighs more it receives more, and nothing else.
    weight = np.exp(jump) / (1 + np.exp(jump))
    quiet = long_spot(screened())
    assert long_spot(rows)["expected_funding_bps"] == pytest.approx(quiet["expected_funding_bps"] * 2 * weight)
    assert long_spot(rows)["spread_vol_bps"] == pytest.approx(quiet["spread_vol_bps"])


def test_convergence_counts_only_where_it_is_given(screened: Callable[..., pd.DataFrame]) -> None:
    rows = screened(convergence_bps={"@142": 12.0}, account=CarryAccount(spot_short=True))
    by_side = rows.set_index("side_y")["expected_gross_bps"]
    assert (by_side["long"], by_side["short"]) == (12.0, -12.0)


def test_the_reverse_direction_is_shown_and_cannot_be_traded(screened: Callable[..., pd.DataFrame]) -> None:
    rows = screened(funding=-20 * RATE)
    assert rows["side_y"].tolist() == ["long", "short"]
    reverse = rows.iloc[1]
    assert (reverse["side_x"], reverse["tradable"], reverse["qualifies"]) == ("long", False, False)
    assert reverse["expected_net_bps"] > 0
    assert reverse["gates_failed"] == ("borrow",)
    assert reverse["misses"] == ("spot cannot be sold short: there is nowhere to borrow it",)
    assert not rows["is_top"].any()
    assert carry_signals(rows).empty
    allowed = screened(funding=-20 * RATE, account=CarryAccount(spot_short=True))
    assert allowed["side_y"].tolist() == ["short", "long"]
    assert allowed["qualifies"].tolist() == allowed["is_top"].tolist() == [True, False]


def test_spot_is_paid_in_full_and_does_not_margin_the_perpetual(screened: Callable[..., pd.DataFrame]) -> None:
    settings = replace(SETTINGS, leverage=4.0)
    row = long_spot(screened(settings=settings))
    assert (row["notional_y_usd"], row["notional_x_usd"]) == (5_000.0, 5_000.0)
    assert (row["margin_usd"], row["capital_usd"]) == (1_250.0, 6_250.0)
    shared = long_spot(screened(settings=settings, account=CarryAccount(portfolio_margin=True)))
    assert (shared["margin_usd"], shared["capital_usd"]) == (0.0, 5_000.0)
    assert np.isnan(shared["liquidation_distance_x"])


@pytest.mark.parametrize("leverage", [1.0, 2.5, 10.0])
def test_the_liquidation_distance_is_that_of_an_isolated_position(
    screened: Callable[..., pd.DataFrame], leverage: float
) -> None:
    account = CarryAccount(max_leverage={"BTC": 40.0})
    rows = screened(settings=replace(SETTINGS, leverage=leverage), account=account).set_index("side_x")
    for side in ("long", "short"):
        price = isolated_liquidation_price(50.0, side=side, leverage=leverage, max_leverage=40.0)
        assert rows.loc[side, "liquidation_distance_x"] == pytest.approx(price / 50.0 - 1)
    assert rows.loc["short", "liquidation_distance_y"] == np.inf
    assert np.isnan(long_spot(screened())["liquidation_distance_x"])


def test_unknown_funding_is_not_zero(screened: Callable[..., pd.DataFrame]) -> None:
    funding = np.full((N, 1), RATE)
    funding[-30:] = np.nan
    rows = screened(funding=funding)
    assert rows["expected_funding_bps"].isna().all()
    assert rows["expected_net_bps"].isna().all()
    assert long_spot(rows)["misses"] == ("the funding of BTC is unknown",)
    assert carry_signals(rows).empty
    assumed = long_spot(screened(funding=funding, costs=replace(COSTS, assumed_funding_per_hour=1e-4)))
    assert assumed["expected_funding_bps"] == pytest.approx(1e4 * 0.5 * 47 * 1e-4)
    assert assumed["funding_assumed"]


def test_the_first_days_at_any_price_are_left_out_until_they_are_a_week_old(
    screened: Callable[..., pd.DataFrame], prices: np.ndarray
) -> None:
    spot = prices.copy()
    spot[N - 169] *= 1.5
    row = long_spot(screened(spot=spot))
    assert row["gates_failed"][0] == "history"
    assert row["misses"][0] == "spot was 41% from the perpetual within 168 hours: not one market"
    spot = prices.copy()
    spot[N - 170] *= 1.5
    assert "history" not in long_spot(screened(spot=spot))["gates_failed"]


def test_a_history_that_is_too_short_says_what_is_missing(
    make_panel: MakePanel, prices: np.ndarray, screened: Callable[..., pd.DataFrame]
) -> None:
    spots = make_panel(prices[-100:], coins=("@142",), start="2025-01-05T04:00Z")
    perps = make_panel(prices, coins=("BTC",), funding=RATE)
    rows = screen_carry(perps, spots, MATCH, settings=SETTINGS, costs=COSTS)
    assert rows["misses"].str[0].tolist() == ["69 of the last 169 bars of both are missing"] * 2
    assert rows["history_hours"].tolist() == [100.0, 100.0]
    few = screen_carry(perps.tail(2), spots.tail(2), MATCH, settings=SETTINGS, costs=COSTS)
    assert (few["gates_failed"].str[0] == "history").all()
    thin = long_spot(screened(notional=10.0))
    assert thin["misses"][0] == "a leg traded 240 USD in 24 hours, needs 10,000"


def test_hours_of_longer_bars_are_received_alike(make_panel: MakePanel, prices: np.ndarray) -> None:
    perps = make_panel(prices, coins=("BTC",), funding=4 * RATE, interval="4h", notional=1e8)
    spots = make_panel(prices, coins=("@142",), interval="4h", notional=1e8)
    settings = replace(SETTINGS, interval="4h")
    row = long_spot(screen_carry(perps, spots, MATCH, settings=settings, costs=COSTS))
    assert row["funding_week_bps"] == pytest.approx(1e4 * 0.5 * 47 * RATE)
    assert row["expected_funding_bps"] < row["funding_week_bps"]
    with pytest.raises(InputError, match="the panel has 4h bars and the settings say 1h"):
        screen_carry(perps, spots, MATCH, settings=SETTINGS, costs=COSTS)


def test_a_trade_that_the_volume_does_not_bear_fails_capacity(screened: Callable[..., pd.DataFrame]) -> None:
    row = long_spot(screened(notional=1e4, funding=20 * RATE))
    assert row["capacity_usd"] == pytest.approx(0.01 * 24e4 * 2)
    assert row["misses"][-1] == "its volume and books take at most 4,800 USD gross, the trade is 10,000"
    assert set(row["gates_failed"]) <= set(CARRY_GATES)


def test_the_columns_are_those_of_a_signal_and_more(screened: Callable[..., pd.DataFrame]) -> None:
    rows = screened()
    assert list(rows.columns[: len(SIGNALS) + len(CARRY_FEATURES)]) == [*SIGNALS, *CARRY_FEATURES]
    row = long_spot(rows)
    assert (row["kind"], row["y"], row["x"], row["alpha"], row["beta"]) == ("spot_perp", "@142", "BTC", 0.0, 1.0)
    assert row["signal_time"] == pd.Timestamp("2025-01-09T08:00Z")
    assert rows[["p_value", "zscore", "half_life_hours"]].isna().all(axis=None)


@pytest.mark.recordings
def test_the_basis_of_recorded_candles_bounces_back_at_once(recordings: Path) -> None:
    """Two last trades at different moments: a move of one hour is taken back by half in the next."""
    end = "2025-02-15T00:00Z"
    perps = Panel.from_candles(pd.read_parquet(recordings / "candles_1h.parquet"), coins=["HYPE", "PURR"], end=end)
    candles = pd.read_parquet(recordings / "spot_candles_1h.parquet")
    for one in match_recorded(["HYPE", "PURR"], perps.coins):
        spots = Panel.from_candles(candles, coins=[one.token], end=end)
        both = pd.DataFrame({"perp": np.log(perps.select([one.perp]).close[:, 0])}, index=perps.time)
        moves = (both["perp"] - pd.Series(np.log(spots.close[:, 0]), index=spots.time)).diff()
        assert -0.55 < moves.autocorr(1) < -0.35
