"""Times from level to level: quadrature against published series, closed forms and drawn paths."""

import math

import numpy as np
import pytest
from scipy.special import digamma, erfi

from hlpairs_core.stats.first_passage import (
    cycle_time_mean,
    cycle_time_variance,
    exit_probability_high,
    exit_time_mean,
    passage_time_mean,
    passage_time_variance,
    symmetric_exit_time_variance,
)

STEP = 0.004
# Looked at only every STEP, a path crosses later than it does; moving the level by this makes up for it
# (M. Broadie, P. Glasserman and S. Kou, "A Continuity Correction for Discrete Barrier Options", 1997).
SHIFT = 0.5826 * math.sqrt(2 * STEP)


def series_mean(level: float) -> float:
    """Mean time from 0 up to `level`, by Zeng and Lee's series."""
    return 0.5 * sum(
        (math.sqrt(2) * level) ** k * math.exp(math.lgamma(k / 2) - math.lgamma(k + 1)) for k in range(1, 120)
    )


def series_variance(low: float, high: float) -> float:
    """Variance of the time from one level to the other and back, by Bertram's series."""

    def term(level: float, k: int) -> float:
        return (math.sqrt(2) * level) ** k * math.exp(math.lgamma(k / 2) - math.lgamma(k + 1))

    def first(level: float) -> float:
        up = 0.5 * sum(term(level, k) for k in range(1, 100))
        return up**2 - (0.5 * sum((-1) ** k * term(level, k) for k in range(1, 100))) ** 2

    def second(level: float) -> float:
        return sum(term(level, k) * (digamma(k / 2) - digamma(1)) for k in range(1, 100, 2))

    return first(high) - first(low) - second(high) + second(low)


def drawn_times(start: float, low: float, high: float, count: int = 1500) -> tuple[np.ndarray, np.ndarray]:
    """Time until a drawn path leaves (low, high), and whether it left at the top."""
    rng = np.random.default_rng(1)
    decay = math.exp(-STEP)
    noise = math.sqrt(1 - decay**2)
    level, alive = np.full(count, start), np.arange(count)
    times, top = np.zeros(count), np.zeros(count, dtype=bool)
    step = 0
    while alive.size:
        step += 1
        level = decay * level + noise * rng.normal(size=alive.size)
        up, down = level >= high - SHIFT, level <= low + SHIFT
        times[alive[up | down]] = step * STEP
        top[alive[up]] = True
        level, alive = level[~(up | down)], alive[~(up | down)]
    return times, top


@pytest.mark.parametrize("level", [0.1, 0.7, 2.0, 4.0])
def test_the_mean_time_from_the_mean_is_the_published_series(level: float) -> None:
    assert passage_time_mean(0.0, level) == pytest.approx(series_mean(level), rel=1e-8)
    assert passage_time_mean(-level, 0.0) == pytest.approx(-series_mean(-level), rel=1e-8)


@pytest.mark.parametrize(("low", "high"), [(-0.5832, 0.5832), (0.0, 1.0), (-2.0, 0.3), (0.5, 2.5)])
def test_the_variance_of_a_cycle_is_the_published_series(low: float, high: float) -> None:
    assert cycle_time_variance(low, high) == pytest.approx(series_variance(low, high), rel=1e-6)
    assert passage_time_variance(-high, -low) == pytest.approx(passage_time_variance(high, low), rel=1e-12)


@pytest.mark.parametrize(("low", "high"), [(-1.0, 1.0), (-0.2, 2.0), (-4.0, -1.0)])
def test_a_cycle_is_the_way_up_and_the_way_down(low: float, high: float) -> None:
    parts = passage_time_mean(low, high) + passage_time_mean(high, low)
    assert cycle_time_mean(low, high) == pytest.approx(parts, rel=1e-9)


def test_times_add_up_along_the_way() -> None:
    for time in (passage_time_mean, passage_time_variance):
        assert time(-1.0, 2.0) == pytest.approx(time(-1.0, 0.5) + time(0.5, 2.0), rel=1e-7)
        assert time(1.3, 1.3) == 0.0


def test_bertram_s_example_has_the_printed_times() -> None:
    """W. K. Bertram (2010): alpha 180.967, eta 0.1538, levels plus and minus 0.0047151767."""
    speed, level = 180.967, 0.0047151767 / (0.1538 / math.sqrt(2 * 180.967))
    assert cycle_time_mean(-level, level) / speed == pytest.approx(0.0171223943, rel=1e-6)
    assert cycle_time_variance(-level, level) / speed**2 == pytest.approx(0.00015441687, rel=1e-6)


def test_the_exit_from_a_symmetric_interval_is_the_published_series() -> None:
    """Zeng and Lee (2014): half of the sum of ``gamma(k) (sqrt 2 a)**2k / (2k)!``."""
    bound = 1.4
    series = 0.5 * sum((math.sqrt(2) * bound) ** (2 * k) * math.gamma(k) / math.factorial(2 * k) for k in range(1, 60))
    assert exit_time_mean(0.0, -bound, bound) == pytest.approx(series, rel=1e-9)
    assert exit_probability_high(0.0, -bound, bound) == pytest.approx(0.5)


@pytest.mark.parametrize(("start", "low", "high"), [(-0.7, -50.0, 0.7), (0.0, -1.2, 1.2), (-1.0, -2.0, 0.5)])
def test_drawn_paths_take_as_long(start: float, low: float, high: float) -> None:
    times, top = drawn_times(start, low, high)
    one_sided = low < -40.0
    mean = passage_time_mean(start, high) if one_sided else exit_time_mean(start, low, high)
    error = times.std() / math.sqrt(len(times))
    assert times.mean() == pytest.approx(mean, abs=4 * error)
    if one_sided:
        assert times.var() == pytest.approx(passage_time_variance(start, high), rel=0.35)
    else:
        assert top.mean() == pytest.approx(exit_probability_high(start, low, high), abs=4 * 0.5 / math.sqrt(len(top)))
    if low == -high:
        assert times.var() == pytest.approx(symmetric_exit_time_variance(high), rel=0.25)


def test_the_scale_function_is_that_of_the_process() -> None:
    expected = (erfi(0.5 / math.sqrt(2)) - erfi(-1 / math.sqrt(2))) / (erfi(2 / math.sqrt(2)) - erfi(-1 / math.sqrt(2)))
    assert exit_probability_high(0.5, -1.0, 2.0) == pytest.approx(expected)
