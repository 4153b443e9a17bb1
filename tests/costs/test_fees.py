"""Fees, against the tables and the formula that the exchange publishes."""

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlpairs_core.costs import CostModel, Fee, FeeSchedule
from hlpairs_core.exceptions import InputError, MalformedPayload
from hlpairs_core.exchange.dexs import parse_perp_dexs

# The published tables, in per cent: volume, then taker and maker without stake, Diamond, Platinum, Gold, Silver, Bronze
# and Wood. They are rounded to 0.0001 %.
PERP_TABLE = """
0    0.045 0.015  0.0270 0.0090  0.0315 0.0105  0.0360 0.0120  0.0383 0.0128  0.0405 0.0135  0.0428 0.0143
5e6  0.040 0.012  0.0240 0.0072  0.0280 0.0084  0.0320 0.0096  0.0340 0.0102  0.0360 0.0108  0.0380 0.0114
25e6 0.035 0.008  0.0210 0.0048  0.0245 0.0056  0.0280 0.0064  0.0298 0.0068  0.0315 0.0072  0.0333 0.0076
1e8  0.030 0.004  0.0180 0.0024  0.0210 0.0028  0.0240 0.0032  0.0255 0.0034  0.0270 0.0036  0.0285 0.0038
5e8  0.028 0.000  0.0168 0.0000  0.0196 0.0000  0.0224 0.0000  0.0238 0.0000  0.0252 0.0000  0.0266 0.0000
2e9  0.026 0.000  0.0156 0.0000  0.0182 0.0000  0.0208 0.0000  0.0221 0.0000  0.0234 0.0000  0.0247 0.0000
7e9  0.024 0.000  0.0144 0.0000  0.0168 0.0000  0.0192 0.0000  0.0204 0.0000  0.0216 0.0000  0.0228 0.0000
"""
SPOT_TABLE = """
0    0.070 0.040  0.0420 0.0240  0.0490 0.0280  0.0560 0.0320  0.0595 0.0340  0.0630 0.0360  0.0665 0.0380
5e6  0.060 0.030  0.0360 0.0180  0.0420 0.0210  0.0480 0.0240  0.0510 0.0255  0.0540 0.0270  0.0570 0.0285
25e6 0.050 0.020  0.0300 0.0120  0.0350 0.0140  0.0400 0.0160  0.0425 0.0170  0.0450 0.0180  0.0475 0.0190
1e8  0.040 0.010  0.0240 0.0060  0.0280 0.0070  0.0320 0.0080  0.0340 0.0085  0.0360 0.0090  0.0380 0.0095
5e8  0.035 0.000  0.0210 0.0000  0.0245 0.0000  0.0280 0.0000  0.0298 0.0000  0.0315 0.0000  0.0333 0.0000
2e9  0.030 0.000  0.0180 0.0000  0.0210 0.0000  0.0240 0.0000  0.0255 0.0000  0.0270 0.0000  0.0285 0.0000
7e9  0.025 0.000  0.0150 0.0000  0.0175 0.0000  0.0200 0.0000  0.0213 0.0000  0.0225 0.0000  0.0238 0.0000
"""
STAKED = (0.0, 600_000.0, 200_000.0, 20_000.0, 2_000.0, 200.0, 20.0)


@pytest.mark.parametrize(("kind", "table"), [("perp", PERP_TABLE), ("spot", SPOT_TABLE)])
def test_every_cell_of_the_published_tables_is_met(kind: Any, table: str) -> None:
    for line in table.split("\n")[1:-1]:
        volume, *cells = map(float, line.split())
        for column, staked in enumerate(STAKED):
            fee = FeeSchedule.of_account(perp_volume_usd=volume * 1.01, staked_hype=staked).fee(kind)
            assert fee.taker_bps == pytest.approx(100 * cells[2 * column], abs=0.0051)
            assert fee.maker_bps == pytest.approx(100 * cells[2 * column + 1], abs=0.0051)


def official(taker: float, maker: float, referral: float, aligned: bool, market: dict[str, Any]) -> tuple[float, float]:
    """The published formula, step by step: maker and taker in per cent from rates."""
    stable = 0.2 if market["type"] == "spot" and market["stable"] else 1.0
    scale, growth, deployer = 1.0, 1.0, 0.0
    if market["type"] == "perp":
        s = market["scale"]
        scale = s + 1 if s < 1 else s * 2
        deployer = s / (1 + s) if s < 1 else 0.5
        growth = 0.1 if market["growth"] else 1.0
    maker_percent = maker * 100 * stable * growth
    if maker_percent > 0:
        maker_percent *= scale * (1 - referral)
    else:
        maker_percent *= (1 - deployer) * 1.5 + deployer if aligned else 1.0
    taker_percent = taker * 100 * stable * scale * growth * (1 - referral)
    if aligned:
        taker_percent *= (1 - deployer) * 0.8 + deployer
    return taker_percent, maker_percent


