from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from hlpairs_core._typing import BoolArray, DependenceMethod, FloatArray
from hlpairs_core.exceptions import InputError
from hlpairs_core.stats._inputs import read_table

__all__ = ["dependence"]

# Rows of signs per product: their sums stay far below 2 ** 24, where float32 stops counting exactly.
_SIGN_ROWS = 8192


def dependence(returns: pd.DataFrame | ArrayLike, *, method: DependenceMethod) -> FloatArray:
    """Measure how every two series move together.

    Parameters
    ----------
    returns : DataFrame or array_like, shape (T, n)
        One column per series. Returns, not prices: levels of unrelated random walks look dependent.
    method : {"pearson", "spearman", "kendall"}
        * "pearson": linear correlation.
        * "spearman": Pearson correlation of the average ranks.
        * "kendall": tau-b, exact with ties.

    Returns
    -------
    ndarray, shape (n, n)
        Symmetric, in [-1, 1], with ones on the diagonal. The row and column of a constant series are NaN.

    Raises
    ------
    InputError
        If a value is missing or infinite (the message names the column), there are fewer than two rows, or
        the method is unknown. Gaps are refused rather than filled: a filled return is a made-up one.

    Notes
    -----
    Kendall's tau-b is ``S_ij / sqrt(S_ii S_jj)`` with ``S = sum over all s < t of sgn(r_t - r_s)
    sgn(r_t - r_s)'``: a product of the sign matrix with itself, counted exactly, a block of rows at a time.
    M. G. Kendall, "The Treatment of Ties in Ranking Problems", *Biometrika* 33 (1945), 239-251.
    """
    table = read_table(returns, "returns")
    values = table.values
    _refuse_gaps(values, table.labels)
    if len(values) < 2:
        raise InputError(f"returns must have at least two rows, got {len(values)}")
    try:
        products = _PRODUCTS[method](values)
    except KeyError:
        known = ", ".join(map(repr, _PRODUCTS))
        raise InputError(f"method must be one of {known}, got {method!r}") from None
    return _normalised(products, constant=values.max(axis=0) == values.min(axis=0))


def _refuse_gaps(values: FloatArray, labels: Sequence[Hashable]) -> None:
    bad = (~np.isfinite(values)).sum(axis=0)
    if bad.any():
        column = int(np.argmax(bad > 0))
        raise InputError(
            f"returns has {bad[column]} missing or infinite values in column {labels[column]!r}: "
            "drop the column or the rows"
        )


def _centred_products(values: FloatArray) -> FloatArray:
    size = np.abs(values).max(axis=0)
    scaled = values / np.where(size > 0.0, size, 1.0)
    centred = scaled - scaled.mean(axis=0)
    centred -= centred.mean(axis=0)
    products: FloatArray = centred.T @ centred
    return products


def _rank_products(values: FloatArray) -> FloatArray:
    return _centred_products(rankdata(values, axis=0))


def _sign_products(values: FloatArray) -> FloatArray:
    # Dense ranks are whole numbers, so clipping their differences to [-1, 1] gives the signs.
    ranks = np.ascontiguousarray(rankdata(values, method="dense", axis=0), dtype=np.float32)
    n_rows, n_series = ranks.shape
    total = np.zeros((n_series, n_series))
    buffer = np.empty((_SIGN_ROWS + n_rows, n_series), dtype=np.float32)
    filled = 0
    for distance in range(1, n_rows):
        block = buffer[filled : filled + n_rows - distance]
        np.subtract(ranks[distance:], ranks[:-distance], out=block)
        filled += len(block)
        if filled >= _SIGN_ROWS or distance == n_rows - 1:
            total += _product_of_signs(buffer[:filled])
            filled = 0
    return total


def _product_of_signs(differences: NDArray[np.float32]) -> FloatArray:
    signs = np.clip(differences, -1.0, 1.0, out=differences)
    return (signs.T @ signs).astype(np.float64)


_PRODUCTS: dict[str, Callable[[FloatArray], FloatArray]] = {
    "pearson": _centred_products,
    "spearman": _rank_products,
    "kendall": _sign_products,
}


def _normalised(products: FloatArray, *, constant: BoolArray) -> FloatArray:
    scale = np.sqrt(np.diag(products))
    constant = constant | (scale == 0.0)
    scale[constant] = np.nan
    measure: FloatArray = np.clip(products / np.outer(scale, scale), -1.0, 1.0)
    np.fill_diagonal(measure, np.where(constant, np.nan, 1.0))
    return measure
