"""Builders' dexs: perps that others than the exchange list, and what is particular about their fees and funding."""

from dataclasses import dataclass

from hlpairs_core.exceptions import MalformedPayload
from hlpairs_core.exchange.fields import Record, as_decimal, as_list, is_coin_name

__all__ = ["PerpDex", "parse_perp_dexs"]

_FIRST_ID = 100_000
_IDS_EACH = 10_000


@dataclass(frozen=True)
class PerpDex:
    """One builder's dex, as the exchange describes it.

    Attributes
    ----------
    name : str
        What its coins begin with: ``xyz`` lists ``xyz:TSLA``.
    full_name : str
        For people.
    index : int
        Position among the dexs, from 1; the main one is 0.
    deployer, fee_recipient : str or None
        Addresses of accounts.
    fee_scale : float
        The deployer's, from which follows what is added to the exchange's fees.
    funding_multipliers : dict of str to float
        By coin; one that is not there has 1.
    funding_interest_rates : dict of str to float
        By coin, as sent; one that is not there has the exchange's.
    open_interest_caps : dict of str to float
        By coin (USD).
    """

    name: str
    full_name: str
    index: int
    deployer: str | None
    fee_recipient: str | None
    fee_scale: float
    funding_multipliers: dict[str, float]
    funding_interest_rates: dict[str, float]
    open_interest_caps: dict[str, float]

    @property
    def first_id(self) -> int:
        """Asset id of its first coin."""
        return _FIRST_ID + _IDS_EACH * self.index


def parse_perp_dexs(request: str, value: object) -> tuple[PerpDex, ...]:
    """Read a ``perpDexs`` answer: all but the main dex, which comes first and as null.

    Raises
    ------
    MalformedPayload
        If a field is missing or unfit, two dexs have one name, or the first entry is not null.
    """
    entries = as_list(request, "the top", value)
    if entries[:1] != [None]:
        raise MalformedPayload(request, "[0]", "expected null, the main dex: asset ids are counted from it")
    dexs: dict[str, PerpDex] = {}
    for index, entry in enumerate(entries):
        if entry is not None:
            record = Record(request, f"[{index}]", entry)
            dex = _dex(record, index)
            if dex.name in dexs:
                raise record.refuse("name", f"{dex.name!r} is listed twice")
            dexs[dex.name] = dex
    return tuple(dexs.values())


def _dex(entry: Record, index: int) -> PerpDex:
    name = entry.coin("name")
    if ":" in name:
        raise entry.refuse("name", f"expected no colon, got {name!r}")
    return PerpDex(
        name=name,
        full_name=entry.word("fullName"),
        index=index,
        deployer=entry.address("deployer"),
        fee_recipient=entry.address("feeRecipient"),
        fee_scale=entry.decimal("deployerFeeScale", "non-negative"),
        funding_multipliers=_by_coin(entry, "assetToFundingMultiplier"),
        funding_interest_rates=_by_coin(entry, "assetToFundingInterestRate"),
        open_interest_caps=_by_coin(entry, "assetToStreamingOiCap"),
    )


def _by_coin(entry: Record, key: str) -> dict[str, float]:
    path = entry.path_of(key)
    numbers: dict[str, float] = {}
    for position, pair in enumerate(as_list(entry.request, path, entry.raw_or(key, []))):
        coin, number = as_list(entry.request, f"{path}[{position}]", pair, length=2)
        if not isinstance(coin, str) or not is_coin_name(coin) or coin in numbers:
            raise MalformedPayload(
                entry.request, f"{path}[{position}][0]", f"no name of a coin, or twice: {coin!r:.80}"
            )
        numbers[coin] = as_decimal(entry.request, f"{path}[{position}][1]", number)
    return numbers
