"""What `truth()` says of a synthetic market, against what its prices do."""

from collections import Counter
from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kstest
from statsmodels.tsa.stattools import coint

from hlpairs_core.simulation import PlantedPair, SimulatedMarket, synthetic_market
from hlpairs_core.simulation.factors import FactorModel
from hlpairs_core.simulation.listings import SPOT_LINKS, listed_coins
from hlpairs_core.simulation.planted import planted_pairs
from hlpairs_core.simulation.relations import Relation

HOUR = 3_600_000
START = "2026-09-01"


def market_of(seed: int, **options: object) -> SimulatedMarket:
    return synthetic_market(seed, **{"n_coins": 60, "start": START, "clock": lambda: 0.0, **options})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def markets() -> list[SimulatedMarket]:
    return [market_of(seed) for seed in (1, 2, 3)]


def logs(market: SimulatedMarket) -> pd.DataFrame:
    """Logs of closes up to now; NaN where a coin has none."""
    bars, _ = market.history.upto(market.clock.time_ms())
    rows = bars.index(market.clock.time_ms())
    return pd.DataFrame(np.log(bars.close[:rows]), columns=[coin.name for coin in market.coins])


def spread_of(prices: pd.DataFrame, pair: PlantedPair) -> pd.Series:
    return prices[pair.y] - pair.hedge_ratio * prices[pair.x]


def drawn(seed: int, n_coins: int = 60) -> tuple[PlantedPair, ...]:
    listings = listed_coins(n_coins)
    return planted_pairs(seed, listings, FactorModel.drawn(seed, listings, planted=True), planted=True)


def relations(seed: int, *, planted: bool = True) -> tuple[Relation, ...]:
    return FactorModel.drawn(seed, listed_coins(60), planted=planted).relations


def test_steady_pairs_are_cointegrated(markets: list[SimulatedMarket]) -> None:
    for market in markets:
        prices = logs(market).iloc[-4000:]
        for pair in (pair for pair in market.truth() if pair.kind != "spot" and not pair.breaks):
            assert coint(prices[pair.y], prices[pair.x], maxlag=2, autolag=None)[1] < 0.01, pair


def test_spreads_have_the_half_life_and_the_deviation_that_the_truth_says(markets: list[SimulatedMarket]) -> None:
    """Averaged over pairs: one spread of a long half-life is too short a sample."""
    half, size = [], []
    for market in markets:
        prices = logs(market)
        for pair in (pair for pair in market.truth() if pair.kind != "spot" and not pair.breaks):
            spread = spread_of(prices, pair)
            half.append(spread.autocorr(round(pair.half_life_hours)))
            size.append(spread.std() / pair.spread_sd)
    assert len(half) >= 12
    assert np.mean(half) == pytest.approx(0.5, abs=0.06)
    assert np.mean(size) == pytest.approx(1.0, abs=0.1)


def test_parameters_have_the_distributions_of_the_docs() -> None:
    pairs = [pair for seed in range(120) for pair in drawn(seed) if pair.kind == "planted"]
    assert len(pairs) == 120 * 6
    half_life = np.array([pair.half_life_hours for pair in pairs])
    ratio = np.array([pair.hedge_ratio for pair in pairs])
    noise = np.array([pair.spread_sd for pair in pairs]) * np.sqrt(1 - 0.25 ** (1 / half_life))
    assert kstest(np.log(half_life / 6) / np.log(12), "uniform").pvalue > 0.01
    assert kstest((ratio - 0.6) / 0.8, "uniform").pvalue > 0.01
    assert kstest(np.log(noise / 0.0005) / np.log(12), "uniform").pvalue > 0.01
    assert np.mean([pair.breaks for pair in pairs]) == pytest.approx(1 / 3)


@pytest.mark.parametrize("n_coins", [2, 4, 12, 20, 60, 250])
def test_the_truth_is_transitively_closed(n_coins: int) -> None:
    for seed in range(10):
        pairs = {frozenset((pair.y, pair.x)): pair for pair in drawn(seed, n_coins)}
        assert len(pairs) == len(drawn(seed, n_coins))
        for one, other in combinations(pairs, 2):
            if len(one & other) == 1:
                assert one ^ other in pairs


def test_a_pair_that_follows_from_two_others_has_their_quotient_as_its_hedge() -> None:
    for seed in range(20):
        pairs = drawn(seed)
        planted = {(pair.y, pair.x): pair for pair in pairs if pair.kind == "planted"}
        implied = [pair for pair in pairs if pair.kind == "implied"]
        assert len(implied) == 2
        for pair in implied:
            trend = next(x for y, x in planted if y == pair.y)
            first, second = planted[pair.y, trend], planted[pair.x, trend]
            ratio = first.hedge_ratio / second.hedge_ratio
            assert pair.hedge_ratio == pytest.approx(ratio)
            assert pair.spread_sd == pytest.approx(np.hypot(first.spread_sd, ratio * second.spread_sd))
            assert pair.breaks == (first.breaks or second.breaks)
            parts = sorted((first.half_life_hours, second.half_life_hours))
            assert parts[0] <= pair.half_life_hours <= parts[1]


