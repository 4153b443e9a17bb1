"""Funding rates from premiums, and forecasts of them."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hlpairs_core.costs import (
    FUNDING_CAP_PER_HOUR,
    INTEREST_PER_HOUR,
    FundingForecast,
    funding_rate,
    impact_premium,
)
from hlpairs_core.exceptions import InputError

RATES = st.floats(-0.04, 0.04)


@pytest.mark.recordings
def test_the_worked_rate_and_payment_of_a_premium_of_one_per_cent_are_met(shared: Path) -> None:
    told = json.loads((shared / "reference" / "worked-numbers.json").read_text())["hyperliquid"]["value"]
    rate = float(funding_rate(0.01))
    assert rate == pytest.approx(told["funding_P1pct_hourly"], rel=1e-12)
    assert 10 * 10_000 * rate == pytest.approx(told["pay_10_at_10000"])


@pytest.mark.parametrize(
    ("premium", "eight_hours"),
    [
        (0.0, 0.0001),
        (0.0006, 0.0001),  # 0.0006 - 0.0005: the end of the dead zone
        (-0.0004, 0.0001),
        (0.0007, 0.0002),
        (-0.0005, 0.0),
        (-0.01, -0.0095),
    ],
)
def test_small_premiums_pay_the_interest_and_large_ones_all_but_the_band(premium: float, eight_hours: float) -> None:
    assert float(funding_rate(premium)) == pytest.approx(eight_hours / 8, abs=1e-18)


def test_no_premium_pays_more_than_the_cap() -> None:
    np.testing.assert_allclose(funding_rate([0.5, -0.5]), [FUNDING_CAP_PER_HOUR, -FUNDING_CAP_PER_HOUR])
    assert np.isnan(funding_rate(np.nan))


def test_the_documented_row_of_the_funding_history_is_met() -> None:
    assert float(funding_rate(-0.0002437152)) == pytest.approx(0.0000125, rel=1e-12)


@pytest.mark.recordings
def test_recorded_premiums_follow_from_the_impact_and_oracle_prices_beside_them(protocol: Path) -> None:
    exchanges = json.loads((protocol / "meta_and_asset_ctxs.json").read_text())
    contexts = [row for one in exchanges if isinstance(one["response"], list) for row in one["response"][1]]
    contexts = [row for row in contexts if row.get("impactPxs") and row.get("premium")]
    assert len(contexts) > 100
    bid, ask = np.array([row["impactPxs"] for row in contexts], dtype=float).T
    oracle, told = (np.array([float(row[key]) for row in contexts]) for key in ("oraclePx", "premium"))
    np.testing.assert_allclose(impact_premium(bid, ask, oracle), told, atol=1e-9)


def test_the_premium_is_that_of_the_impact_prices_outside_the_oracle() -> None:
    np.testing.assert_allclose(impact_premium([101, 98, 99.9], [102, 99, 100.1], 100.0), [0.01, -0.01, 0.0])
    with pytest.raises(InputError, match="oracle_price is 0"):
        impact_premium(1, 1, 0)


@given(arrays(float, (30, 2), elements=RATES), st.integers(1, 60))
def test_forecasts_lie_between_the_interest_and_what_was_seen(history: np.ndarray, hours: int) -> None:
    rates = FundingForecast().rates(history, hours)
    assert rates.shape == (hours, 2)
    least = np.minimum(history[-24:].min(axis=0), INTEREST_PER_HOUR) - 1e-15
    most = np.maximum(history[-24:].max(axis=0), INTEREST_PER_HOUR) + 1e-15
    # The last hour fades faster than the day, so a forecast never leaves what the two and the interest span.
    assert np.all((rates >= least) & (rates <= most))


def test_a_forecast_by_hand_is_met() -> None:
    history = np.zeros((24, 1))
    history[-1] = 24e-5  # mean 1e-5
    rates = FundingForecast(last_half_life_hours=1, day_half_life_hours=2, interest_per_hour=2e-5).rates(history, 2)
    # 2e-5 + (1e-5 - 2e-5) / sqrt(2) + 23e-5 / 2, and 2e-5 - 1e-5 / 2 + 23e-5 / 4
    np.testing.assert_allclose(rates[:, 0], [2e-5 - 1e-5 / np.sqrt(2) + 11.5e-5, 1.5e-5 + 5.75e-5])


def test_a_rate_at_the_interest_is_expected_to_stay_there_for_ever() -> None:
    rates = FundingForecast().rates(np.full((24, 3), INTEREST_PER_HOUR), 48)
    np.testing.assert_allclose(rates, INTEREST_PER_HOUR)
    assert FundingForecast().mean_rate(np.full((24, 1), 1e-3), 10_000) < 2e-5


def test_the_exchanges_running_estimate_is_the_next_stamp() -> None:
    history = np.full((24, 2), 1e-5)
    rates = FundingForecast().rates(history, 3, running=[5e-4, np.nan])
    assert rates[0, 0] == pytest.approx(5e-4)
    np.testing.assert_allclose(rates[:, 1], FundingForecast().rates(history, 3)[:, 1])


def test_a_missing_hour_ages_the_newest_rate_and_a_missing_day_is_unknown() -> None:
    history = np.full((24, 3), 1e-5)
    history[-10:, 1] = np.nan
    history[-11, :2] = 1e-3
    history[:, 2] = np.nan
    one, aged, unknown = FundingForecast().mean_rate(history, 1)
    assert np.isnan(unknown)
    assert 1e-5 < one < 1e-3
    assert aged < 1e-3
    assert FundingForecast().rates(history, 1, running=[np.nan, np.nan, 3e-5])[0, 2] == pytest.approx(3e-5)


def test_what_is_no_history_of_rates_is_refused() -> None:
    with pytest.raises(InputError, match=r"history has shape \(24,\)"):
        FundingForecast().rates(np.zeros(24), 1)
    with pytest.raises(InputError, match=r"a funding rate of -0\.5 is beyond the cap of 0\.04 per hour"):
        FundingForecast().rates([[0.01], [-0.5], [np.nan]], 1)
    with pytest.raises(InputError, match=r"running has shape \(1,\): use \(2,\)"):
        FundingForecast().rates(np.zeros((24, 2)), 1, running=[0.0])
    with pytest.raises(InputError, match="hours is 0"):
        FundingForecast().rates(np.zeros((24, 2)), 0)
    with pytest.raises(InputError, match="day_half_life_hours is 0"):
        FundingForecast(day_half_life_hours=0)
