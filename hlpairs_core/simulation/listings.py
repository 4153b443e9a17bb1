"""The coins of a synthetic market: names and sizes of real ones, so that a screen of them looks familiar."""

from dataclasses import dataclass

from hlpairs_core.simulation.coins import Coin, margin_table_of

__all__ = ["Listing", "listed_coins"]

_DAY = 24
_BACKFILL_HOURS = 800
_FIRST_LATE_DAY = 60
_DAYS_BETWEEN_LATE = 90
_DELISTED_DAY = 200
_SILENT_BELOW_USD = 2e5
_SMALLEST_WITH_CHANGES = 20

# name, price, size decimals, leverage, margin table, notional of a usual day (USD)
_KNOWN: tuple[tuple[str, float, int, int, int, float], ...] = (
    ("BTC", 70736, 5, 40, 56, 3.6e9),
    ("ETH", 2058.8, 4, 25, 55, 9.5e8),
    ("SOL", 86.749, 2, 20, 54, 2.5e8),
    ("AVAX", 9.4361, 2, 10, 52, 5.4e6),
    ("BNB", 646.41, 3, 10, 51, 4.9e6),
    ("LTC", 54.15, 2, 10, 52, 3.6e6),
    ("ARB", 0.09972, 1, 10, 51, 7e6),
    ("DOGE", 0.093347, 0, 10, 52, 7.6e6),
    ("SUI", 0.96187, 1, 10, 52, 2.6e7),
    ("kPEPE", 0.00335, 0, 10, 52, 6.9e6),
    ("CRV", 0.25282, 1, 10, 52, 3.7e6),
    ("LDO", 0.28591, 1, 10, 51, 2.6e6),
    ("LINK", 9.0897, 1, 10, 52, 5.2e6),
    ("XRP", 1.4024, 0, 20, 53, 4.3e7),
    ("BCH", 447.64, 3, 10, 52, 7.5e6),
    ("APT", 0.9698, 2, 10, 52, 1.9e6),
    ("AAVE", 112.02, 2, 10, 52, 8.8e6),
    ("WLD", 0.37246, 1, 10, 52, 2.3e6),
    ("UNI", 3.9595, 1, 10, 52, 2.8e6),
    ("SEI", 0.065055, 0, 10, 51, 2.8e6),
    ("RUNE", 0.4318, 1, 5, 5, 1.3e5),
    ("ZRO", 2.0712, 1, 5, 5, 6.8e6),
    ("DOT", 1.5219, 1, 10, 51, 3.7e6),
    ("KAS", 0.030615, 0, 3, 3, 1.6e5),
    ("BSV", 13.49, 2, 3, 3, 2.5e5),
    ("ADA", 0.26143, 0, 10, 52, 4.1e6),
    ("PENDLE", 1.259, 0, 5, 5, 4e5),
    ("NEAR", 1.2844, 1, 10, 52, 5.6e6),
    ("JUP", 0.17527, 0, 10, 51, 2.2e6),
    ("WIF", 0.17099, 0, 5, 5, 2.6e6),
    ("UMA", 0.42213, 1, 3, 3, 1.2e5),
    ("DYM", 0.03594, 1, 3, 3, 1.1e5),
    ("TAO", 199.4, 3, 5, 5, 1.5e7),
    ("ENA", 0.10358, 0, 10, 52, 4.7e6),
    ("TNSR", 0.04573, 1, 3, 3, 5.4e4),
    ("MERL", 0.036966, 0, 3, 3, 1.9e5),
    ("HBAR", 0.095228, 0, 5, 5, 3.6e5),
    ("REZ", 0.0033, 0, 3, 3, 7.9e4),
    ("GOAT", 0.018531, 0, 3, 3, 6.7e4),
    ("GRASS", 0.34641, 1, 3, 3, 3.3e6),
    ("XLM", 0.15795, 0, 5, 5, 6.9e5),
    ("HYPE", 35.013, 2, 10, 52, 6.5e8),
    ("VIRTUAL", 0.70199, 1, 5, 5, 6.3e6),
    ("PENGU", 0.007183, 0, 5, 5, 1.7e6),
    ("FARTCOIN", 0.15475, 1, 10, 52, 1.4e7),
    ("MORPHO", 1.9738, 1, 5, 5, 2.8e6),
    ("TRUMP", 2.916, 1, 10, 52, 1.1e6),
    ("VVV", 5.4903, 2, 3, 3, 7.8e6),
    ("IP", 0.79424, 1, 3, 3, 5.3e5),
    ("PAXG", 5192.1, 3, 10, 51, 1e7),
    ("WCT", 0.057473, 0, 3, 3, 3.6e4),
    ("RESOLV", 0.1339, 0, 3, 3, 3e6),
    ("PUMP", 0.00205, 0, 10, 52, 8.7e6),
    ("XPL", 0.094582, 0, 10, 51, 4.8e6),
    ("ASTER", 0.70979, 0, 5, 5, 4.9e6),
    ("ZEC", 219.92, 2, 10, 52, 2.9e7),
    ("MON", 0.0215, 0, 5, 5, 2.4e6),
    ("CC", 0.14845, 0, 3, 3, 2.3e6),
    ("LIT", 1.0761, 0, 5, 5, 1.1e7),
    ("XMR", 344.37, 3, 5, 5, 4.1e6),
)


