"""What must not change a hedge ratio, and what is refused."""

from contextlib import suppress

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlpairs_core.exceptions import InputError
from hlpairs_core.stats import hedge_ratio
from hlpairs_core.stats.hedge.ratio import METHODS

NOISE = {"observation_noise": 1e-5, "level_noise": 1e-6, "beta_noise": 1e-5}
OPTIONS = {"rolling_ols": {"window": 20}, "dols": {"leads": 1, "lags": 1}, "kalman": NOISE}
SEEDS = st.integers(0, 2**32 - 1)


def pair(seed: int, n_bars: int = 60) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = np.cumsum(0.01 * rng.standard_t(4, size=n_bars))
    return 0.7 * x + 0.01 * rng.normal(size=n_bars), x


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=8, deadline=None)
@given(seed=SEEDS, up=st.floats(-15, 15), across=st.floats(-15, 15))
def test_the_units_of_the_prices_change_only_alpha(method: str, seed: int, up: float, across: float) -> None:
    y, x = pair(seed)
    options = OPTIONS.get(method, {})
    one = hedge_ratio(y, x, method=method, **options)
    other = hedge_ratio(y + up, x + across, method=method, **options)
    assert other.beta == pytest.approx(one.beta, rel=1e-6, abs=1e-8)
    assert other.alpha == pytest.approx(one.alpha + up - one.beta * across, rel=1e-6, abs=1e-6)
    np.testing.assert_allclose(other.residuals, one.residuals, atol=1e-8)
    if one.interval:
        assert other.interval == pytest.approx(one.interval, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("method", ["tls", "johansen", "min_half_life"])
@settings(max_examples=20, deadline=None)
@given(seed=SEEDS)
def test_swapping_the_legs_inverts_the_ratio(method: str, seed: int) -> None:
    y, x = pair(seed)
    one, other = hedge_ratio(y, x, method=method), hedge_ratio(x, y, method=method)
    assert other.beta == pytest.approx(1.0 / one.beta, rel=1e-6)
    assert other.alpha == pytest.approx(-one.alpha / one.beta, rel=1e-6, abs=1e-10)
    if one.interval and other.interval and one.interval[0] > 0:
        low, high = one.interval
        assert other.interval == pytest.approx((1.0 / high, 1.0 / low), rel=1e-6)


@pytest.mark.parametrize("method", ["ols", "huber", "theil_sen", "dols", "fmols", "rolling_ols", "kalman"])
def test_swapping_the_legs_does_not_invert_what_puts_the_noise_in_y(method: str) -> None:
    y, x = pair(seed=1)
    one, other = (hedge_ratio(*legs, method=method, **OPTIONS.get(method, {})) for legs in ((y, x), (x, y)))
    assert abs(one.beta * other.beta - 1.0) > 1e-3


@pytest.mark.parametrize("method", ["ols", "huber", "theil_sen", "johansen", "dols", "min_half_life"])
@settings(max_examples=8, deadline=None)
@given(seed=SEEDS, factor=st.floats(0.1, 10), sign=st.sampled_from([-1, 1]))
def test_multiplying_x_divides_the_ratio(method: str, seed: int, factor: float, sign: int) -> None:
    y, x = pair(seed)
    options = OPTIONS.get(method, {})
    one, other = (hedge_ratio(y, leg, method=method, **options) for leg in (x, sign * factor * x))
    assert other.beta * sign * factor == pytest.approx(one.beta, rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("method", ["kalman", "rolling_ols"])
@settings(max_examples=15, deadline=None)
@given(seed=SEEDS, cut=st.integers(25, 59))
def test_a_path_knows_no_later_bar(method: str, seed: int, cut: int) -> None:
    y, x = pair(seed)
    whole = hedge_ratio(y, x, method=method, **OPTIONS[method])
    part = hedge_ratio(y[:cut], x[:cut], method=method, **OPTIONS[method])
    for name in ("path", "alpha_path", "residuals", "innovations"):
        np.testing.assert_allclose(getattr(whole, name)[:cut], getattr(part, name), rtol=1e-7, atol=1e-10)


def series(values: np.ndarray, name: str | None = None) -> pd.Series:
    return pd.Series(values, pd.date_range("2025-01-01", periods=len(values), freq="h"), name=name)


Y, X = (series(leg, name) for leg, name in zip(pair(seed=0), ("SOL", "ETH"), strict=True))


def changed(leg: pd.Series, value: float) -> pd.Series:
    return leg.where(leg.index != leg.index[3], value)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("y", "x", "message"),
    [
        (changed(Y, np.nan), X, r"y \(SOL\) has 1 missing or infinite of 60 values: nan at 2025-01-01 03:00"),
        (Y, changed(X, -np.inf), r"x \(ETH\) has 1 missing .* -inf at 2025-01-01 03:00"),
        (Y, series(np.full(60, 2.5), "ETH"), r"x \(ETH\) is constant over 60 bars: 2\.5"),
        (Y, X[:-1], r"y \(SOL\) has 60 bars and x \(ETH\) has 59: align them first"),
        (Y[:9], X[:9], "have 9 bars: give at least 10"),
    ],
    ids=["nan", "infinite", "constant", "lengths", "short"],
)
def test_every_method_refuses_bars_it_cannot_work_with(method: str, y: pd.Series, x: pd.Series, message: str) -> None:
    with pytest.raises(InputError, match=message):
        hedge_ratio(y, x, method=method, **OPTIONS.get(method, {}))


@pytest.mark.parametrize(
    ("y", "x", "message"),
    [
        (Y, X[::-1], r"x \(ETH\) is not sorted by time, oldest bar first: 2025-01-03 11:00:00 comes before"),
        (pd.concat([Y[:-1], Y[-2:-1]]), X, r"y \(SOL\) has the bar 2025-01-03 10:00:00 more than once"),
        (Y, X.shift(freq="h"), r"y \(SOL\) and x \(ETH\) are not on one clock: 2025-01-01 00:00:00 beside"),
        (np.ones((5, 2)), X, r"y must have one dimension \(bars\), got shape \(5, 2\)"),
        (["a"] * 60, X, "y must be numbers"),
    ],
    ids=["unsorted", "duplicated", "clocks", "table", "words"],
)
def test_series_that_do_not_belong_together_are_refused(y: object, x: pd.Series, message: str) -> None:
    with pytest.raises(InputError, match=message):
        hedge_ratio(y, x)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "olss"}, "method must be one of 'ols', 'rolling_ols'.* got 'olss'"),
        ({"level": 95.0}, r"level must be a number between 0 and 1, got 95\.0"),
        ({"method": "ols", "window": 5}, "method 'ols' has no option 'window': it has none"),
        ({"method": "rolling_ols", "windows": 5}, "has no option 'windows': its options are window"),
        ({"method": "rolling_ols"}, "method 'rolling_ols' needs the option 'window'"),
        ({"method": "rolling_ols", "window": 61}, "window=61 is longer than the 60 bars there are"),
        ({"method": "rolling_ols", "window": 2}, "window must be at least 3, got 2"),
        ({"method": "rolling_ols", "window": 9.5}, r"window must be a whole number of bars, got 9\.5"),
        ({"method": "huber", "threshold": 0}, "threshold must be a positive number of standard deviations, got 0"),
        ({"method": "johansen", "lags": -1}, "lags must be at least 0, got -1"),
        ({"method": "johansen", "lags": 40}, "60 bars are too short for method 'johansen': give at least 130"),
        ({"method": "dols", "leads": 20}, "60 bars are too short for method 'dols': give at least 90"),
        ({"method": "min_half_life", "bounds": (1, 0)}, r"bounds must be finite and rising, got \(1, 0\)"),
        ({"method": "min_half_life", "bounds": 3}, r"bounds must be two hedge ratios \(low, high\), got 3"),
        ({"method": "kalman", "beta_noise": 1e-6}, "observation_noise is missing"),
    ],
)
def test_wrong_methods_and_options_are_refused(arguments: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        hedge_ratio(Y, X, **arguments)


@pytest.mark.parametrize("method", ["huber", "kalman", "johansen", "dols", "fmols", "min_half_life"])
def test_one_asset_twice_is_refused_where_there_must_be_a_spread(method: str) -> None:
    with pytest.raises(InputError, match=r"y \(SOL\) and x \(SOL\) are collinear.*Is it one asset twice"):
        hedge_ratio(Y + 1.0, Y, method=method)


@pytest.mark.parametrize("method", ["ols", "tls", "theil_sen"])
def test_an_exact_line_is_found_where_no_spread_is_needed(method: str) -> None:
    found = hedge_ratio(2.0 + 3.0 * X, X, method=method)
    assert (found.beta, found.alpha) == (pytest.approx(3.0, rel=1e-12), pytest.approx(2.0, rel=1e-12))


DEGENERATE = {
    "walk": np.cumsum(np.random.default_rng(1).normal(size=60)),
    "ramp": np.arange(60.0),
    "alternating": (-1.0) ** np.arange(60),
    "first bar": np.r_[0.0, np.ones(59)],
    "last bar": np.r_[np.zeros(59), 1.0],
    "one step": np.repeat([0.0, 1.0], 30),
    "explosive": 1.1 ** np.arange(60),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("y", DEGENERATE)
def test_series_that_hardly_move_give_a_number_or_an_input_error(method: str, y: str) -> None:
    for x in DEGENERATE.values():
        with suppress(InputError):
            found = hedge_ratio(DEGENERATE[y], x, method=method, **OPTIONS.get(method, {}))
            assert np.isfinite([found.beta, found.alpha, *(found.interval or ())]).all()


def test_too_many_bars_for_the_median_of_all_slopes_are_refused() -> None:
    with pytest.raises(InputError, match="10001 bars are too many for all their pairs: give at most 10000"):
        hedge_ratio(*pair(seed=1, n_bars=10_001), method="theil_sen")


def test_prices_that_stand_still_leave_huber_without_a_scale() -> None:
    with pytest.raises(InputError, match="most bars of y and x lie on one line exactly"):
        hedge_ratio(DEGENERATE["first bar"], DEGENERATE["walk"], method="huber")
