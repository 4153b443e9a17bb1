"""Names for the array types used everywhere."""

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BoolArray",
    "Dependence",
    "DependenceMethod",
    "FloatArray",
    "IntArray",
    "LagRule",
    "Side",
    "StrArray",
    "Trend",
]

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
BoolArray: TypeAlias = NDArray[np.bool_]
StrArray: TypeAlias = NDArray[np.str_]

LagRule: TypeAlias = Literal["aic", "bic"] | int
Trend: TypeAlias = Literal["c", "ct"]
Dependence: TypeAlias = Literal["any", "inverse", "positive"]
DependenceMethod: TypeAlias = Literal["pearson", "spearman", "kendall"]
Side: TypeAlias = Literal["long", "short"]