@dataclass(frozen=True)
class Listing:
    """A coin and its life on a synthetic exchange; hours count from the market's opening.

    Attributes
    ----------
    coin : Coin
        Its metadata.
    price : float
        Price (USD) that it reverts to, very slowly.
    day_usd : float
        Notional of a usual day (USD).
    silence : float
        Chance of an hour without a trade.
    first_hour : int
        Its first bar; bars before `listed_hour` are filled in without volume.
    listed_hour : int
        When trading starts.
    last_hour : int or None
        When its data end; None if it is never delisted.
    """

    coin: Coin
    price: float
    day_usd: float
    silence: float = 0.0
    first_hour: int = 0
    listed_hour: int = 0
    last_hour: int | None = None


def listed_coins(n_coins: int) -> tuple[Listing, ...]:
    """Return the first `n_coins` listings; of twenty or more, the last few come late and one ends early."""
    basics = [_basic(number) for number in range(n_coins)]
    if n_coins < _SMALLEST_WITH_CHANGES:
        return tuple(basics)
    n_late = n_coins // 20
    late = [_late(listing, number) for number, listing in enumerate(basics[-n_late:])]
    ending = n_coins // 2
    ended = Listing(basics[ending].coin, basics[ending].price, basics[ending].day_usd, last_hour=_DELISTED_DAY * _DAY)
    return (*basics[:ending], ended, *basics[ending + 1 : n_coins - n_late], *late)


def _basic(number: int) -> Listing:
    if number < len(_KNOWN):
        name, price, decimals, leverage, table, day_usd = _KNOWN[number]
        coin = Coin(name, decimals, leverage, table)
    else:
        price, day_usd = 0.05 * 1.7 ** (number % 10), 1e5 * 1.5 ** (number % 7)
        coin = Coin(f"SIM{number}", 1, 3, margin_table_of(3))
    silence = 0.0 if day_usd >= _SILENT_BELOW_USD else min(0.25, 0.02 * _SILENT_BELOW_USD / day_usd)
    return Listing(coin, price, day_usd, silence)


def _late(listing: Listing, number: int) -> Listing:
    hour = (_FIRST_LATE_DAY + number * _DAYS_BETWEEN_LATE) * _DAY
    return Listing(
        listing.coin,
        listing.price,
        listing.day_usd,
        listing.silence,
        first_hour=hour - _BACKFILL_HOURS,
        listed_hour=hour,
    )
