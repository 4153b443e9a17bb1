"""The p gate's size is its level, its power falls with the half-life, and twice tried is twice as often fooled."""

import numpy as np
import pytest

from hlpairs_core.exceptions import InputError
from hlpairs_core.stats import Rate, discovery_rates, engle_granger_pairs, gate_rate
from hlpairs_core.stats.power import simulate_spreads


def rate(half_life: float | None, seed: int = 1, n_pairs: int = 1500, **options) -> Rate:
    return gate_rate(half_life, rng=np.random.default_rng(seed), n_pairs=n_pairs, **options)


def binomial_error(share: float, n: int) -> float:
    return float(np.sqrt(share * (1 - share) / n))


@pytest.mark.parametrize("lag_rule", ["bic", 1])
@pytest.mark.parametrize("n_bars", [168, 336])
def test_five_percent_means_five_percent(n_bars: int, lag_rule: str | int) -> None:
    """Few bars add a little: MacKinnon's p is asymptotic, and BIC chooses too few lags by chance."""
    found = rate(None, n_bars=n_bars, lag_rule=lag_rule)
    assert found.n_trials == 1500
    assert found.standard_error == pytest.approx(binomial_error(found.rate, 1500), rel=1e-3)
    assert found.rate == pytest.approx(0.053, abs=3 * binomial_error(0.05, 1500))


def test_lags_by_aic_pass_somewhat_more_than_the_level() -> None:
    assert 0.05 < rate(None, n_bars=336, lag_rule="aic").rate < 0.08


def test_two_tries_are_fooled_more_often_and_most_where_the_coins_are_unrelated() -> None:
    """The two orientations of coins that hardly move together are two tests; of near twins they are almost one."""
    once, twins, unrelated = (
        rate(None, n_bars=336, lag_rule=1, statistic=statistic, noise=noise).rate
        for statistic, noise in (("t", 0.2), ("better_t", 0.2), ("better_t", 100.0))
    )
    assert once < twins < unrelated
    assert 1.4 < unrelated / once < 2.0


def test_the_longer_the_half_life_the_less_the_gate_sees() -> None:
    rates = [rate(half_life, n_bars=336, n_pairs=400).rate for half_life in (6, 12, 24, 48)]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] > 0.9
    assert rates[-1] < 0.2


def test_the_spread_has_its_half_life_and_its_own_distribution_from_the_first_bar() -> None:
    spreads = simulate_spreads(12.0, (600, 3000), rng=np.random.default_rng(2), noise=0.5)
    expected = 0.5 / np.sqrt(1 - 0.5 ** (2 / 12))
    assert spreads[0].std() == pytest.approx(expected, rel=0.05)
    assert spreads[-1].std() == pytest.approx(expected, rel=0.05)
    assert np.corrcoef(spreads[100], spreads[112])[0, 1] == pytest.approx(0.5, abs=0.05)


def test_pairs_are_tested_as_the_screen_tests_them() -> None:
    """Two pairs, drawn again by hand."""
    rng = np.random.default_rng(3)
    x = np.cumsum(rng.normal(size=(200, 2)), axis=0)
    y = x + simulate_spreads(5.0, (200, 2), rng=rng, noise=0.5)
    p = engle_granger_pairs(np.hstack([y, x]), pairs=[(0, 2), (1, 3)])["p_value"]
    between = float(np.sqrt(p.min() * p.max()))
    found = rate(5.0, seed=3, n_pairs=2, n_bars=200, alpha=between)
    assert found.rate == 0.5


def discoveries(half_life: float | None, **options):
    chosen = {"n_coins": 20, "n_planted": 3, "n_universes": 20, "n_bars": 336, "lag_rule": 1, **options}
    return discovery_rates(half_life, rng=np.random.default_rng(4), **chosen)


def test_quick_pairs_are_discovered_and_few_discoveries_are_false() -> None:
    found = discoveries(3.0)
    assert found.found.rate > 0.9
    assert found.best.rate == 1.0
    assert found.false.rate < 0.05 + 3 * found.false.standard_error


def test_decoys_are_hardly_ever_discovered() -> None:
    found = discoveries(None)
    assert found.found.rate == 0.0
    # With nothing to find, the false-discovery rate is the chance of any discovery.
    assert found.false.rate <= 0.05 + 3 * binomial_error(0.05, 20)


def test_yekutieli_is_stricter_than_hochberg() -> None:
    by, bh = (discoveries(10.0, control=control).found.rate for control in ("by", "bh"))
    assert by < bh


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"half_life": 0.0}, "half_life is 0.0"),
        ({"half_life": np.nan}, "half_life is nan"),
        ({"n_pairs": 1}, "n_pairs is 1"),
        ({"alpha": 0}, "alpha is 0"),
        ({"noise": -1.0}, "noise is -1.0"),
        ({"statistic": "best"}, "statistic is 'best'"),
        ({"n_bars": 20, "lag_rule": 10}, "20 bars are too short"),
    ],
)
def test_impossible_gates_are_refused(options: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        gate_rate(options.pop("half_life", 6.0), rng=np.random.default_rng(1), **options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"n_planted": 11}, "n_planted is 11: use a whole number from 1 to 10"),
        ({"correlation": 1.0}, "correlation is 1.0"),
        ({"control": "bonferroni"}, "control is 'bonferroni'"),
        ({"q_max": 2}, "q_max is 2"),
        ({"n_universes": 1}, "n_universes is 1"),
    ],
)
def test_impossible_universes_are_refused(options: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        discoveries(6.0, **options)
