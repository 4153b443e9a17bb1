from collections.abc import Iterable

from hlpairs_core.exceptions import UnknownCoin
from hlpairs_core.exchange.client import HyperliquidClient
from hlpairs_core.exchange.payloads import is_perp_name

__all__ = ["CoinCheck"]


class CoinCheck:
    """Knows which coins the exchange lists, and asks when it does not know a name.

    Parameters
    ----------
    client : HyperliquidClient
        Asks: the universe for perps, all mids for spot pairs, the book of each builder-deployed perp.
    """

    def __init__(self, client: HyperliquidClient) -> None:
        self._client = client
        self._perps: frozenset[str] = frozenset()
        self._others: set[str] = set()

    async def check(self, coins: Iterable[str]) -> bool:
        """Check that all coins are listed; return whether the universe changed since it was asked for before.

        Raises
        ------
        UnknownCoin
            If one is not, or not any more.
        """
        unknown = [coin for coin in coins if coin not in self._perps and coin not in self._others]
        has_changed = False
        if any(is_perp_name(coin) for coin in unknown):
            has_changed = await self._ask_perps()
        if any(_is_spot_name(coin) for coin in unknown):
            self._others |= {coin for coin in await self._client.all_mids() if _is_spot_name(coin)}
        for coin in unknown:
            if ":" in coin:
                await self._client.l2_book(coin)  # raises where it is unknown
                self._others.add(coin)
        missing = [coin for coin in unknown if coin not in self._perps and coin not in self._others]
        if missing:
            named = ", ".join(repr(coin) for coin in missing[:5])
            raise UnknownCoin(
                f"the exchange does not list {named}, or not any more: see universe() for the coins it lists"
            )
        return has_changed

    async def _ask_perps(self) -> bool:
        universe = await self._client.universe()
        before, self._perps = self._perps, frozenset(one.coin for one in universe.assets if not one.is_delisted)
        return bool(before) and before != self._perps


def _is_spot_name(coin: str) -> bool:
    return not is_perp_name(coin) and ":" not in coin
