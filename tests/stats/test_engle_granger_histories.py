"""Coins that were listed late, were delisted, or have holes."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from statsmodels.tsa.stattools import coint

Screen = Callable[..., pd.DataFrame]
HOURS = pd.date_range("2026-01-01", periods=400, freq="h", tz="UTC")
# First and stop row of each coin.
LISTED = {"BTC": (0, 400), "ETH": (0, 400), "NEW": (150, 400), "OLD": (0, 260), "MID": (90, 330), "LATE": (390, 400)}


@pytest.fixture(scope="module")
def prices() -> pd.DataFrame:
    steps = np.random.default_rng(12).normal(scale=0.01, size=(400, len(LISTED)))
    table = pd.DataFrame(np.cumsum(steps, axis=0) + 3.0, index=HOURS, columns=list(LISTED))
    for coin, (first, stop) in LISTED.items():
        table.iloc[:first, table.columns.get_loc(coin)] = np.nan
        table.iloc[stop:, table.columns.get_loc(coin)] = np.nan
    return table


def both(prices: pd.DataFrame, y: str, x: str) -> pd.DataFrame:
    """The bars in which both coins have a price."""
    return prices[[y, x]].dropna()


@pytest.mark.parametrize("trend", ["c", "ct"])
@pytest.mark.parametrize("lag_rule", ["aic", "bic", 2])
def test_each_pair_is_that_of_statsmodels_on_the_bars_the_two_coins_have_in_common(
    screen: Screen, prices: pd.DataFrame, trend: str, lag_rule: str | int
) -> None:
    options = {"autolag": None, "maxlag": lag_rule} if isinstance(lag_rule, int) else {"autolag": lag_rule}
    for row in screen(prices.drop(columns="LATE"), trend=trend, lag_rule=lag_rule).itertuples():
        window = both(prices, row.y, row.x)
        t, p, _ = coint(window[row.y], window[row.x], trend=trend, **options)
        assert row.n_obs == len(window)
        assert (row.t_stat, row.p_value) == pytest.approx((t, p), rel=0, abs=1e-9)
        assert row.reason == ""


def test_each_pair_is_the_same_as_if_it_were_alone(screen: Screen, prices: pd.DataFrame) -> None:
    together = screen(prices.drop(columns="LATE"), ordered=True)
    alone = [screen(both(prices, y, x)) for y, x in zip(together["y"], together["x"], strict=True)]
    pd.testing.assert_frame_equal(pd.concat(alone, ignore_index=True), together, rtol=1e-9)


def test_too_few_bars_in_common_give_no_number_but_name_the_coins_and_the_bars(
    screen: Screen, prices: pd.DataFrame
) -> None:
    frame = screen(prices).set_index(["y", "x"])
    young = frame.loc[("BTC", "LATE")]
    assert young["n_obs"] == 10
    assert young[["beta", "t_stat", "p_value", "lag", "half_life", "z_last"]].isna().all()
    assert young["reason"] == (
        "BTC and LATE have too few bars in common: 10 bars are too short for an ADF regression with 4 lags: "
        "give at least 11 bars or allow fewer lags"
    )
    never = frame.loc[("OLD", "LATE")]
    assert never["n_obs"] == 0
    assert never["reason"].startswith("OLD and LATE have too few bars in common: 0 bars are too short")


def test_few_bars_in_common_are_enough_for_few_lags(screen: Screen, prices: pd.DataFrame) -> None:
    frame = screen(prices[["BTC", "LATE"]], lag_rule=1)
    assert np.isfinite(frame["t_stat"].iloc[0])


def test_a_hole_is_named_with_its_coin_and_time_and_spoils_no_other_pair(screen: Screen, prices: pd.DataFrame) -> None:
    holed = prices.drop(columns="LATE")
    holed.loc[HOURS[200:203], "ETH"] = np.nan
    frame = screen(holed)
    with_eth = (frame["y"] == "ETH") | (frame["x"] == "ETH")
    words = "ETH has 3 missing of 400 values, the first at 2026-01-09 08:00:00+00:00"
    assert (frame.loc[with_eth, "reason"] == words).all()
    assert (frame.loc[with_eth, "n_obs"] == 0).all()
    assert frame.loc[with_eth, ["beta", "t_stat", "p_value", "lag"]].isna().all(axis=None)
    others = screen(holed.drop(columns="ETH"))
    pd.testing.assert_frame_equal(frame[~with_eth].reset_index(drop=True), others)


def test_a_coin_that_moves_only_outside_the_bars_in_common_is_constant_there(
    screen: Screen, prices: pd.DataFrame
) -> None:
    table = prices[["BTC", "ETH", "NEW"]].copy()
    table.loc[HOURS[150] :, "BTC"] = 1.0
    frame = screen(table).set_index(["y", "x"])
    assert frame.loc[("BTC", "NEW"), "reason"] == "BTC is constant over 250 bars"
    assert np.isnan(frame.loc[("BTC", "NEW"), "t_stat"])
    assert frame.loc[("BTC", "ETH"), "reason"] == ""


def test_both_orientations_follow_each_other(screen: Screen, prices: pd.DataFrame) -> None:
    frame = screen(prices[["BTC", "ETH", "NEW"]], ordered=True)
    assert list(zip(frame["y"], frame["x"], strict=True)) == [
        ("BTC", "ETH"), ("ETH", "BTC"), ("BTC", "NEW"), ("NEW", "BTC"), ("ETH", "NEW"), ("NEW", "ETH"),
    ]  # fmt: skip
    assert frame["t_stat"].iloc[0] != frame["t_stat"].iloc[1]
    chosen = screen(prices, pairs=[("NEW", "BTC")], ordered=True)
    assert list(chosen["y"]) == ["NEW", "BTC"]
    np.testing.assert_array_equal(chosen["t_stat"], frame["t_stat"].iloc[[3, 2]])
