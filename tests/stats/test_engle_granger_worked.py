"""Numbers worked out elsewhere (statsmodels 0.15, arch 8.0, MacKinnon's tables), read from beside the checkout."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from arch.data import crude

from hlpairs_core.stats import mackinnon_critical_values, mackinnon_p

Screen = Callable[..., pd.DataFrame]
TOLERANCE = 1e-6


@pytest.fixture(scope="module")
def worked(shared: Path) -> dict:
    return json.loads((shared / "reference" / "worked-numbers.json").read_text())


def test_crude_oil(screen: Screen, worked: dict) -> None:
    """arch's statistic is the same; its p-value comes from tables of its own."""
    expected = worked["crude"]["value"]
    row = screen(np.log(crude.load())[["WTI", "Brent"]]).iloc[0]
    assert row["n_obs"] == expected["n"]
    assert (row["t_stat"], row["p_value"]) == pytest.approx(tuple(expected["sm_coint"]), rel=TOLERANCE)
    assert row["t_stat"] == pytest.approx(expected["eg_c"][0], rel=TOLERANCE)
    assert row["p_value"] == pytest.approx(expected["eg_c"][1], abs=1e-5)
    assert (row["beta"], row["alpha"]) == pytest.approx(tuple(expected["ols"]), rel=TOLERANCE)


@pytest.mark.parametrize(("key", "n_obs"), [("eg2_c_inf", np.inf), ("eg2_c_100", 100), ("eg2_c_500", 500)])
def test_critical_values(worked: dict, key: str, n_obs: float) -> None:
    values = mackinnon_critical_values(n_obs)
    ours = [values.one_percent, values.five_percent, values.ten_percent]
    assert ours == pytest.approx(worked["mackinnon"][key], rel=TOLERANCE)


@pytest.mark.parametrize("tau", [-3, -4])
def test_p_values(worked: dict, tau: int) -> None:
    assert mackinnon_p(float(tau)) == pytest.approx(worked["mackinnon"][f"p_{tau}_N2"], rel=TOLERANCE)


def test_the_statistic_that_one_of_n_independent_tests_must_reach(worked: dict) -> None:
    """Bonferroni's bound at 5 %: the p-value of the tabulated statistic is 0.05 / n."""
    for n_tests, tau in worked["mackinnon"]["bonferroni_t"].items():
        assert mackinnon_p(tau) * int(n_tests) == pytest.approx(0.05, rel=1e-4)
