"""What the exchange says of an account that needs no signature: its fees and its request limit."""

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hlpairs_core.exchange.fields import Record

__all__ = [
    "FeeRates",
    "FeeSchedule",
    "MakerTier",
    "StakingTier",
    "UserFees",
    "UserRateLimit",
    "VolumeTier",
    "parse_user_fees",
    "parse_user_rate_limit",
]

_DATE = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LARGEST_COUNT = 2**62


@dataclass(frozen=True)
class FeeRates:
    """Fees as fractions of the notional; a negative one is a rebate."""

    taker: float
    maker: float
    spot_taker: float
    spot_maker: float


@dataclass(frozen=True)
class VolumeTier:
    """Rates from a weighted volume of 14 days (USD) on."""

    volume_usd: float
    rates: FeeRates


@dataclass(frozen=True)
class MakerTier:
    """Maker's rate, a fraction of the notional, from a fraction of the exchange's maker volume on."""

    maker_fraction: float
    maker: float


@dataclass(frozen=True)
class StakingTier:
    """Discount, a fraction of the fee, from a staked share of the supply on (bps of the maximum)."""

    bps_of_max_supply: float
    discount: float


@dataclass(frozen=True)
class FeeSchedule:
    """What the exchange charges in general.

    Attributes
    ----------
    base : FeeRates
        Without volume.
    volume_tiers, maker_tiers, staking_tiers : tuple
        Each ascending, as sent.
    referral_discount : float
        Fraction of the fee.
    """

    base: FeeRates
    volume_tiers: tuple[VolumeTier, ...]
    maker_tiers: tuple[MakerTier, ...]
    staking_tiers: tuple[StakingTier, ...]
    referral_discount: float


@dataclass(frozen=True, eq=False)
class UserFees:
    """What an account pays now.

    Attributes
    ----------
    rates : FeeRates
        Its own: the staking discount is taken off already, the referral discount is not.
    referral_discount, staking_discount : float
        In force now, fractions of the fee; 0 where it has none.
    schedule : FeeSchedule
        What is charged in general.
    daily_volume : pandas.DataFrame
        ``date`` (UTC days), ``taker_usd, maker_usd`` (the account's), ``exchange_usd`` (everybody's), as sent.
    """

    rates: FeeRates
    referral_discount: float
    staking_discount: float
    schedule: FeeSchedule
    daily_volume: pd.DataFrame


@dataclass(frozen=True)
class UserRateLimit:
    """How many requests of an account (orders, cancels) the exchange still takes.

    Attributes
    ----------
    volume_usd : float
        Traded ever; each dollar is worth one request.
    requests_used, requests_cap : int
        Since ever.
    """

    volume_usd: float
    requests_used: int
    requests_cap: int


def parse_user_fees(request: str, value: object) -> UserFees:
    """Read a ``userFees`` answer.

    Raises
    ------
    MalformedPayload
        If a field is missing or unfit.
    """
    fees = Record(request, "", value)
    staking = fees.raw_or("activeStakingDiscount", None)
    return UserFees(
        rates=_rates(fees, "userCrossRate", "userAddRate", "userSpotCrossRate", "userSpotAddRate"),
        referral_discount=fees.decimal("activeReferralDiscount", "non-negative"),
        staking_discount=0.0 if staking is None else _staking_tier(fees.record("activeStakingDiscount")).discount,
        schedule=_schedule(fees.record("feeSchedule")),
        daily_volume=_daily_volume(fees),
    )


def parse_user_rate_limit(request: str, value: object) -> UserRateLimit:
    """Read a ``userRateLimit`` answer.

    Raises
    ------
    MalformedPayload
        If a field is missing or unfit.
    """
    limit = Record(request, "", value)
    return UserRateLimit(
        volume_usd=limit.decimal("cumVlm", "non-negative"),
        requests_used=limit.integer("nRequestsUsed", least=0, most=_LARGEST_COUNT),
        requests_cap=limit.integer("nRequestsCap", least=0, most=_LARGEST_COUNT),
    )


def _schedule(schedule: Record) -> FeeSchedule:
    tiers = schedule.record("tiers")
    return FeeSchedule(
        base=_own_rates(schedule),
        volume_tiers=tuple(
            VolumeTier(tier.decimal("ntlCutoff", "non-negative"), _own_rates(tier)) for tier in tiers.records("vip")
        ),
        maker_tiers=tuple(
            MakerTier(tier.decimal("makerFractionCutoff", "non-negative"), tier.decimal("add"))
            for tier in tiers.records("mm")
        ),
        staking_tiers=tuple(_staking_tier(tier) for tier in schedule.records("stakingDiscountTiers")),
        referral_discount=schedule.decimal("referralDiscount", "non-negative"),
    )


def _own_rates(record: Record) -> FeeRates:
    return _rates(record, "cross", "add", "spotCross", "spotAdd")


def _rates(record: Record, taker: str, maker: str, spot_taker: str, spot_maker: str) -> FeeRates:
    return FeeRates(*(record.decimal(key) for key in (taker, maker, spot_taker, spot_maker)))


def _staking_tier(tier: Record) -> StakingTier:
    return StakingTier(tier.decimal("bpsOfMaxSupply", "non-negative"), tier.decimal("discount", "non-negative"))


def _daily_volume(fees: Record) -> pd.DataFrame:
    dates: list[str] = []
    rows: list[tuple[float, ...]] = []
    for day in fees.records("dailyUserVlm"):
        dates.append(_date(day))
        rows.append(tuple(day.decimal(key, "non-negative") for key in ("userCross", "userAdd", "exchange")))
    frame = pd.DataFrame(rows, columns=["taker_usd", "maker_usd", "exchange_usd"], dtype=np.float64)
    frame.insert(0, "date", pd.DatetimeIndex(dates, tz="UTC").as_unit("ms"))
    return frame


def _date(day: Record) -> str:
    text = day.word("date")
    try:
        if _DATE.fullmatch(text) is None or not 2009 <= pd.Timestamp(text).year <= 2100:
            raise ValueError(text)
    except ValueError:
        raise day.refuse("date", f"expected a date such as 2025-05-23, got {text[:80]!r}") from None
    return text
