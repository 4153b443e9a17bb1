"""What the screen of each bar computes afresh, a rolling screen and rolling correlations follow."""

from collections.abc import Callable

import numpy as np
import pytest

from hlpairs_core.market import Panel
from hlpairs_core.screening import ScreenSettings
from hlpairs_core.screening.pairs import cointegration_tests, orient_pairs
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
