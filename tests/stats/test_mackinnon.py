import numpy as np
import pytest
from statsmodels.tsa.adfvalues import mackinnoncrit, mackinnonp

from hlpairs_core.exceptions import InputError
from hlpairs_core.stats import CriticalValues, mackinnon_critical_values, mackinnon_p


def test_p_values_are_those_of_statsmodels_over_the_whole_line() -> None:
    tau = np.concatenate([np.linspace(-25, 5, 3001), [-18.86, -2.62, 0.92, -np.inf, np.inf]])
    expected = [mackinnonp(value, regression="c", N=2) for value in tau]
    np.testing.assert_allclose(mackinnon_p(tau), expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize(("tau", "p"), [(-3.0, 0.1102054949706574), (-4.0, 0.00718130705505248)])
def test_a_single_statistic_gives_a_float(tau: float, p: float) -> None:
    """Expected values from statsmodels 0.15."""
    assert isinstance(mackinnon_p(tau), float)
    assert mackinnon_p(tau) == pytest.approx(p, abs=1e-14)


def test_no_statistic_is_no_p_value() -> None:
    np.testing.assert_array_equal(np.isnan(mackinnon_p([[np.nan, -3.0]])), [[True, False]])


@pytest.mark.parametrize("n_obs", [25, 100, 671, 10**6])
def test_critical_values_are_those_of_statsmodels(n_obs: int) -> None:
    values = mackinnon_critical_values(n_obs)
    expected = mackinnoncrit(N=2, regression="c", nobs=n_obs)
    assert [values.one_percent, values.five_percent, values.ten_percent] == pytest.approx(list(expected), abs=1e-12)


def test_critical_values_of_an_endless_sample_are_the_asymptotic_ones() -> None:
    """MacKinnon (2010), table 2."""
    assert mackinnon_critical_values(np.inf) == CriticalValues(-3.89644, -3.33613, -3.04445)


@pytest.mark.parametrize("n_obs", [0, -5, float("nan")])
def test_a_sample_of_nothing_has_no_critical_values(n_obs: float) -> None:
    with pytest.raises(InputError, match="n_obs must be positive"):
        mackinnon_critical_values(n_obs)
