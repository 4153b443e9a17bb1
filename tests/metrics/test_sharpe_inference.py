import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hlpairs_core.exceptions import InputError
from hlpairs_core.metrics import (
    SharpeSample,
    deflated_sharpe,
    minimum_track_record,
    probabilistic_sharpe,
    sharpe_ratio,
    sharpe_sample,
)

SAMPLES = st.builds(
    SharpeSample,
    sharpe=st.floats(0.01, 0.5),
    n_bars=st.integers(10, 10_000),
    skewness=st.floats(-1.0, 1.0),
    kurtosis=st.floats(2.5, 20.0),
)


def test_the_papers_examples_have_their_printed_numbers(shared: Path) -> None:
    worked = json.loads((shared / "reference" / "worked-numbers.json").read_text())["sharpe"]["value"]
    fund = SharpeSample(0.458, 24, skewness=-2.448, kurtosis=10.164)
    assert probabilistic_sharpe(fund) == pytest.approx(worked["psr"], rel=1e-9)
    assert probabilistic_sharpe(SharpeSample(0.458, 24)) == pytest.approx(worked["psr_normal"], rel=1e-9)
    best = SharpeSample(2.5 / math.sqrt(250), 1250, skewness=-3.0, kurtosis=10.0)
    sd = math.sqrt(0.5 / 250)
    assert deflated_sharpe(best, n_tries=100, sharpe_sd=sd) == pytest.approx(worked["dsr_100"][1], rel=1e-9)
    assert deflated_sharpe(best, n_tries=46, sharpe_sd=sd) == pytest.approx(worked["dsr_46"], rel=1e-9)


@pytest.mark.parametrize(("bars", "years"), [(250, 2.73), (52, 2.83), (12, 3.24)])
def test_a_ratio_of_two_against_one_needs_the_printed_track_record(bars: int, years: float) -> None:
    """Bailey and López de Prado (2012): normal returns by day, week and month at 95 %."""
    needed = minimum_track_record(SharpeSample(2 / math.sqrt(bars), 100), benchmark=1 / math.sqrt(bars))
    assert round(needed / bars, 2) == years


@given(sample=SAMPLES, confidence=st.floats(0.6, 0.99))
def test_a_minimum_track_record_has_just_the_confidence(sample: SharpeSample, confidence: float) -> None:
    needed = minimum_track_record(sample, confidence=confidence)
    if needed < 10:
        return
    for n_bars, side in ((math.floor(needed), -1), (math.ceil(needed), 1)):
        same = SharpeSample(sample.sharpe, n_bars, sample.skewness, sample.kurtosis)
        assert side * (probabilistic_sharpe(same) - confidence) >= -1e-12


def test_a_ratio_below_the_benchmark_never_gets_there() -> None:
    assert minimum_track_record(SharpeSample(0.1, 50), benchmark=0.1) == math.inf


@given(sample=SAMPLES, n_tries=st.integers(1, 10**6), sd=st.floats(0.001, 0.1))
def test_the_more_was_tried_the_less_a_ratio_says(sample: SharpeSample, n_tries: int, sd: float) -> None:
    once = deflated_sharpe(sample, n_tries=1, sharpe_sd=sd)
    assert once == probabilistic_sharpe(sample)
    more, most = (deflated_sharpe(sample, n_tries=n, sharpe_sd=sd) for n in (n_tries, 2 * n_tries + 1))
    assert most <= more <= once


def test_a_sample_is_read_off_returns_as_scipy_does() -> None:
    values = np.random.default_rng(3).gamma(2.0, size=500) - 1.9
    found = sharpe_sample(values)
    assert found.sharpe * math.sqrt(8760) == pytest.approx(sharpe_ratio(values))
    assert (found.skewness, found.kurtosis) == pytest.approx((stats.skew(values), stats.kurtosis(values, fisher=False)))
    assert found.n_bars == 500


def test_returns_that_do_not_vary_have_no_sample() -> None:
    assert sharpe_sample(np.full(30, 0.1)) is None


@pytest.mark.parametrize(
    "draw", [lambda rng: rng.exponential(size=(500, 400)), lambda rng: rng.normal(size=(500, 400))]
)
def test_without_skill_it_is_above_95_percent_in_one_case_of_twenty(draw) -> None:
    """Skewed returns too: 400 bars of mean 0, 500 times."""
    paths = draw(np.random.default_rng(11))
    paths -= 1.0 if paths.min() >= 0 else 0.0
    confident = np.mean([probabilistic_sharpe(sharpe_sample(path)) > 0.95 for path in paths])
    assert confident == pytest.approx(0.05, abs=4 * math.sqrt(0.05 * 0.95 / 500))


def test_the_standard_error_is_the_spread_of_simulated_ratios() -> None:
    """Exponential returns of mean 1.2: skewness 2, kurtosis 9."""
    paths = np.random.default_rng(12).exponential(size=(4_000, 300)) - 0.8
    ratios = paths.mean(axis=1) / paths.std(axis=1, ddof=1)
    expected = SharpeSample(0.2, 300, skewness=2.0, kurtosis=9.0).standard_error
    assert ratios.std() == pytest.approx(expected, rel=0.05)


def test_the_best_of_many_without_skill_is_deflated_to_a_coin_toss() -> None:
    """A hundred tries of 500 bars each; the best one's plain ratio is nearly certain of its skill."""
    rng = np.random.default_rng(13)
    plain, deflated = [], []
    for _ in range(60):
        tries = rng.normal(size=(100, 500))
        ratios = tries.mean(axis=1) / tries.std(axis=1, ddof=1)
        best = sharpe_sample(tries[ratios.argmax()])
        plain.append(probabilistic_sharpe(best))
        deflated.append(deflated_sharpe(best, n_tries=100, sharpe_sd=float(ratios.std(ddof=1))))
    assert np.mean(plain) > 0.98
    assert np.mean(deflated) == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ({"sharpe": math.nan, "n_bars": 10}, "sharpe is nan"),
        ({"sharpe": 0.1, "n_bars": 1}, "n_bars is 1"),
        ({"sharpe": 0.1, "n_bars": 10, "skewness": -2.0, "kurtosis": 3.0}, "kurtosis is 3.0: use a finite number"),
    ],
)
def test_numbers_that_no_returns_have_are_refused(numbers: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        SharpeSample(**numbers)


def test_impossible_options_are_refused() -> None:
    sample = SharpeSample(0.1, 100)
    with pytest.raises(InputError, match="benchmark is nan"):
        probabilistic_sharpe(sample, benchmark=math.nan)
    with pytest.raises(InputError, match=r"confidence is 0\.5"):
        minimum_track_record(sample, confidence=0.5)
    with pytest.raises(InputError, match="n_tries is 0"):
        deflated_sharpe(sample, n_tries=0, sharpe_sd=0.1)
    with pytest.raises(InputError, match="at least 4"):
        sharpe_sample([1.0, 2.0])
