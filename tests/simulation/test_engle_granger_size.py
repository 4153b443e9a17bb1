"""What keeps prices sane for years must not make unrelated pairs look cointegrated."""

import numpy as np
import pytest

from hlpairs_core.simulation import SimulatedMarket, synthetic_market
from hlpairs_core.stats import engle_granger_pairs

N_MARKETS = 12


@pytest.fixture(scope="module")
def markets() -> list[SimulatedMarket]:
    return [synthetic_market(seed, 60, start="2026-11-21", clock=lambda: 0.0) for seed in range(N_MARKETS)]


def unrelated(market: SimulatedMarket, window: int) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Log closes of the steady perpetuals, and all their pairs that are not in the truth."""
    bars, _ = market.history.upto(market.clock.time_ms())
    now = bars.index(market.clock.time_ms())
    always = (np.nan_to_num(bars.volume[:now]) > 0).mean(axis=0) > 0.999
    columns = np.flatnonzero(always & (market.kinds == "perp"))
    true = {frozenset((pair.y, pair.x)) for pair in market.truth()}
    names = [market.coins[column].name for column in columns]
    pairs = [(i, j) for i in range(len(names)) for j in range(i) if frozenset((names[i], names[j])) not in true]
    return np.log(bars.close[now - window : now, columns]), pairs


def rejected(log_price: np.ndarray, pairs: list[tuple[int, int]]) -> float:
    return float((engle_granger_pairs(log_price, lag_rule=1, pairs=pairs)["p_value"] < 0.05).mean())


@pytest.mark.parametrize("window", [336, 2016])
def test_five_in_a_hundred_unrelated_pairs_pass_at_five_percent(markets: list[SimulatedMarket], window: int) -> None:
    """Within two standard errors, a market being one draw; its pairs share factors."""
    sizes = np.array([rejected(*unrelated(market, window)) for market in markets])
    assert abs(sizes.mean() - 0.05) < 2 * sizes.std(ddof=1) / np.sqrt(N_MARKETS)


@pytest.mark.parametrize("window", [336, 2016])
def test_as_many_pass_as_do_where_nothing_can_revert(markets: list[SimulatedMarket], window: int) -> None:
    """The same hours with signs thrown by a coin: volatility and correlations stay, and any reversion is gone."""
    apart = []
    for number, market in enumerate(markets):
        log_price, pairs = unrelated(market, window)
        signs = np.random.default_rng(number).choice([-1.0, 1.0], size=(window - 1, 1))
        thrown = np.vstack([log_price[:1], log_price[0] + np.cumsum(signs * np.diff(log_price, axis=0), axis=0)])
        apart.append(rejected(log_price, pairs) - rejected(thrown, pairs))
    assert abs(np.mean(apart)) < 2 * np.std(apart, ddof=1) / np.sqrt(N_MARKETS)


def test_spreads_of_unrelated_coins_widen_as_walks_do(markets: list[SimulatedMarket]) -> None:
    """The variance of what a spread moves in twelve weeks is 84 times that of a day."""
    ratios = []
    for market in markets:
        log_price, _ = unrelated(market, 16_000)
        spreads = log_price[:, 0::2][:, :20] - log_price[:, 1::2][:, :20]
        long, short = (((spreads[hours:] - spreads[:-hours]) ** 2).mean() for hours in (2016, 24))
        ratios.append(long / short / 84)
    assert np.mean(ratios) == pytest.approx(1, abs=2.5 * np.std(ratios, ddof=1) / np.sqrt(N_MARKETS))
    assert np.mean(ratios) > 0.85
