"""A market with nothing planted: nothing reverts, and nothing is to be earned after costs."""

import numpy as np
import pandas as pd
import pytest

from hlpairs_core.simulation import SimulatedMarket, synthetic_market
from hlpairs_core.simulation.factors import FactorModel
from hlpairs_core.simulation.listings import SPOT_LINKS, listed_coins
from hlpairs_core.stats import engle_granger_pairs

SEEDS = range(8)
START = "2026-09-01"
# Four taker fills of a pair of perpetuals, and of a spot pair with its perpetual (4.5 and 7 bps), of gross notional.
PERP_FEES, SPOT_FEES = 9.0, 11.5
HOLD = 48


@pytest.fixture(scope="module")
def markets() -> list[SimulatedMarket]:
    return [synthetic_market(seed, 60, start=START, clock=lambda: 0.0, planted=False) for seed in SEEDS]


def steady(market: SimulatedMarket) -> np.ndarray:
    """Columns of the perpetuals that traded all the time."""
    bars, _ = market.history.upto(market.clock.time_ms())
    always = (np.nan_to_num(bars.volume) > 0).mean(axis=0) > 0.999
    return np.flatnonzero(always & (market.kinds == "perp"))


def test_it_is_another_market_of_the_same_coins() -> None:
    full, null = (synthetic_market(3, 20, start=START, clock=lambda: 0.0, planted=mode) for mode in (True, False))
    assert (full.name, null.name) == ("demo-v2-seed3-20", "demo-v2-seed3-20-null")
    assert full.coins == null.coins
    assert {pair.kind for pair in null.truth()} == {"spot"}


def test_what_would_be_planted_hangs_together_and_does_not_revert(markets: list[SimulatedMarket]) -> None:
    p_values, correlation = [], []
    for seed, market in zip(SEEDS, markets, strict=True):
        bars, _ = market.history.upto(market.clock.time_ms())
        log_price = np.log(bars.close[-2000 - 720 : -720])
        related = FactorModel.drawn(seed, listed_coins(60), planted=False).relations
        assert len(related) == 12
        pairs = [(relation.y, relation.x) for relation in related]
        p_values.append(engle_granger_pairs(log_price, pairs=pairs)["p_value"])
        returns = np.diff(log_price, axis=0)
        correlation += [np.corrcoef(returns[:, y], returns[:, x])[0, 1] for y, x in pairs]
    assert np.median(correlation) > 0.95
    rejected = np.array([np.mean(found < 0.05) for found in p_values])
    assert rejected.mean() < 0.07 + 2 * rejected.std(ddof=1) / np.sqrt(len(rejected))


@pytest.mark.parametrize("by", ["volatility", "funding"])
def test_no_sort_of_coins_earns_anything_over_two_days(markets: list[SimulatedMarket], by: str) -> None:
    """Long one fifth of the coins and short another, funding included: within noise of nothing, and below fees."""
    earned = []
    for market in markets:
        bars, funding = market.history.upto(market.clock.time_ms())
        coins = steady(market)
        opened, close, rate = bars.open[:, coins], bars.close[:, coins], np.nan_to_num(funding.rate[:, coins])
        paid = np.cumsum(rate, axis=0)
        log_close = pd.DataFrame(np.log(close))
        score = log_close.diff().rolling(336).std().to_numpy() if by == "volatility" else rate
        hours = np.arange(800, len(close) - HOLD - 2, HOLD)
        total = close[hours + HOLD - 1] / opened[hours] - 1 - (paid[hours + HOLD] - paid[hours])
        rank = score[hours - 1].argsort(axis=1).argsort(axis=1) / len(coins)
        top, bottom = (np.where(chosen, total, np.nan) for chosen in (rank >= 0.8, rank < 0.2))
        earned.append(1e4 * (np.nanmean(top) - np.nanmean(bottom)) / 2)
    error = np.std(earned, ddof=1) / np.sqrt(len(earned))
    assert abs(np.mean(earned)) < 2.5 * error
    assert abs(np.mean(earned)) < PERP_FEES


@pytest.mark.parametrize("hold", [24, 72, 168, 720])
def test_spot_against_its_perpetual_pays_less_than_its_costs(markets: list[SimulatedMarket], hold: int) -> None:
    """Either way round, entered when the basis is 1.5 deviations out: basis and funding, bps of gross notional."""
    for market in markets:
        bars, funding = market.history.upto(market.clock.time_ms())
        names = [coin.name for coin in market.coins]
        for link in SPOT_LINKS[:4]:
            spot, perp = names.index(link.name), names.index(link.perp)
            basis = np.log(bars.close[:, perp] / bars.close[:, spot])
            at_open = np.log(bars.open[:, perp] / bars.open[:, spot])
            paid = np.cumsum(np.nan_to_num(funding.rate[:, perp]))
            z = (basis - basis.mean()) / basis.std()
            entries = np.flatnonzero(np.abs(z[: -hold - 2]) >= 1.5) + 1
            side = np.sign(z[entries - 1])
            gross = side * (at_open[entries] - at_open[entries + hold] + paid[entries + hold - 1] - paid[entries - 1])
            assert len(entries) > 20
            assert 1e4 * gross.mean() / 2 < SPOT_FEES / 2


def test_no_single_settlement_pays_the_fees(markets: list[SimulatedMarket]) -> None:
    for market in markets:
        _, funding = market.history.upto(market.clock.time_ms())
        assert 1e4 * np.nanmax(np.abs(funding.rate)) / 2 < PERP_FEES / 2
        linked = [[coin.name for coin in market.coins].index(link.perp) for link in SPOT_LINKS]
        assert abs(np.nanmean(funding.rate[:, linked])) < 2e-6
