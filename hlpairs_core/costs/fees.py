"""What an account pays for a fill: on a perpetual, on spot, on a builder's perpetual."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from hlpairs_core.costs.checks import check_choice, check_number
from hlpairs_core.costs.fee_tables import MAKER_REBATES_BPS, REFERRAL_DISCOUNT, STAKING_DISCOUNTS, VOLUME_TIERS_BPS
from hlpairs_core.exceptions import InputError

if TYPE_CHECKING:
    from hlpairs_core.exchange.accounts import UserFees

__all__ = ["Fee", "FeeSchedule", "LegKind", "LiquidityRole"]

LegKind: TypeAlias = Literal["perp", "spot", "builder"]
LiquidityRole: TypeAlias = Literal["taker", "maker"]

_LEAST_BPS, _MOST_BPS = -100.0, 100.0
# The documentation bounds the scale by 3, in one version by 10 in growth mode.
_LARGEST_SCALE = 10.0
_STABLE_PAIR, _GROWTH = 0.2, 0.1
_ALIGNED_TAKER, _ALIGNED_REBATE = 0.8, 1.5


@dataclass(frozen=True, kw_only=True)
class Fee:
    """Fee of one fill, in bps of that fill's own notional; a negative one is a rebate. At most 100 either way.

    Raises
    ------
    InputError
        Names the field, the value and what is allowed.
    """

    taker_bps: float
    maker_bps: float

    def __post_init__(self) -> None:
        check_number("taker_bps", self.taker_bps, low=_LEAST_BPS, high=_MOST_BPS)
        check_number("maker_bps", self.maker_bps, low=_LEAST_BPS, high=_MOST_BPS)

    def of(self, role: LiquidityRole) -> float:
        """Return the fee of a taker or of a maker (bps)."""
        check_choice("role", role, ("taker", "maker"))
        return self.taker_bps if role == "taker" else self.maker_bps


@dataclass(frozen=True, kw_only=True)
class FeeSchedule:
    """What one account pays.

    Parameters
    ----------
    perp, spot : Fee
        By volume, stake and maker share, before the referral discount and what depends on the market: the exchange's
        ``userCrossRate`` and its fellows.
    referral_discount : float
        In force now; a fraction of what is paid, below 1.

    Examples
    --------
    >>> FeeSchedule.base().fee("perp").taker_bps, FeeSchedule.base().fee("builder").taker_bps
    (4.5, 9.0)
    """

    perp: Fee
    spot: Fee
    referral_discount: float = 0.0

    def __post_init__(self) -> None:
        check_number("referral_discount", self.referral_discount, low=0, high=1, high_open=True)

    @classmethod
    def base(cls) -> "FeeSchedule":
        """Return what an account pays that has no volume, stake or referral."""
        return cls.of_account()

    @classmethod
    def of_account(
        cls,
        *,
        perp_volume_usd: float = 0.0,
        spot_volume_usd: float = 0.0,
        staked_hype: float = 0.0,
        maker_share: float = 0.0,
        referred: bool = False,
    ) -> "FeeSchedule":
        """Return what follows from the published tables.

        Parameters
        ----------
        perp_volume_usd, spot_volume_usd : float
            Of the last 14 days; spot counts twice. A tier begins above its volume, not at it.
        staked_hype : float
            Its discount is taken off fees, not off rebates.
        maker_share : float
            Share of the exchange's maker volume of 14 days, for the rebates.
        referred : bool
            Whether the referral discount is in force: the first 25 million USD of an account that was referred.

        Raises
        ------
        InputError
            For a negative amount or a share above 1.
        """
        check_number("perp_volume_usd", perp_volume_usd, low=0, high=1e15)
        check_number("spot_volume_usd", spot_volume_usd, low=0, high=1e15)
        check_number("staked_hype", staked_hype, low=0, high=1e9)
        check_number("maker_share", maker_share, low=0, high=1)
        _, perp, spot = _tier(VOLUME_TIERS_BPS, perp_volume_usd + 2 * spot_volume_usd)
        _, discount = _tier(STAKING_DISCOUNTS, staked_hype)
        rebate = _tier(((0.0, None), *MAKER_REBATES_BPS), maker_share)[1]
        return cls(
            perp=_staked(perp, discount, rebate),
            spot=_staked(spot, discount, rebate),
            referral_discount=REFERRAL_DISCOUNT if referred else 0.0,
        )

    @classmethod
    def from_user_fees(cls, fees: "UserFees | Mapping[str, Any]") -> "FeeSchedule":
        """Return what the exchange says that an account pays.

        Parameters
        ----------
        fees : UserFees or mapping
            As `HyperliquidClient.user_fees` returns it, or the ``userFees`` answer itself.

        Raises
        ------
        InputError
            For a fee above 100 bps either way, or a referral discount of 1 or more.
        MalformedPayload
            If a field of the answer is missing or unfit.
        """
        if isinstance(fees, Mapping):
            from hlpairs_core.exchange.accounts import parse_user_fees

            fees = parse_user_fees("userFees", fees)
        rates = fees.rates
        return cls(
            perp=Fee(taker_bps=1e4 * rates.taker, maker_bps=1e4 * rates.maker),
            spot=Fee(taker_bps=1e4 * rates.spot_taker, maker_bps=1e4 * rates.spot_maker),
            referral_discount=fees.referral_discount,
        )

    def fee(
        self,
        kind: LegKind = "perp",
        *,
        builder_fee_scale: float = 1.0,
        growth_mode: bool = False,
        aligned_quote: bool = False,
        stable_pair: bool = False,
    ) -> Fee:
        """Return the fee of a fill on one kind of market, by the exchange's published formula.

        Parameters
        ----------
        kind : {"perp", "spot", "builder"}
            A perpetual of the exchange, spot, or a perpetual of a builder's dex.
        builder_fee_scale : float
            The dex's ``deployerFeeScale`` (`PerpDex.fee_scale`), read for a builder's perpetual only. Below 1 fees
            are ``1 + scale`` times the exchange's, from 1 on ``2 × scale`` times.
        growth_mode : bool
            Whether a builder's perpetual is in growth mode (`Asset.growth_mode` is ``"enabled"``): a tenth.
        aligned_quote : bool
            Whether the quote or collateral is an aligned one: of the exchange's share the taker pays 0.8 and the
            maker receives 1.5 times the rebate.
        stable_pair : bool
            Whether a spot pair is of two quote tokens: a fifth.

        Raises
        ------
        InputError
            For another kind, a scale out of bounds, or a property that this kind of market does not have.
        """
        check_choice("kind", kind, ("perp", "spot", "builder"))
        if (growth_mode and kind != "builder") or (stable_pair and kind != "spot"):
            said, meant = ("growth_mode", "builder") if growth_mode and kind != "builder" else ("stable_pair", "spot")
            raise InputError(f"{said} is True for the kind {kind!r}: only {meant!r} has it")
        check_number("builder_fee_scale", builder_fee_scale, low=0, high=_LARGEST_SCALE)
        builder = builder_fee_scale if kind == "builder" else 0.0
        own = self.spot if kind == "spot" else self.perp
        share = builder / (1 + builder) if builder < 1 else 0.5
        less = (_STABLE_PAIR if stable_pair else 1.0) * (_GROWTH if growth_mode else 1.0)
        paid = less * (1 + builder if builder < 1 else 2 * builder) * (1 - self.referral_discount)
        taker = _ALIGNED_TAKER + (1 - _ALIGNED_TAKER) * share if aligned_quote else 1.0
        rebate = _ALIGNED_REBATE + (1 - _ALIGNED_REBATE) * share if aligned_quote else 1.0
        maker_bps = own.maker_bps * (paid if own.maker_bps > 0 else less * rebate)
        return Fee(taker_bps=own.taker_bps * paid * taker, maker_bps=maker_bps)


def _tier(table: Sequence[tuple[Any, ...]], amount: float) -> tuple[Any, ...]:
    """Return the last row whose bound is exceeded; the first one without an amount."""
    return [row for row in table if amount > row[0] or row[0] == 0][-1]


def _staked(fees: tuple[float, float], discount: float, rebate: float | None) -> Fee:
    taker, maker = ((1 - discount) * fee for fee in fees)
    return Fee(taker_bps=taker, maker_bps=maker if rebate is None else rebate)
