"""Orders larger than the visible levels: coarser books reach further, and price them from above."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from numpy.typing import ArrayLike

from hlpairs_core.costs.book import book_depth_usd, slippage_bps
from hlpairs_core.exceptions import InputError

__all__ = ["DeepFill", "deep_slippage_bps", "largest_fill_usd"]

_FINEST = 5


@dataclass(frozen=True)
class DeepFill:
    """What an order costs in the finest book that holds it.

    Attributes
    ----------
    slippage_bps : float
        Worse than the mid, half the spread included, in bps of the mid.
    significant_figures : int
        Of the prices of the book that was walked; 5 is the finest.
    is_upper_bound : bool
        Whether the levels are aggregated: the true slippage is at most this.
    """

    slippage_bps: float
    significant_figures: int
    is_upper_bound: bool


def deep_slippage_bps(
    books: Mapping[int, ArrayLike],
    notional_usd: float,
    *,
    mid: float,
    action: Literal["buy", "sell"],
    coin: str = "",
) -> DeepFill:
    """Return what an order costs in the finest of several books that holds the whole of it.

    The exchange shows twenty levels a side. With ``nSigFigs`` 4, 3 or 2 it shows as many of coarser prices, asks
    rounded up and bids rounded down: they hold more, and each order in them is priced at the far end of its level, so a
    walk through them costs at least what the order would. What fits is counted at these prices too.

    Parameters
    ----------
    books : mapping of int to array_like, shape (n_levels, 2)
        By significant figures (5, the full book, to 2): the side that the order takes from, price and size, best
        first. All of one moment.
    notional_usd : float
        Size of the order (USD).
    mid : float
        Of the full book (USD): aggregated levels have none of their own.
    action : {"buy", "sell"}
        What the order does.
    coin : str
        For the message.

    Raises
    ------
    InputError
        If no book holds the order, with the size that would fit; if there is no book, or one of another number of
        figures; as `slippage_bps`.
    """
    _check_figures(books)
    for figures in sorted(books, reverse=True):
        cost = float(slippage_bps(books[figures], notional_usd, mid=mid, action=action))
        if not math.isnan(cost):
            return DeepFill(cost, figures, figures < _FINEST)
    fits = math.floor(largest_fill_usd(books))
    raise InputError(
        f"the book{f' of {coin}' if coin else ''} holds {fits:,} USD to {action}, down to {min(books)} significant "
        f"figures, and the order is {notional_usd:,.0f} USD: trade at most {fits:,} USD"
    )


def largest_fill_usd(books: Mapping[int, ArrayLike]) -> float:
    """Return the largest order (USD) that one of several books of a side holds; see `deep_slippage_bps`."""
    _check_figures(books)
    return max(book_depth_usd(levels) for levels in books.values())


def _check_figures(books: Mapping[int, ArrayLike]) -> None:
    if not books or not set(books) <= {2, 3, 4, _FINEST}:
        raise InputError(
            f"books by significant figures are {sorted(books)}: give one or more of 5 (the full book) to 2"
        )