def test_a_break_moves_the_mean_when_the_truth_says_so_and_for_good() -> None:
    moved = []
    for seed in range(4):
        market = market_of(seed)
        prices, now = logs(market), market.clock.time_ms()
        for pair in (pair for pair in market.truth() if pair.kind == "planted" and pair.breaks):
            hours = (np.array(pair.breaks_at(now)) - 1_735_689_600_000) // HOUR
            far_apart = hours[1:-1][(np.diff(hours)[:-1] > 500) & (np.diff(hours)[1:] > 500)]
            spread = spread_of(prices, pair)
            for hour in far_apart:
                before, after = spread[hour - 400 : hour - 1].mean(), spread[hour : hour + 399].mean()
                moved.append(abs(after - before) / pair.spread_sd)
    # Means of 400 hours of spreads with half-lives of up to 72 are themselves uncertain by half a deviation.
    assert len(moved) >= 8
    assert np.min(moved) > 2
    assert 3 < np.mean(moved) < 6


def test_breaks_come_once_in_sixty_days_and_are_known_up_to_the_time_asked() -> None:
    pair = next(pair for pair in drawn(5) if pair.breaks and pair.kind == "planted")
    end = 1_735_689_600_000 + 200_000 * HOUR
    counts = [len(replace(pair, seed=seed).breaks_at(end)) for seed in range(30)]
    assert np.mean(counts) == pytest.approx(200_000 / 1440, rel=0.05)
    known = pair.breaks_at(end)
    assert pair.breaks_at(known[3]) == known[:4]
    assert pair.breaks_at(known[3] - 1) == known[:3]
    assert pair.breaks_at(0) == ()
    steady = next(pair for pair in drawn(5) if not pair.breaks)
    assert steady.breaks_at(end) == ()


def test_an_implied_pair_breaks_when_either_of_its_two_does() -> None:
    end = 1_735_689_600_000 + 20_000 * HOUR
    pairs = drawn(5)
    implied = next(pair for pair in pairs if pair.kind == "implied" and pair.breaks)
    parts = [pair for pair in pairs if pair.kind == "planted" and pair.y in (implied.y, implied.x)]
    assert implied.breaks_at(end) == tuple(sorted({time for pair in parts for time in pair.breaks_at(end)}))


def test_decoys_move_as_closely_as_planted_pairs_and_do_not_revert() -> None:
    p_values, correlation = {True: [], False: []}, {True: [], False: []}
    for seed in range(8):
        market = market_of(seed)
        prices = logs(market).to_numpy()[-2000:]
        returns = np.diff(prices, axis=0)
        for relation in (one for one in relations(seed) if not one.breaks):
            y, x, reverts = relation.y, relation.x, relation.half_life_hours is not None
            correlation[reverts].append(np.corrcoef(returns[:, y], returns[:, x])[0, 1])
            p_values[reverts].append(coint(prices[:, y], prices[:, x], maxlag=2, autolag=None)[1])
    assert np.median(correlation[True]) == pytest.approx(np.median(correlation[False]), abs=0.03)
    assert np.median(correlation[False]) > 0.95
    assert np.mean(np.array(p_values[True]) < 0.05) > 0.9
    assert np.mean(np.array(p_values[False]) < 0.05) < 0.2


def test_pairs_are_made_of_liquid_steady_coins_the_hedge_being_the_larger() -> None:
    for n_coins in (12, 60, 250):
        listings = {listing.coin.name: listing for listing in listed_coins(n_coins)}
        for seed in range(5):
            for pair in (pair for pair in drawn(seed, n_coins) if pair.kind != "spot"):
                y, x = listings[pair.y], listings[pair.x]
                assert 5e5 <= y.day_usd <= x.day_usd
                assert y.steady
                assert x.steady


def test_spot_pairs_are_said_to_hang_on_their_perpetual_alone() -> None:
    links = {link.name: link.perp for link in SPOT_LINKS}
    for planted in (True, False):
        spots = {pair.y: pair.x for pair in market_of(1, planted=planted).truth() if pair.kind == "spot"}
        assert spots == links
    counts = Counter(name for pair in drawn(1) for name in (pair.y, pair.x))
    assert all(counts[name] == 1 for link in links.items() for name in link)


def test_planted_pairs_earn_what_their_parameters_promise() -> None:
    """Entered at |z| >= 2 one bar later, left at |z| <= 0.5 or after 48 hours; before costs."""
    expected, earned = [], []
    for seed in range(4):
        market = market_of(seed)
        bars, _ = market.history.upto(market.clock.time_ms())
        prices = logs(market)
        opens = pd.DataFrame(np.log(bars.open), columns=prices.columns)
        for pair in (pair for pair in market.truth() if pair.kind == "planted" and not pair.breaks):
            spread, at_open = spread_of(prices, pair), spread_of(opens, pair)
            z = ((spread - spread.mean()) / pair.spread_sd).to_numpy()
            hour = 0
            while (ahead := np.flatnonzero(np.abs(z[hour:-60]) >= 2)).size:
                signal = hour + int(ahead[0])
                side = -np.sign(z[signal])
                near = np.flatnonzero(-side * z[signal + 1 : signal + 48] <= 0.5)
                out = signal + 2 + int(near[0]) if near.size else signal + 49
                earned.append(side * (at_open[out] - at_open[signal + 1]) / pair.spread_sd)
                hold = min(48, pair.half_life_hours * np.log2(abs(z[signal]) / 0.5))
                expected.append(abs(z[signal]) * (1 - 0.5 ** (hold / pair.half_life_hours)))
                hour = out
    assert len(earned) > 800
    assert np.mean(earned) == pytest.approx(np.mean(expected), rel=0.15)
