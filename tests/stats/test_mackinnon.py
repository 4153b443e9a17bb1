from collections.abc import Callable

import numpy as np
import pytest
from statsmodels.tsa.adfvalues import mackinnoncrit, mackinnonp

from hlpairs_core.exceptions import InputError
from hlpairs_core.stats import CriticalValues, mackinnon_critical_values, mackinnon_p

EDGES = {"c": [-18.86, -2.62, 0.92], "ct": [-21.15, -3.19, 0.63]}


@pytest.mark.parametrize("trend", ["c", "ct"])
def test_p_values_are_those_of_statsmodels_over_the_whole_line(trend: str) -> None:
    tau = np.concatenate([np.linspace(-25, 5, 3001), EDGES[trend], [-np.inf, np.inf]])
    expected = [mackinnonp(value, regression=trend, N=2) for value in tau]
    np.testing.assert_allclose(mackinnon_p(tau, trend=trend), expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize(("tau", "p"), [(-3.0, 0.1102054949706574), (-4.0, 0.00718130705505248)])
def test_a_single_statistic_gives_a_float(tau: float, p: float) -> None:
    """Expected values from statsmodels 0.15."""
    assert isinstance(mackinnon_p(tau), float)
    assert mackinnon_p(tau) == pytest.approx(p, abs=1e-14)


def test_no_statistic_is_no_p_value() -> None:
    np.testing.assert_array_equal(np.isnan(mackinnon_p([[np.nan, -3.0]])), [[True, False]])


@pytest.mark.parametrize("n_obs", [25, 100, 671, 10**6])
@pytest.mark.parametrize("trend", ["c", "ct"])
def test_critical_values_are_those_of_statsmodels(n_obs: int, trend: str) -> None:
    values = mackinnon_critical_values(n_obs, trend=trend)
    expected = mackinnoncrit(N=2, regression=trend, nobs=n_obs)
    assert [values.one_percent, values.five_percent, values.ten_percent] == pytest.approx(list(expected), abs=1e-12)


def test_critical_values_of_an_endless_sample_are_the_asymptotic_ones() -> None:
    """MacKinnon (2010), tables 2 and 3."""
    assert mackinnon_critical_values(np.inf) == CriticalValues(-3.89644, -3.33613, -3.04445)
    assert mackinnon_critical_values(np.inf, trend="ct") == CriticalValues(-4.32762, -3.78057, -3.49631)


def test_a_trend_costs_power() -> None:
    """The same statistic is weaker evidence once a trend was fitted too."""
    tau = np.linspace(-10, 0.6, 200)
    assert (mackinnon_p(tau, trend="ct") > mackinnon_p(tau)).all()


@pytest.mark.parametrize("compute", [mackinnon_p, mackinnon_critical_values])
def test_an_unknown_trend_is_refused(compute: Callable[..., object]) -> None:
    with pytest.raises(InputError, match=r"trend must be 'c' .* or 'ct' .*, got 'ctt'"):
        compute(100.0, trend="ctt")


@pytest.mark.parametrize("n_obs", [0, -5, float("nan")])
def test_a_sample_of_nothing_has_no_critical_values(n_obs: float) -> None:
    with pytest.raises(InputError, match="n_obs must be positive"):
        mackinnon_critical_values(n_obs)
