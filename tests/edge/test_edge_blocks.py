import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlpairs_core.edge import block_bootstrap, calibration, purged_folds, time_blocks
from hlpairs_core.exceptions import InputError


@given(seed=st.integers(0, 10_000), n=st.integers(20, 200), embargo=st.floats(0.0, 100.0))
def test_no_fitted_trade_shares_an_hour_with_a_judged_one(seed: int, n: int, embargo: float) -> None:
    rng = np.random.default_rng(seed)
    signal = pd.Series(pd.Timestamp("2025-01-01", tz="UTC") + pd.to_timedelta(rng.integers(0, 3000, n), unit="h"))
    ended = signal + pd.to_timedelta(rng.integers(1, 60, n), unit="h")
    blocks = time_blocks(signal, hours=168)
    judged_once = np.zeros(n, dtype=int)
    rows, hold = pd.DataFrame({"signal_time": signal, "exit_time": ended}), pd.Timedelta(hours=60)
    for fitted, judged in purged_folds(rows, blocks=blocks, n_folds=5, hold=hold, embargo_hours=embargo):
        judged_once += judged
        first, last = signal[judged].min(), ended[judged].max()
        assert ((ended[fitted] < first) | (signal[fitted] > last)).all()
    assert (judged_once == 1).all()


def test_blocks_are_numbered_by_time_whatever_the_order() -> None:
    time = pd.Series(pd.to_datetime(["2025-01-20", "2025-01-01", "2025-01-03"], utc=True))
    assert time_blocks(time, hours=168).tolist() == [1, 0, 0]


def test_intervals_from_blocks_cover_the_mean_of_a_series_with_memory() -> None:
    """Of AR(1) series, whose single values say far less than they seem to: 90 % intervals, 400 tries."""
    rng = np.random.default_rng(5)
    covered, naive = 0, 0
    for _ in range(400):
        shocks = rng.normal(size=(50 * 20))
        series = np.empty_like(shocks)
        level = 0.0
        for at, shock in enumerate(shocks):
            level = 0.8 * level + shock
            series[at] = level
        in_blocks = series.reshape(50, 20)
        sums = np.stack([in_blocks.sum(axis=1), np.full(50, 20.0)], axis=1)
        low, high = block_bootstrap(sums, lambda s: s[:, :1] / s[:, 1:], rng=rng, draws=300)
        covered += low[0] < 0.0 < high[0]
        naive += abs(series.mean()) < 1.645 * series.std() / np.sqrt(len(series))
    assert covered / 400 == pytest.approx(0.88, abs=0.05)
    assert naive / 400 < 0.6


def test_one_block_cannot_be_resampled() -> None:
    with pytest.raises(InputError, match="1 block of time"):
        block_bootstrap(np.ones((1, 2)), lambda s: s, rng=np.random.default_rng(1))


def test_calibration_agrees_with_least_squares() -> None:
    from statsmodels.api import OLS, add_constant

    rng = np.random.default_rng(6)
    expected = rng.normal(20.0, 10.0, 500)
    realised = 5.0 + 0.7 * expected + rng.normal(0.0, 20.0, 500)
    found = calibration(
        expected, realised, blocks=np.arange(500) // 10, rng=rng, abstained_share=0.1, reference_bps=10.0
    )
    least = OLS(realised, add_constant(expected)).fit()
    assert found.slope == pytest.approx(least.params[1], rel=1e-9)
    robust = least.get_robustcov_results("cluster", groups=np.arange(500) // 10)
    low, high = robust.conf_int(0.10)[1]
    assert (found.slope_low, found.slope_high) == pytest.approx((low, high), abs=0.04)
    assert found.mean_realised_bps - found.mean_expected_bps == pytest.approx(np.mean(realised - expected))
    assert found.skill_vs_zero == pytest.approx(1 - np.mean((realised - expected) ** 2) / np.mean(realised**2))
    assert found.skill_vs_mean == pytest.approx(1 - np.mean((realised - expected) ** 2) / np.mean((realised - 10) ** 2))


def test_rows_that_repeat_each_other_count_once() -> None:
    rng = np.random.default_rng(7)
    once = rng.normal(size=400)
    found = calibration(
        np.zeros(4000), np.repeat(once, 10), blocks=np.repeat(np.arange(400), 10), rng=rng, abstained_share=0.0
    )
    assert found.n == 4000
    assert found.n_effective == pytest.approx(400, rel=0.01)
    assert np.isnan(found.slope)


def test_having_said_nothing_is_an_account_too() -> None:
    found = calibration(
        np.empty(0), np.empty(0), blocks=np.empty(0, dtype=int), rng=np.random.default_rng(1), abstained_share=1.0
    ).as_dict()
    assert found.pop("n") == 0
    assert found.pop("abstained_share") == 1.0
    assert set(found.values()) == {None}
