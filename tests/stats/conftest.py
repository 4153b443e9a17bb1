from collections.abc import Callable
from functools import partial
from importlib.util import find_spec

import pandas as pd
import pytest

from hlpairs_core.stats import engle_granger_pairs

NUMBA = pytest.param(True, id="numba", marks=pytest.mark.skipif(find_spec("numba") is None, reason="needs numba"))


@pytest.fixture(scope="session", params=[pytest.param(False, id="numpy"), NUMBA])
def accelerate(request: pytest.FixtureRequest) -> bool:
    """The same test on both engines."""
    return request.param


@pytest.fixture(scope="session")
def screen(accelerate: bool) -> Callable[..., pd.DataFrame]:
    """`engle_granger_pairs`, on NumPy and on Numba."""
    return partial(engle_granger_pairs, accelerate=accelerate)
