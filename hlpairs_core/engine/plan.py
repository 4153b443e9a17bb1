"""Which subscriptions the feed should have: the most telling ones, within what the exchange allows."""

from collections.abc import Sequence

from hlpairs_core.exchange.events import Subscription

__all__ = ["SUBSCRIPTIONS_AT_MOST", "plan_subscriptions"]

SUBSCRIPTIONS_AT_MOST = 1000


def plan_subscriptions(
    coins: Sequence[str],
    *,
    interval: str,
    shortlist: Sequence[str] = (),
    all_books: bool = False,
    room: int = SUBSCRIPTIONS_AT_MOST,
) -> list[Subscription]:
    """Return what to subscribe to, in order.

    Where there is not room for all, prices and candles of all coins come before trades, and the books of the best
    pairs before those of others.

    Parameters
    ----------
    coins : sequence of str
        Those that trade, most liquid first.
    interval : str
        Of the candles.
    shortlist : sequence of str
        Coins whose books price the best pairs.
    all_books : bool
        Whether the books of the other coins are wanted too, as far as there is room.
    room : int
        How many subscriptions the exchange allows.
    """
    listed = frozenset(coins)
    chosen = [coin for coin in dict.fromkeys(shortlist) if coin in listed]
    others = [coin for coin in coins if coin not in chosen] if all_books else []
    wanted = [
        Subscription("allMids"),
        *(one for coin in coins for one in (Subscription("candle", coin, interval), Subscription("bbo", coin))),
        *(Subscription("l2Book", coin) for coin in chosen),
        *(Subscription("activeAssetCtx", coin) for coin in coins),
        *(Subscription("trades", coin) for coin in coins),
        *(Subscription("l2Book", coin) for coin in others),
    ]
    # Trades first: when a connection was replaced, what it lost of them is known before anything else is heard.
    return sorted(wanted[:room], key=lambda one: one.channel != "trades")
