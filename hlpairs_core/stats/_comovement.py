"""Products that correlations are made of."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from hlpairs_core._typing import BoolArray, FloatArray, IntArray

__all__ = ["centred_products", "centred_ranks", "normalised", "rank_products", "sign_products", "whole_products"]

# Rows of signs per product: their sums stay far below 2 ** 24, where float32 stops counting exactly.
_SIGN_ROWS = 8192


def centred_products(values: FloatArray) -> FloatArray:
    """Return the products of the series, shape (T, n), about their means; in a unit of their own each."""
    size = np.abs(values).max(axis=0)
    scaled = values / np.where(size > 0.0, size, 1.0)
    centred = scaled - scaled.mean(axis=0)
    centred -= centred.mean(axis=0)
    products: FloatArray = centred.T @ centred
    return products


def rank_products(values: FloatArray) -> FloatArray:
    """Return the products of the average ranks about their means, times four: whole numbers, counted exactly."""
    return whole_products(centred_ranks(values))


def centred_ranks(values: FloatArray) -> IntArray:
    """Return twice the average ranks about their means, shape (T, n): whole numbers, ties included."""
    doubled: IntArray = np.rint(2.0 * rankdata(values, axis=0)).astype(np.int64)
    return doubled - (len(values) + 1)


def whole_products(numbers: IntArray) -> FloatArray:
    """Return the products of whole numbers, counted exactly as long as they stay below 2 ** 53."""
    floats = numbers.astype(np.float64)
    products: FloatArray = floats.T @ floats
    return products


def sign_products(values: FloatArray) -> FloatArray:
    """Return ``sum over all s < t of sgn(r_t - r_s) sgn(r_t - r_s)'``: whole numbers, counted exactly."""
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


def normalised(products: FloatArray, *, constant: BoolArray) -> FloatArray:
    """Scale products to correlations; the rows and columns of `constant` series are NaN."""
    scale = np.sqrt(np.diag(products))
    constant = constant | (scale == 0.0)
    scale[constant] = np.nan
    measure: FloatArray = np.clip(products / np.outer(scale, scale), -1.0, 1.0)
    np.fill_diagonal(measure, np.where(constant, np.nan, 1.0))
    return measure
