"""Order books as the exchange writes them."""

from typing import Any

from hlpairs_core.simulation.book import LEVELS, BookSide, aggregated, book_side
from hlpairs_core.simulation.view import MarketView
from hlpairs_core.simulation.wire import number, numbers

__all__ = ["l2_book"]


def l2_book(view: MarketView, coin: int, *, figures: int | None = None, mantissa: int | None = None) -> dict[str, Any]:
    """Return the answer to ``l2Book``: at most 20 levels a side, best first.

    Parameters
    ----------
    view : MarketView
        The market at a moment.
    coin : int
        Number of the coin.
    figures : int, optional
        Merge levels to so many significant figures; the true spread is then told beside them.
    mantissa : int, optional
        Steps of the last figure; 1 by default.
    """
    book: dict[str, Any] = {"coin": view.market.coins[coin].name, "time": view.time_ms}
    bids, asks = (book_side(view, coin, asks=side) for side in (False, True))
    if figures is None:
        return book | {"levels": [_levels(bids), _levels(asks)]}
    traded = view.market.coins[coin]
    steps: dict[str, int] = {"size_decimals": traded.size_decimals, "price_decimals": traded.price_decimals}
    book["levels"] = [
        _levels(aggregated(side, asks=which, figures=figures, mantissa=mantissa or 1, **steps))
        for which, side in ((False, bids), (True, asks))
    ]
    if len(bids.price) and len(asks.price):
        book["spread"] = number(round(float(asks.price[0] - bids.price[0]), 10))
    return book


def _levels(side: BookSide) -> list[dict[str, Any]]:
    columns = zip(numbers(side.price[:LEVELS]), numbers(side.size[:LEVELS]), side.orders[:LEVELS].tolist(), strict=True)
    return [{"px": price, "sz": size, "n": orders} for price, size, orders in columns]