RATE = st.floats(-0.0001, 0.0007)


@given(RATE, RATE, st.floats(0, 0.5), st.booleans(), st.booleans(), st.floats(0, 3))
def test_a_builders_fee_follows_the_published_formula(
    taker: float, maker: float, referral: float, aligned: bool, growth: bool, scale: float
) -> None:
    own = Fee(taker_bps=1e4 * taker, maker_bps=1e4 * maker)
    schedule = FeeSchedule(perp=own, spot=Fee(taker_bps=7, maker_bps=4), referral_discount=referral)
    fee = schedule.fee("builder", builder_fee_scale=scale, growth_mode=growth, aligned_quote=aligned)
    expected = official(taker, maker, referral, aligned, {"type": "perp", "scale": scale, "growth": growth})
    assert (fee.taker_bps, fee.maker_bps) == pytest.approx([100 * percent for percent in expected], abs=1e-12)


@given(RATE, RATE, st.floats(0, 0.5), st.booleans(), st.booleans())
def test_a_spot_fee_follows_the_published_formula(
    taker: float, maker: float, referral: float, aligned: bool, stable: bool
) -> None:
    own = Fee(taker_bps=1e4 * taker, maker_bps=1e4 * maker)
    schedule = FeeSchedule(perp=Fee(taker_bps=4.5, maker_bps=1.5), spot=own, referral_discount=referral)
    fee = schedule.fee("spot", aligned_quote=aligned, stable_pair=stable)
    expected = official(taker, maker, referral, aligned, {"type": "spot", "stable": stable})
    assert (fee.taker_bps, fee.maker_bps) == pytest.approx([100 * percent for percent in expected], abs=1e-12)


@pytest.mark.parametrize(
    ("scale", "growth", "aligned", "taker_bps"),
    [
        (1.0, False, False, 9.0),  # the default scale doubles the fee
        (0.0, False, False, 4.5),
        (0.5, False, False, 6.75),
        (3.0, False, False, 27.0),
        (0.0, True, False, 0.45),  # growth mode: 0.0045 to 0.009 % all in
        (1.0, True, False, 0.9),
        (0.0, False, True, 3.6),  # 20 % lower
    ],
)
def test_the_published_examples_of_builders_fees_are_met(
    scale: float, growth: bool, aligned: bool, taker_bps: float
) -> None:
    fee = FeeSchedule.base().fee("builder", builder_fee_scale=scale, growth_mode=growth, aligned_quote=aligned)
    assert fee.taker_bps == pytest.approx(taker_bps)


@pytest.mark.recordings
def test_every_recorded_builders_dex_has_a_fee_that_is_not_absurd(protocol: Path) -> None:
    [recorded] = json.loads((protocol / "perp_dexs.json").read_text())
    dexs = parse_perp_dexs("perpDexs", recorded["response"])
    fees = {dex.name: FeeSchedule.base().fee("builder", builder_fee_scale=dex.fee_scale).taker_bps for dex in dexs}
    assert fees["xyz"] == 9.0
    assert all(4.5 <= fee <= 30 for fee in fees.values())


def test_spot_volume_counts_twice_and_a_tier_begins_above_its_bound() -> None:
    at_bound = FeeSchedule.of_account(perp_volume_usd=1e6, spot_volume_usd=2e6)
    above = FeeSchedule.of_account(perp_volume_usd=1e6 + 1, spot_volume_usd=2e6)
    assert (at_bound.fee().taker_bps, above.fee().taker_bps) == (4.5, 4.0)


def test_a_rebate_replaces_the_makers_fee_and_no_discount_shrinks_it() -> None:
    schedule = FeeSchedule.of_account(perp_volume_usd=6e8, maker_share=0.02, staked_hype=600_000, referred=True)
    assert schedule.fee().maker_bps == pytest.approx(-0.2)
    assert schedule.fee().taker_bps == pytest.approx(2.8 * 0.6 * 0.96)
    assert schedule.fee(aligned_quote=True).maker_bps == pytest.approx(-0.3)


