"""What the screen of each bar computes afresh, a rolling screen and rolling correlations follow."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from hlpairs_core.market import Panel
from hlpairs_core.screening import ConsecutiveTests, ScreenSettings, screen
from hlpairs_core.screening.pairs import PairTests, cointegration_tests, orient_pairs
from hlpairs_core.stats import RollingDependence, RollingScreen


@pytest.mark.parametrize("method", ["pearson", "spearman", "kendall"])
def test_the_tests_of_each_bar_are_those_of_the_rolling_screen(
    make_panel: Callable[..., Panel], make_walks: Callable[..., np.ndarray], method: str
) -> None:
    settings = ScreenSettings(window=120, rho_min=0.02, dependence_method=method)
    panel = make_panel(make_walks(150, 8, seed=3))
    logs = np.log(panel.close)
    screen = RollingScreen(logs[:120])
    moves = RollingDependence(np.diff(logs[:120], axis=0), methods=[method])
    for bar in range(120, 150):
        screen.append(logs[bar], time=bar)
        moves.append(logs[bar] - logs[bar - 1], time=bar)
        window = panel.rows(bar - 119, bar + 1)
        expected = cointegration_tests(window, settings)
        y, x = orient_pairs(window.coins, np.median(window.notional, axis=0))
        rho = moves.matrix(method)[y, x]
        kept = np.abs(rho) >= settings.rho_min
        found = screen.tests(zip(y[kept], x[kept], strict=True))
        assert 0 < len(found) < expected.n_pairs
        table = expected.table.assign(half_life=expected.half_life_hours)  # bars of an hour
        for column in ("y", "x", "lag", "reason"):
            assert found[column].tolist() == table[column].tolist()
        for column in ("alpha", "beta", "t_stat", "p_value", "half_life"):
            np.testing.assert_allclose(found[column], table[column], rtol=1e-9)
        np.testing.assert_allclose(rho[kept], table["correlation"], rtol=0, atol=1e-15)


SETTINGS = ScreenSettings(window=60, min_day_notional_usd=0)


def agree(found: PairTests, expected: PairTests) -> None:
    assert found.n_tests == expected.n_tests
    for column in ("y", "x", "lag", "reason"):
        assert found.table[column].tolist() == expected.table[column].tolist()
    for column in ("alpha", "beta", "sigma", "t_stat", "p_value", "q_value", "half_life_hours", "correlation"):
        np.testing.assert_allclose(found.table[column], expected.table[column], rtol=1e-9, atol=1e-12)


@pytest.fixture
def bars(make_panel: Callable[..., Panel], make_walks: Callable[..., np.ndarray]) -> Panel:
    return make_panel(make_walks(130, 6, seed=5))


def test_tests_that_are_carried_on_are_those_of_every_bar(bars: Panel) -> None:
    tests = ConsecutiveTests()
    for bar in range(60, 130):
        window = bars.rows(bar - 60, bar)
        agree(tests(window, SETTINGS), cointegration_tests(window, SETTINGS))


def test_a_bar_that_is_priced_again_is_not_tested_again(bars: Panel) -> None:
    tests, window = ConsecutiveTests(), bars.rows(0, 60)
    assert tests(window, SETTINGS) is tests(bars.rows(0, 60), SETTINGS)


@pytest.mark.parametrize(
    ("window", "settings"),
    [
        pytest.param(lambda bars: bars.rows(9, 69), SETTINGS, id="bars left out"),
        pytest.param(lambda bars: bars.rows(0, 60), SETTINGS, id="an earlier bar"),
        pytest.param(lambda bars: bars.rows(1, 61).select(bars.coins[:4]), SETTINGS, id="fewer coins"),
        pytest.param(lambda bars: bars.rows(1, 61), replace(SETTINGS, lag_rule="bic"), id="another rule"),
    ],
)
def test_a_window_that_does_not_follow_is_begun_anew(
    bars: Panel, window: Callable[[Panel], Panel], settings: ScreenSettings
) -> None:
    tests = ConsecutiveTests()
    for bar in (61, 62):
        tests(bars.rows(bar - 60, bar), SETTINGS)
    asked = window(bars)
    agree(tests(asked, settings), cointegration_tests(asked, settings))


def test_a_candle_that_was_corrected_is_seen(bars: Panel) -> None:
    tests = ConsecutiveTests()
    tests(bars.rows(0, 60), SETTINGS)
    close = bars.close.copy()
    close[30, 2] *= 1.03
    high = np.maximum(bars.high, close)
    corrected = replace(bars, close=close, high=high).rows(1, 61)
    agree(tests(corrected, SETTINGS), cointegration_tests(corrected, SETTINGS))


def test_a_screen_with_carried_tests_says_what_a_screen_says(bars: Panel) -> None:
    tests = ConsecutiveTests()
    for stop in range(61, 90):
        known = bars.rows(0, stop)
        found, expected = screen(known, settings=SETTINGS, test=tests), screen(known, settings=SETTINGS)
        assert found.verdict == expected.verdict
        assert found.candidates["misses"].tolist() == expected.candidates["misses"].tolist()


def test_after_a_step_that_failed_nothing_of_another_bar_is_answered(
    bars: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    tests = ConsecutiveTests()
    tests(bars.rows(0, 60), SETTINGS)

    def fail(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as broken:
        broken.setattr(RollingScreen, "answer", fail)
        with pytest.raises(MemoryError):
            tests(bars.rows(1, 61), SETTINGS)
    for bar in (61, 62):
        window = bars.rows(bar - 60, bar)
        agree(tests(window, SETTINGS), cointegration_tests(window, SETTINGS))
