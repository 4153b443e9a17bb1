"""What sizes and prices the exchange takes."""

import numpy as np

from hlpairs_core._typing import FloatArray, IntArray

__all__ = ["round_price", "round_size"]

_SIGNIFICANT_FIGURES = 5
_PERP_DECIMALS = 6
# A size that a product of floats leaves just below a whole number of lots is that number.
_SLACK = 1e-9


def round_size(size: FloatArray, sz_decimals: IntArray) -> FloatArray:
    """Return the largest size with so many decimals that is not above `size` (base units, not negative)."""
    lots = 10.0 ** np.asarray(sz_decimals)
    return np.asarray(np.floor(np.asarray(size) * lots * (1 + _SLACK)) / lots)


def round_price(price: FloatArray, sz_decimals: IntArray) -> FloatArray:
    """Return the nearest price a perp can have: 5 significant figures, 6 - `sz_decimals` decimals, or whole."""
    given = np.asarray(price, dtype=np.float64)
    figures = _SIGNIFICANT_FIGURES - 1 - np.floor(np.log10(given))
    decimals = 10.0 ** np.clip(np.minimum(figures, _PERP_DECIMALS - np.asarray(sz_decimals)), 0, None)
    return np.asarray(np.round(given * decimals) / decimals)
