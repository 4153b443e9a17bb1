"""How large a trade may be before slippage takes its expected edge."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from hlpairs_core._typing import BoolArray, FloatArray
from hlpairs_core.costs.book import book_depth_usd, slippage_bps
from hlpairs_core.costs.break_even import Candidates, column_of, fixed_cost_bps
from hlpairs_core.costs.checks import check_number
from hlpairs_core.costs.model import MINIMUM_ORDER_USD, CostModel

if TYPE_CHECKING:
    from hlpairs_core.exchange import OrderBook

__all__ = ["largest_size_in_books", "largest_size_with_edge"]

_SIZES = 400
_HALVINGS = 50


def largest_size_with_edge(
    candidates: Candidates,
    *,
    day_notional_usd: tuple[ArrayLike, ArrayLike],
    day_volatility_bps: tuple[ArrayLike, ArrayLike],
    costs: CostModel,
    gas_usd: float = 0.0,
    flash_loan_bps: float = 0.0,
) -> FloatArray:
    """Return the gross notional up to which the expected net edge is above 0, under the square-root law.

    Parameters
    ----------
    candidates : Candidate or DataFrame
        One candidate, or rows with the columns of `ScreenResult.candidates`. Its own slippage is not read.
    day_notional_usd, day_volatility_bps : pair of array_like
        Of y and of x, as `square_root_slippage_bps` takes them; one value or one a row.
    costs : CostModel
        Half spread, coefficient and multiple of the slippage.
    gas_usd, flash_loan_bps : float
        Paid once a round trip (USD); in bps of gross notional.

    Returns
    -------
    ndarray, shape () or (n_pairs,)
        USD, both legs together. 0 where no size has an edge, or where a leg of it would be below the exchange's least
        order; infinite where nothing grows with the size; NaN where something is unknown. Caps on the share of volume
        or of a book are not part of it.

    Raises
    ------
    InputError
        For a negative gas or premium.

    Notes
    -----
    ``a - B √Q - 1e4 gas / Q = 0`` with a the edge before what depends on the size, solved as a cubic in √Q; without gas
    ``Q = (a / B)²``.
    """
    check_number("gas_usd", gas_usd, low=0, high=1e9)
    weights = _weights(candidates)
    multiple = 2 * costs.slippage_multiple
    fixed = fixed_cost_bps(candidates, flash_loan_bps=flash_loan_bps) + multiple * costs.half_spread_bps
    edge = column_of(candidates, "gross_bps") - fixed
    root = np.zeros_like(edge)
    for weight, volume, sigma in zip(weights, day_notional_usd, day_volatility_bps, strict=True):
        traded = np.where(np.asarray(volume) > 0, volume, np.nan)
        root = root + multiple * costs.impact_coefficient * weight**1.5 * np.asarray(sigma) / np.sqrt(traded)
    return _orderable(_largest_root(edge, root, 1e4 * gas_usd), weights)


def largest_size_in_books(
    candidate: Candidates,
    *,
    books: tuple["OrderBook", "OrderBook"],
    costs: CostModel,
    gas_usd: float = 0.0,
    flash_loan_bps: float = 0.0,
) -> float:
    """Return the gross notional up to which the expected net edge is above 0, walking the books of both legs.

    Parameters
    ----------
    candidate : Candidate or mapping
        One candidate, or ``beta, gross_bps, fee_bps, funding_bps`` of one. Its own slippage is not read.
    books : pair of OrderBook
        Of y and of x. Each side is walked once, as in the screen: what opens a leg takes one side, what closes it the
        other.
    costs : CostModel
        Multiple of the slippage.
    gas_usd, flash_loan_bps : float
        As in `largest_size_with_edge`.

    Returns
    -------
    float
        USD, both legs together; at most what both books hold on both sides. 0 where no size that the exchange takes has
        an edge; NaN where the edge is unknown.

    Raises
    ------
    InputError
        For a negative gas or premium, or a broken book.
    """
    check_number("gas_usd", gas_usd, low=0, high=1e9)
    weights = [float(weight) for weight in _weights(candidate)]
    edge = float(column_of(candidate, "gross_bps") - fixed_cost_bps(candidate, flash_loan_bps=flash_loan_bps))
    legs = [(weight, book) for weight, book in zip(weights, books, strict=True) if weight > 0]
    least = max(MINIMUM_ORDER_USD / weight for weight, _ in legs)
    most = min(book_depth_usd(side) / weight for weight, book in legs for side in (book.bids, book.asks))
    if np.isnan(edge) or most < least:
        return float(np.nan) if np.isnan(edge) else 0.0

    def has_edge(size: FloatArray) -> BoolArray:
        slippage = sum(weight * _round_trip_bps(book, weight * size) for weight, book in legs)
        return np.asarray(edge - costs.slippage_multiple * slippage - 1e4 * gas_usd / size > 0)

    # Rounding may put the very last dollar beyond the last level.
    sizes = np.geomspace(least, max(least, most * (1 - 1e-12)), _SIZES)
    good = np.flatnonzero(has_edge(sizes))
    if not len(good) or good[-1] == _SIZES - 1:
        return float(sizes[-1]) if len(good) else 0.0
    low, high = sizes[good[-1]], sizes[good[-1] + 1]
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if has_edge(np.array([middle]))[0] else (low, middle)
    return float(low)


def _round_trip_bps(book: "OrderBook", notional: FloatArray) -> FloatArray:
    buy = slippage_bps(book.asks, notional, mid=book.mid, action="buy")
    return buy + slippage_bps(book.bids, notional, mid=book.mid, action="sell")


def _weights(candidates: Candidates) -> tuple[FloatArray, FloatArray]:
    size = np.abs(column_of(candidates, "beta"))
    return 1 / (1 + size), size / (1 + size)


def _largest_root(edge: FloatArray, root: FloatArray, gas: float) -> FloatArray:
    """Return the largest Q with ``edge - root √Q - gas / Q = 0``; 0 where it is below 0 for every Q."""
    with np.errstate(divide="ignore", invalid="ignore"):
        third = edge / (3 * root)
        cosine = 1 - gas / (2 * root * third**3)
        solved = (third * (1 + 2 * np.cos(np.arccos(np.clip(cosine, -1, 1)) / 3))) ** 2
    size = np.where(root > 0, np.where(cosine >= -1, solved, 0.0), np.inf)
    known = np.isfinite(edge) & np.isfinite(root)
    return np.asarray(np.where(known, np.where(edge > 0, size, 0.0), np.nan))


def _orderable(size: FloatArray, weights: tuple[FloatArray, FloatArray]) -> FloatArray:
    """A size of which a leg is below the least order is none; a leg of no weight is no order."""
    smaller = np.minimum(*(np.where(weight > 0, weight, np.inf) for weight in weights))
    return np.asarray(np.where(size * smaller < MINIMUM_ORDER_USD, 0.0, size))
