"""Fees and request limits of an account, and a coin's last trades."""

import warnings
from typing import Any

import pandas as pd
import pytest
from exchange_doubles import ACCOUNT, NOON, Exchange, client_of, rate_limit, trade, universe, user_fees

from hlpairs_core.exceptions import InputError, MalformedPayload
from hlpairs_core.exchange import FeeRates


@pytest.fixture(scope="module")
def ccxt_client() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import ccxt
    return ccxt.hyperliquid()


async def test_fees_are_read_with_their_schedule_and_discounts(ccxt_client: Any):
    async with client_of(Exchange(userFees=user_fees())) as client:
        fees = await client.user_fees(ACCOUNT)
    theirs = ccxt_client.parse_trading_fee(user_fees())
    assert (fees.rates.taker, fees.rates.maker) == (theirs["taker"], theirs["maker"])
    assert fees.rates == FeeRates(0.000315, 0.000105, 0.00049, 0.00028)
    assert fees.schedule.base == FeeRates(0.00045, 0.00015, 0.0007, 0.0004)
    # The account's rates are those of the schedule less its staking discount.
    assert fees.schedule.base.taker * (1 - fees.staking_discount) == pytest.approx(fees.rates.taker)
    [tier] = fees.schedule.volume_tiers
    assert (tier.volume_usd, tier.rates.taker, tier.rates.maker) == (5e6, 0.0004, 0.00012)
    assert [(t.maker_fraction, t.maker) for t in fees.schedule.maker_tiers] == [(0.005, -0.00001)]
    assert [(t.bps_of_max_supply, t.discount) for t in fees.schedule.staking_tiers] == [(0, 0), (0.0001, 0.05)]
    assert (fees.referral_discount, fees.schedule.referral_discount) == (0.0, 0.04)
    assert fees.daily_volume.iloc[0].tolist() == [pd.Timestamp("2025-05-23T00:00Z"), 1.5, 0.0, 2852367.07]


async def test_an_account_without_stake_or_volume_is_read():
    answer = user_fees(activeStakingDiscount=None, dailyUserVlm=[], userAddRate="-0.00003")
    async with client_of(Exchange(userFees=answer)) as client:
        fees = await client.user_fees(ACCOUNT)
    assert fees.staking_discount == 0
    assert fees.rates.maker == -0.00003
    assert list(fees.daily_volume.columns) == ["date", "taker_usd", "maker_usd", "exchange_usd"]


async def test_the_request_limit_is_read():
    async with client_of(Exchange(userRateLimit=rate_limit())) as client:
        limit = await client.user_rate_limit(ACCOUNT)
    assert (limit.volume_usd, limit.requests_used, limit.requests_cap) == (2854574.59, 2890, 2864574)


@pytest.mark.parametrize("call", ["user_fees", "user_rate_limit"])
@pytest.mark.parametrize("address", ["", "0x12", "0x" + "g" * 40, "1" * 42, f"{ACCOUNT}\n", f"0X{'0' * 40}", None, 5])
async def test_what_is_no_address_is_refused_before_anything_is_sent(call: str, address: Any):
    exchange = Exchange()
    async with client_of(exchange) as client:
        with pytest.raises(InputError, match="is no address of an account: expected 0x and 40 hexadecimal digits"):
            await getattr(client, call)(address)
    assert exchange.seen == []


async def test_an_address_is_sent_in_lower_case():
    exchange = Exchange(userRateLimit=rate_limit())
    async with client_of(exchange) as client:
        await client.user_rate_limit(f"0x{'aB' * 20}")
    assert exchange.seen[0]["user"] == f"0x{'ab' * 20}"


