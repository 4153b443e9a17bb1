import math

import numpy as np
import pandas as pd
import pytest

from hlpairs_core.costs import (
    CostModel,
    funding_bps_per_hour,
    funding_stamps,
    square_root_slippage_bps,
)
from hlpairs_core.exceptions import InputError


@pytest.mark.parametrize("beta", [0.2, 1.0, 3.0])
def test_four_taker_fees_are_nine_bps_of_gross_whatever_the_hedge_ratio(beta: float) -> None:
    gross = 10_000.0
    legs = [gross / (1 + beta), gross * beta / (1 + beta)]
    paid_usd = sum(2 * leg * 4.5e-4 for leg in legs)  # in and out, 0.045 % of each leg
    assert CostModel().round_trip_fee_bps == pytest.approx(1e4 * paid_usd / gross) == pytest.approx(9.0)


def test_a_rebate_is_a_negative_fee() -> None:
    assert CostModel(taker_fee_bps=-0.3).round_trip_fee_bps == pytest.approx(-0.6)


@pytest.mark.parametrize("field", ["taker_fee_bps", "maker_fee_bps"])
@pytest.mark.parametrize("value", [100.1, -101, math.nan, math.inf, "4.5", None, True])
def test_absurd_fees_are_refused(field: str, value: object) -> None:
    with pytest.raises(InputError, match=f"{field} is .*: use a finite number at least -100 and at most 100"):
        CostModel(**{field: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("impact_coefficient", -0.1),
        ("impact_coefficient", math.nan),
        ("impact_coefficient", math.inf),
        ("half_spread_bps", -1.0),
        ("half_spread_bps", math.nan),
        ("assumed_funding_per_hour", math.nan),
        ("assumed_funding_per_hour", 0.05),
        ("assumed_funding_per_hour", -0.05),
    ],
)
def test_costs_that_cannot_be_are_refused(field: str, value: float) -> None:
    with pytest.raises(InputError, match=field):
        CostModel(**{field: value})


def test_the_square_root_law_agrees_with_a_hand_computation() -> None:
    # sqrt(10,000 / 1,000,000) = 0.1; 1 + 1 x 500 x 0.1 = 51 bps
    got = square_root_slippage_bps(10_000, day_notional_usd=1_000_000, day_volatility_bps=500)
    assert float(got) == pytest.approx(51.0)


def test_the_square_root_law_scales_with_coefficient_and_root_of_size() -> None:
    got = square_root_slippage_bps(
        np.array([10_000.0, 40_000.0, 0.0]),
        day_notional_usd=1e6,
        day_volatility_bps=500.0,
        half_spread_bps=2.0,
        coefficient=0.5,
    )
    np.testing.assert_allclose(got, [27.0, 52.0, 2.0])


def test_a_coin_that_does_not_trade_has_unknown_slippage_not_none() -> None:
    got = square_root_slippage_bps(1000.0, day_notional_usd=np.array([0.0, np.nan]), day_volatility_bps=1.0)
    assert np.isnan(got).all()


@pytest.mark.parametrize("field", ["notional_usd", "day_notional_usd", "day_volatility_bps", "half_spread_bps"])
def test_negative_inputs_of_the_square_root_law_are_refused(field: str) -> None:
    given = {"notional_usd": 1.0, "day_notional_usd": 1.0, "day_volatility_bps": 1.0, "half_spread_bps": 1.0}
    given[field] = -1.0
    with pytest.raises(InputError, match=f"{field} is -1.0"):
        square_root_slippage_bps(given.pop("notional_usd"), **given)


@pytest.mark.parametrize(
    ("side_y", "side_x", "expected"),
    [
        # rates 1 and 2 bps an hour, weights 0.6 and 0.4: 0.6 and 0.8 bps of gross
        ("long", "short", -0.6 + 0.8),
        ("short", "long", +0.6 - 0.8),
        ("long", "long", -1.4),
        ("short", "short", +1.4),
    ],
)
def test_the_long_pays_and_the_short_receives_a_positive_rate(side_y: str, side_x: str, expected: float) -> None:
    assert float(funding_bps_per_hour(side_y, 1e-4, side_x, 2e-4, 0.6, 0.4)) == pytest.approx(expected)


def test_a_negative_rate_turns_the_payment_around() -> None:
    assert float(funding_bps_per_hour("long", -1e-4, "short", 0.0, 0.5, 0.5)) == pytest.approx(0.5)


def test_the_reference_payment_of_a_large_premium_is_met() -> None:
    # 0.11875 % an hour on 100,000 USD is 118.75 USD, paid by the long.
    paid_usd = -float(funding_bps_per_hour("long", 0.0011875, "short", 0.0, 1.0, 0.0)) / 1e4 * 100_000
    assert paid_usd == pytest.approx(118.75)


def test_funding_is_vectorised_and_unknown_stays_unknown() -> None:
    sides = np.array(["long", "short"], dtype=object)
    got = funding_bps_per_hour(sides, np.array([np.nan, 1e-4]), sides[::-1], 1e-4, 0.5, 0.5)
    assert np.isnan(got[0])
    assert got[1] == pytest.approx(0.0)


def test_a_side_that_is_neither_long_nor_short_is_refused() -> None:
    with pytest.raises(InputError, match="'flat'"):
        funding_bps_per_hour("flat", 0.0, "long", 0.0, 0.5, 0.5)


@pytest.mark.parametrize(
    ("entry", "hold", "stamps"),
    [
        ("2025-01-01T10:00Z", 1.0, 0),  # 10:00 and 11:00 are fills, not stamps
        ("2025-01-01T10:00Z", 1.01, 1),  # 11:00
        ("2025-01-01T10:00Z", 3.0, 2),  # 11:00, 12:00
        ("2025-01-01T10:00Z", 48.0, 47),
        ("2025-01-01T10:05Z", 0.5, 0),
        ("2025-01-01T10:05Z", 55 / 60, 0),  # leaves at 11:00 sharp
        ("2025-01-01T10:05Z", 1.0, 1),  # 11:00
        ("2025-01-01T10:05Z", 2.0, 2),  # 11:00, 12:00
    ],
)
def test_only_the_hours_strictly_inside_a_hold_settle_it(entry: str, hold: float, stamps: int) -> None:
    assert float(funding_stamps(pd.Timestamp(entry), hold)) == stamps


def test_an_unknown_hold_has_an_unknown_number_of_stamps() -> None:
    got = funding_stamps(pd.Timestamp("2025-01-01T10:00Z"), np.array([np.nan, 2.5]))
    assert np.isnan(got[0])
    assert got[1] == 2
