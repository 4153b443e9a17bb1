import numpy as np
import pytest

from hlpairs_core.exceptions import InputError
from hlpairs_core.market import Panel
from hlpairs_core.screening import ScreenSettings, luck_of_screen, screen
from hlpairs_core.stats import NullScreen

SETTINGS = ScreenSettings(window=300, lag_rule="bic")


def luck_of(panel: Panel, settings: ScreenSettings = SETTINGS, n_screens: int = 40) -> NullScreen:
    window = panel.rows(-1 - settings.window, -1)
    return luck_of_screen(window, settings, rng=np.random.default_rng(1), n_screens=n_screens)


@pytest.fixture(scope="module")
def panel(make_panel, make_walks, make_pair) -> Panel:
    """C0 and C1 are a pair; C2 is the largest coin and C3 the smallest."""
    closes = np.hstack([make_pair(301), make_walks(301, 3, seed=4)])
    return make_panel(closes, notional=[1e6, 2e6, 9e6, 5e5, 1e6])


def test_the_pairs_are_those_of_the_screen_with_its_orientation_and_its_t(panel: Panel) -> None:
    luck = luck_of(panel)
    found = screen(panel, settings=SETTINGS).candidates.set_index(["y", "x"])["p_value"]
    said = luck.pairs.set_index(["y", "x"])["p_value"]
    assert luck.n_pairs == 10
    np.testing.assert_allclose(said.loc[found.index], found, rtol=1e-9)


def test_a_pair_that_reverts_beats_luck(panel: Panel) -> None:
    luck = luck_of(panel)
    best = luck.pairs.loc[luck.pairs["t_stat"].idxmin()]
    assert {best["y"], best["x"]} == {"C0", "C1"}
    assert luck.p_best == luck.chance_of_best(best["t_stat"]) <= 0.1


def test_a_coin_in_no_tested_pair_is_left_out(make_panel, make_walks) -> None:
    closes = make_walks(301, 4, seed=5)
    closes[:, 2] = 3.0
    luck = luck_of(make_panel(closes))
    assert luck.order.index.tolist() == ["C0", "C1", "C3"]
    assert luck.n_pairs == 3


def test_a_filter_that_nothing_passes_is_said(make_panel, make_walks) -> None:
    settings = ScreenSettings(window=300, rho_min=0.99, dependence="inverse")
    with pytest.raises(InputError, match="none of 3 pairs passes the dependence filter"):
        luck_of(make_panel(make_walks(301, 3, seed=6)), settings)
