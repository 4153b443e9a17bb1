from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from hlpairs_core._typing import DependenceMethod, FloatArray
from hlpairs_core.exceptions import InputError
from hlpairs_core.stats._comovement import centred_products, normalised, rank_products, sign_products
from hlpairs_core.stats._inputs import read_table

__all__ = ["dependence"]

_PRODUCTS: dict[str, Callable[[FloatArray], FloatArray]] = {
    "pearson": centred_products,
    "spearman": rank_products,
    "kendall": sign_products,
}


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
    return normalised(products, constant=values.max(axis=0) == values.min(axis=0))


def _refuse_gaps(values: FloatArray, labels: Sequence[Hashable]) -> None:
    bad = (~np.isfinite(values)).sum(axis=0)
    if bad.any():
        column = int(np.argmax(bad > 0))
        raise InputError(
            f"returns has {bad[column]} missing or infinite values in column {labels[column]!r}: "
            "drop the column or the rows"
        )
