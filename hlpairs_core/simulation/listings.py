"""The coins of a synthetic market and their lives."""

from dataclasses import dataclass, replace

from hlpairs_core.simulation.coin_table import COIN_TABLE, TableCoin
from hlpairs_core.simulation.coins import Coin, margin_table_of

__all__ = ["SPOT_LINKS", "Listing", "SpotLink", "listed_coins"]

_DAY = 24
_BACKFILL_HOURS = 800
_FIRST_LATE_DAY, _DAYS_BETWEEN_LATE = 60, 90
_FIRST_DELISTED_DAY, _DAYS_BETWEEN_DELISTED = 200, 90
_COINS_PER_CHANGE = 20
_SMALLEST_KEPT = 3
_STRICT = frozenset({"FRIEND", "HPOS", "MEGA", "NFTI", "OX", "PANDORA", "RLB", "SHIA", "UNIBOT"})

# Recorded: 49 % of hours without a trade at 15,000 USD a day, 0.4 % at 50,000, none to speak of from 130,000 on.
_SILENCE_USD, _SILENCE, _SILENCE_POWER = 5e4, 0.004, 4
_MOST_SILENCE, _LEAST_SILENCE = 0.5, 1e-4

# A price that falls to a hundredth still has ticks of half a percent.
_LEAST_TICKS = 2e4

# name, price, size decimals, leverage, notional of a usual day (USD)
_BUILDERS: tuple[tuple[str, float, int, int, float], ...] = (
    ("sim:GOLD", 4160.0, 3, 20, 8e6),
    ("sim:TSLA", 395.0, 3, 10, 3e6),
    ("sim:NVDA", 182.0, 3, 10, 5e6),
)


@dataclass(frozen=True)
class Listing:
    """A coin and its life on a synthetic exchange; hours count from the market's opening.

    Attributes
    ----------
    coin : Coin
        Its metadata.
    price : float
        Price (USD) at the opening.
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

    @property
    def steady(self) -> bool:
        """Whether it trades every hour of the market's life."""
        return not self.silence and self.first_hour == 0 and self.last_hour is None


@dataclass(frozen=True)
class SpotLink:
    """A spot pair and the perpetual of the same asset.

    Attributes
    ----------
    name : str
        Name of the pair on the wire.
    token : str
        Its base token.
    perp : str
        The perpetual.
    size_decimals : int
        Decimals of a size.
    day_usd : float
        Notional of a usual day (USD).
    silence : float
        Chance of an hour without a trade.
    half_spread_bps : float
        Half its bid-ask spread; its last trade of an hour lies anywhere within it.
    """

    name: str
    token: str
    perp: str
    size_decimals: int
    day_usd: float
    silence: float
    half_spread_bps: float


SPOT_LINKS: tuple[SpotLink, ...] = (
    SpotLink("PURR/USDC", "PURR", "PURR", 0, 3.4e6, 0.0, 50.0),
    SpotLink("@107", "HYPE", "HYPE", 2, 1.2e8, 0.0, 12.0),
    SpotLink("@142", "UBTC", "BTC", 5, 2.5e7, 0.0, 4.0),
    SpotLink("@151", "UETH", "ETH", 4, 9e6, 0.0, 6.0),
    SpotLink("@156", "USOL", "SOL", 3, 3e4, 0.12, 30.0),
    SpotLink("@162", "UFART", "FARTCOIN", 1, 8.2e3, 0.23, 60.0),
)
"""Volume, silence and spread as recorded in 2024-25; the sizes' decimals and the last three indexes are made up."""


def listed_coins(n_coins: int) -> tuple[Listing, ...]:
    """Return a market's listings: `n_coins` perpetuals in the order of their asset ids, builders' ones, spot pairs.

    Of twenty perpetuals or more one in twenty, the last ones, is listed late, and as many are delisted. A spot pair
    is there when its perpetual is.
    """
    perps = [_listing(number) for number in range(n_coins)]
    changing = n_coins // _COINS_PER_CHANGE
    perps[n_coins - changing :] = [_late(listing, k) for k, listing in enumerate(perps[n_coins - changing :])]
    for k, number in enumerate(_to_delist(perps, changing)):
        last_day = _FIRST_DELISTED_DAY + k * _DAYS_BETWEEN_DELISTED
        perps[number] = replace(perps[number], last_hour=last_day * _DAY)
    prices = {listing.coin.name: listing.price for listing in perps}
    spots = [_spot(link, prices[link.perp]) for link in SPOT_LINKS if link.perp in prices]
    return (*perps, *(_builder(*entry) for entry in _BUILDERS), *spots)


def _listing(number: int) -> Listing:
    entry = COIN_TABLE[number] if number < len(COIN_TABLE) else _made_up(number)
    decimals, name = entry.size_decimals, entry.name
    mode = {"only_isolated": True, "margin_mode": "strictIsolated"} if name in _STRICT else {}
    coin = Coin(name, decimals, entry.max_leverage, entry.margin_table, **mode)  # type: ignore[arg-type]
    price = entry.price
    while price * 10.0**coin.price_decimals < _LEAST_TICKS:
        price *= 10
    return Listing(coin, price, entry.day_usd, _silence(entry.day_usd))


def _made_up(number: int) -> TableCoin:
    price, day_usd = 0.05 * 1.7 ** (number % 10), 1e5 * 1.5 ** (number % 7)
    return TableCoin(f"SIM{number}", price, 1, 3, margin_table_of(3), day_usd)


def _silence(day_usd: float) -> float:
    chance = min(_MOST_SILENCE, _SILENCE * (_SILENCE_USD / day_usd) ** _SILENCE_POWER)
    return chance if chance >= _LEAST_SILENCE else 0.0


def _late(listing: Listing, number: int) -> Listing:
    hour = (_FIRST_LATE_DAY + number * _DAYS_BETWEEN_LATE) * _DAY
    return replace(listing, first_hour=hour - _BACKFILL_HOURS, listed_hour=hour)


def _to_delist(perps: list[Listing], count: int) -> list[int]:
    """Numbers of coins of small volume; the smallest and every second one stay, so that there are illiquid ones."""
    linked = {link.perp for link in SPOT_LINKS}
    small = sorted(
        (item.day_usd, number)
        for number, item in enumerate(perps)
        if item.first_hour == 0 and item.coin.name not in linked
    )
    return [number for _, number in small[_SMALLEST_KEPT::2]][:count]


def _builder(name: str, price: float, decimals: int, leverage: int, day_usd: float) -> Listing:
    return Listing(Coin(name, decimals, leverage, margin_table_of(leverage), kind="builder"), price, day_usd)


def _spot(link: SpotLink, price: float) -> Listing:
    coin = Coin(link.name, link.size_decimals, 1, 0, kind="spot", token=link.token)
    return Listing(coin, price, link.day_usd, link.silence)
