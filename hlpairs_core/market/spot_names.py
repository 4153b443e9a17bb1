"""Which spot token is which perpetual's coin: by a table, since names prove nothing.

Anybody can deploy a spot token called "BTC": the exchange's ``PUMP/USDC`` is a token that has nothing to do with the
perpetual ``PUMP``, whose coin trades as ``UPUMP``. A token's id is given once and belongs to it alone, so ids are
compared, and a token that is not in the table is matched with nothing, whatever it is called.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from hlpairs_core.exchange.payloads import is_perp_name
from hlpairs_core.exchange.spot import SpotMeta

__all__ = ["KNOWN_SPOT", "USDC_ID", "KnownSpot", "SpotMatch", "match_recorded", "match_spot", "perp_rows"]

USDC_ID = "0x6d1e7cde53ba9467b783cb7c530ce054"
"""Token that matched pairs are priced in, as perpetuals are."""

_EXCHANGE = "the exchange's own token: spotMeta, and its documentation of asset ids"
_UNIT = "Unit, docs.hyperunit.xyz, token metadata (mainnet): name; ids as there or in two public lists that agree"
_LISTS = "a coin that Unit bridges by its full name in spotMeta; id in two public lists that agree"


@dataclass(frozen=True, kw_only=True)
class KnownSpot:
    """A spot token of which it is known what it is.

    Attributes
    ----------
    token : str
        Name as the exchange has it.
    token_id : str
        Hexadecimal, on mainnet.
    perp : str
        Perpetual of the same coin.
    per_perp : float
        Spot tokens in one unit of the perpetual: 1,000 where the perpetual's name begins with k.
    source : str
        Where that is said.
    """

    token: str
    token_id: str
    perp: str
    per_perp: float = 1.0
    source: str


def _known(token: str, perp: str, token_id: str, source: str, per_perp: float = 1.0) -> KnownSpot:
    return KnownSpot(token=token, token_id=token_id, perp=perp, per_perp=per_perp, source=source)


KNOWN_SPOT = (
    _known("HYPE", "HYPE", "0x0d01dc56dcaaca66ad901c959b4011ec", _EXCHANGE),
    _known("PURR", "PURR", "0xc1fb593aeffbeb02f85e0308e9956a90", _EXCHANGE),
    _known("UBTC", "BTC", "0x8f254b963e8468305d409b33aa137c67", _UNIT),
    _known("UETH", "ETH", "0xe1edd30daaf5caac3fe63569e24748da", _UNIT),
    _known("USOL", "SOL", "0x49b67c39f5566535de22b29b0e51e685", _UNIT),
    _known("UFART", "FARTCOIN", "0x7650808198966e4285687d3deb556ccc", _UNIT),
    _known("UPUMP", "PUMP", "0x544e60f98a36d7b22c0fb5824b84f795", _UNIT),
    _known("UBONK", "kBONK", "0xb113d34e351cf195733c98442530c099", _UNIT, 1000.0),
    _known("UUUSPX", "SPX", "0x2ff71b802a6788a052c7f1a58ec863af", _UNIT),
    _known("UXPL", "XPL", "0x2c54c60600e1d786b2dfc139a38a5a99", _LISTS),
    _known("UENA", "ENA", "0x593494b6af79172fa983a0cf1c88e0e0", _LISTS),
    _known("UZEC", "ZEC", "0x1c994ad3381d31c86c8c2d74ed89a365", _LISTS),
    _known("UAVAX", "AVAX", "0x730fc3855fb77d2aa5a19dd7891dbe80", _LISTS),
    _known("UDZ", "2Z", "0x9cd8fd4cae61e63a10ba7615780ee520", _LISTS),
)
"""Tokens of mainnet with a source for both the name and the id; UMON, UVIRT and others without one are left out."""


@dataclass(frozen=True, kw_only=True)
class SpotMatch:
    """A spot pair and the perpetual of the same coin.

    Attributes
    ----------
    coin : str
        Spot pair on the wire, such as ``@107`` or ``PURR/USDC``; priced in USDC.
    token : str
        Its base token, such as ``UBTC``.
    perp : str
        Perpetual.
    per_perp : float
        Spot tokens in one unit of the perpetual.
    """

    coin: str
    token: str
    perp: str
    per_perp: float = 1.0


def match_spot(
    meta: SpotMeta, perps: Iterable[str], *, known: Iterable[KnownSpot] = KNOWN_SPOT
) -> tuple[SpotMatch, ...]:
    """Match spot pairs with perpetuals.

    Parameters
    ----------
    meta : SpotMeta
        Of the exchange.
    perps : iterable of str
        Perpetuals that trade.
    known : iterable of KnownSpot
        What is matched; the ids of another network differ.

    Returns
    -------
    tuple of SpotMatch
        In the exchange's order of pairs: those whose base token is known by its id, whose quote is USDC (by its id as
        well), and whose perpetual trades.
    """
    trading, table = set(perps), {one.token_id: one for one in known}
    found = []
    for pair in meta.pairs:
        one = table.get(pair.base.token_id.lower())
        if one is not None and one.perp in trading and pair.quote.token_id.lower() == USDC_ID:
            found.append(SpotMatch(coin=pair.coin, token=one.token, perp=one.perp, per_perp=one.per_perp))
    return tuple(found)


def match_recorded(tokens: Iterable[str], perps: Iterable[str]) -> tuple[SpotMatch, ...]:
    """Match the tokens of recorded candles, which have names and no ids: whoever recorded them vouches for those.

    Parameters
    ----------
    tokens : iterable of str
        Names as the exchange has them, such as ``UBTC``.
    perps : iterable of str
        Recorded perpetuals.

    Returns
    -------
    tuple of SpotMatch
        By token; ``coin`` is the token's name and ``/USDC``, so that it is no perpetual's. Unknown tokens and those
        without a perpetual are left out.
    """
    recorded, trading = set(tokens), set(perps)
    return tuple(
        SpotMatch(coin=f"{one.token}/USDC", token=one.token, perp=one.perp, per_perp=one.per_perp)
        for one in sorted(KNOWN_SPOT, key=lambda one: one.token)
        if one.token in recorded and one.perp in trading
    )


def perp_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of perpetuals: a store keeps spot pairs beside them, and only names tell which is which.

    Parameters
    ----------
    table : DataFrame
        With a column ``coin``: names on the wire, text or categorical.

    Returns
    -------
    DataFrame
        Without the rows of spot pairs (``@107``, ``PURR/USDC``) and of builder-deployed perpetuals (``xyz:TSLA``),
        which are no part of the main universe; of their names no category is left.
    """
    coin = table["coin"].astype("category").cat.remove_unused_categories()
    perps = [name for name in coin.cat.categories if is_perp_name(str(name))]
    if len(perps) == len(coin.cat.categories):
        return table
    kept = table[coin.isin(perps)]
    if isinstance(kept["coin"].dtype, pd.CategoricalDtype):
        kept = kept.assign(coin=kept["coin"].cat.remove_unused_categories())
    return kept.reset_index(drop=True)