PAYLOAD: dict[str, Any] = {
    "dailyUserVlm": [],
    "feeSchedule": {
        "cross": "0.00045",
        "add": "0.00015",
        "spotCross": "0.0007",
        "spotAdd": "0.0004",
        "tiers": {"vip": [], "mm": []},
        "referralDiscount": "0.04",
        "stakingDiscountTiers": [],
    },
    "userCrossRate": "0.000315",
    "userAddRate": "0.000105",
    "userSpotCrossRate": "0.00049",
    "userSpotAddRate": "0.00028",
    "activeReferralDiscount": "0.04",
    "activeStakingDiscount": {"bpsOfMaxSupply": "4.75", "discount": "0.3"},
}


def test_an_accounts_own_rates_hold_its_stake_already_and_not_its_referral() -> None:
    schedule = FeeSchedule.from_user_fees(PAYLOAD)
    from_tables = FeeSchedule.of_account(staked_hype=200_000, referred=True)
    for kind in ("perp", "spot"):
        read, told = schedule.fee(kind), from_tables.fee(kind)  # type: ignore[arg-type]
        assert (read.taker_bps, read.maker_bps) == pytest.approx((told.taker_bps, told.maker_bps))
    rates = SimpleNamespace(taker=0.000315, maker=0.000105, spot_taker=0.00049, spot_maker=0.00028)
    typed: Any = SimpleNamespace(rates=rates, referral_discount=0.04)
    assert FeeSchedule.from_user_fees(typed) == schedule


def test_absurd_fees_are_refused_wherever_they_come_from() -> None:
    with pytest.raises(InputError, match=r"taker_bps is 450\.0: use a finite number at least -100 and at most 100"):
        FeeSchedule.from_user_fees(PAYLOAD | {"userCrossRate": "0.045"})
    with pytest.raises(InputError, match="maker_bps is nan"):
        Fee(taker_bps=4.5, maker_bps=math.nan)
    with pytest.raises(InputError, match=r"referral_discount is 1\.0: use a finite number at least 0 and below 1"):
        FeeSchedule(perp=Fee(taker_bps=1, maker_bps=1), spot=Fee(taker_bps=1, maker_bps=1), referral_discount=1.0)
    with pytest.raises(MalformedPayload, match="userAddRate"):
        FeeSchedule.from_user_fees(PAYLOAD | {"userAddRate": "free"})


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"kind": "option"}, "kind is 'option': use one of 'perp', 'spot', 'builder'"),
        ({"kind": "builder", "builder_fee_scale": 10.5}, r"builder_fee_scale is 10\.5: .* at most 10"),
        ({"kind": "builder", "builder_fee_scale": -0.5}, r"builder_fee_scale is -0\.5: .* at least 0"),
        ({"kind": "perp", "growth_mode": True}, "growth_mode is True for the kind 'perp': only 'builder' has it"),
        ({"kind": "perp", "stable_pair": True}, "stable_pair is True for the kind 'perp': only 'spot' has it"),
    ],
)
def test_a_property_that_a_market_cannot_have_is_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        FeeSchedule.base().fee(**wrong)


@pytest.mark.parametrize("field", ["perp_volume_usd", "spot_volume_usd", "staked_hype", "maker_share"])
def test_a_negative_amount_of_an_account_is_refused(field: str) -> None:
    with pytest.raises(InputError, match=f"{field} is -1"):
        FeeSchedule.of_account(**{field: -1})


def test_a_spot_leg_against_a_perpetual_pays_eleven_and_a_half_bps_a_round_trip() -> None:
    costs = CostModel.from_schedule(FeeSchedule.base())
    assert costs == CostModel()
    assert costs.round_trip_bps(0.5, 0.5, kinds=("spot", "perp")) == pytest.approx(11.5)
    assert costs.round_trip_bps(0.5, 0.5, kinds=("spot", "perp"), role="maker") == pytest.approx(5.5)
    assert costs.round_trip_bps(0.2, 0.8) == pytest.approx(costs.round_trip_fee_bps) == pytest.approx(9.0)


def test_a_cost_model_of_a_builders_dex_pays_its_fees_on_perpetuals() -> None:
    costs = CostModel.from_schedule(FeeSchedule.base(), perp=FeeSchedule.base().fee("builder"), half_spread_bps=3.0)
    assert (costs.taker_fee_bps, costs.maker_fee_bps, costs.half_spread_bps) == (9.0, 3.0, 3.0)
    assert (costs.spot_taker_fee_bps, costs.spot_maker_fee_bps) == (7.0, 4.0)


def test_no_leg_but_of_a_known_kind_and_role_is_priced() -> None:
    with pytest.raises(InputError, match="kind is 'builder': use one of 'perp', 'spot'"):
        CostModel().fee_bps("builder")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="role is 'giver'"):
        CostModel().fee_bps("spot", "giver")  # type: ignore[arg-type]