@pytest.mark.parametrize(
    ("fields", "at"),
    [
        ({"userCrossRate": 0.0003}, "userCrossRate: expected a decimal string"),
        ({"feeSchedule": None}, "feeSchedule: expected an object"),
        ({"feeSchedule": {"cross": "0.1"}}, "feeSchedule.tiers: missing"),
        ({"activeStakingDiscount": {"discount": "0.1"}}, "activeStakingDiscount.bpsOfMaxSupply: missing"),
        ({"activeReferralDiscount": "-0.1"}, "activeReferralDiscount: expected a non-negative"),
        ({"dailyUserVlm": [{"date": "23.5.2025"}]}, r"dailyUserVlm\[0\].date: expected a date"),
        ({"dailyUserVlm": [{"date": "2025-02-30"}]}, r"dailyUserVlm\[0\].date: expected a date"),
        ({"dailyUserVlm": [{"date": "9999-01-01"}]}, r"dailyUserVlm\[0\].date: expected a date"),
        ({"dailyUserVlm": "none"}, "dailyUserVlm: expected a list"),
    ],
)
async def test_fees_that_cannot_be_trusted_are_refused(fields: dict[str, Any], at: str):
    async with client_of(Exchange(userFees=user_fees(**fields))) as client:
        with pytest.raises(MalformedPayload, match=f"userFees is malformed at {at}"):
            await client.user_fees(ACCOUNT)


@pytest.mark.parametrize(
    ("fields", "at"),
    [
        ({"cumVlm": None}, "cumVlm: expected a decimal string"),
        ({"nRequestsUsed": "5"}, "nRequestsUsed: expected an integer"),
        ({"nRequestsCap": -1}, "nRequestsCap: expected 0 to"),
    ],
)
async def test_a_request_limit_that_cannot_be_trusted_is_refused(fields: dict[str, Any], at: str):
    async with client_of(Exchange(userRateLimit=rate_limit(**fields))) as client:
        with pytest.raises(MalformedPayload, match=f"is malformed at {at}"):
            await client.user_rate_limit(ACCOUNT)


async def test_trades_are_read_as_ccxt_reads_them_oldest_first_and_once(ccxt_client: Any):
    newest_first = [
        trade(9, time=NOON * 1000 + 5, side="A", px="104321.5", sz="0.5"),
        trade(8, time=NOON * 1000 + 5),
        trade(8, time=NOON * 1000 + 5),
        trade(7, time=NOON * 1000 - 1),
    ]
    async with client_of(Exchange(recentTrades=newest_first)) as client:
        frame = await client.recent_trades("BTC")
    theirs = [ccxt_client.parse_trade(fill) for fill in newest_first[::-1]]
    del theirs[1]
    assert frame["tid"].tolist() == [int(fill["id"]) for fill in theirs] == [7, 8, 9]
    assert frame["price"].tolist() == [fill["price"] for fill in theirs]
    assert frame["size"].tolist() == [fill["amount"] for fill in theirs]
    assert frame["is_buy"].tolist() == [fill["side"] == "buy" for fill in theirs] == [True, True, False]
    assert frame["time"].astype("int64").tolist() == [fill["timestamp"] for fill in theirs]


async def test_no_trades_are_an_empty_frame_of_the_same_types():
    async with client_of(Exchange(recentTrades=[trade()])) as client:
        some = await client.recent_trades("BTC")
    async with client_of(Exchange(recentTrades=[], metaAndAssetCtxs=universe("BTC"))) as client:
        none = await client.recent_trades("BTC")
    assert none.empty
    pd.testing.assert_series_equal(none.dtypes, some.dtypes)


@pytest.mark.parametrize(
    ("fields", "at"),
    [
        ({"coin": "ETH"}, "coin: asked for 'BTC', got 'ETH'"),
        ({"side": "buy"}, "side: expected one of 'B', 'A', got 'buy'"),
        ({"side": ["B"]}, "side: expected one of"),
        ({"px": "0.0"}, "px: expected a positive number"),
        ({"sz": "-1"}, "sz: expected a positive number"),
        ({"time": 5}, "time: expected"),
        ({"tid": "8"}, "tid: expected an integer"),
        ({"tid": 2**63}, "tid: expected 0 to"),
    ],
)
async def test_a_trade_that_cannot_be_trusted_is_refused(fields: dict[str, Any], at: str):
    async with client_of(Exchange(recentTrades=[trade() | fields])) as client:
        with pytest.raises(MalformedPayload, match=rf"recentTrades BTC is malformed at \[0\]\.{at}"):
            await client.recent_trades("BTC")
