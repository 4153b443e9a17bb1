"""Spot pairs of a synthetic market and the perpetuals of their assets."""

import numpy as np
import pandas as pd
import pytest

from hlpairs_core.simulation import SimulatedMarket, synthetic_market
from hlpairs_core.simulation.listings import SPOT_LINKS

START = "2026-06-01"


@pytest.fixture(scope="module")
def market() -> SimulatedMarket:
    return synthetic_market(5, 60, start=START, clock=lambda: 0.0)


def closes(market: SimulatedMarket) -> pd.DataFrame:
    bars, _ = market.history.upto(market.clock.time_ms())
    rows = slice(1000, bars.index(market.clock.time_ms()))
    return pd.DataFrame(bars.close[rows], columns=[coin.name for coin in market.coins])


def basis_of(market: SimulatedMarket, link: object) -> pd.Series:
    prices = closes(market)
    return np.log(prices[link.perp] / prices[link.name])  # type: ignore[attr-defined]


def test_six_coins_have_a_spot_market_and_a_small_exchange_has_those_of_its_perps(market: SimulatedMarket) -> None:
    spots = {coin.name: coin.token for coin in market.coins if coin.kind == "spot"}
    expected = {"PURR/USDC": "PURR", "@107": "HYPE", "@142": "UBTC", "@151": "UETH", "@156": "USOL", "@162": "UFART"}
    assert spots == expected
    small = synthetic_market(5, 2, start=START, clock=lambda: 0.0)
    assert [coin.name for coin in small.coins if coin.kind == "spot"] == ["@142", "@151"]
    assert all(coin.kind == "perp" for coin in market.coins[:60])


@pytest.mark.parametrize("name", ["PURR/USDC", "@107", "@142", "@151"])
def test_hourly_changes_of_a_basis_are_mostly_last_trades(market: SimulatedMarket, name: str) -> None:
    """Recorded lag-1 autocorrelations: HYPE -0.47, PURR -0.48, UETH -0.37."""
    link = next(link for link in SPOT_LINKS if link.name == name)
    basis = basis_of(market, link)
    assert -0.52 < basis.diff().autocorr(1) < -0.3
    assert basis.std() < 0.01
    assert basis.rolling(24).mean().autocorr(72) > 0.1


def test_funding_follows_the_basis(market: SimulatedMarket) -> None:
    """Recorded correlations of 24-hour means: HYPE 0.90, PURR 0.67, UETH 0.55."""
    _, funding = market.history.upto(market.clock.time_ms())
    names = [coin.name for coin in market.coins]
    for link in SPOT_LINKS[:4]:
        basis = basis_of(market, link).rolling(24).mean()
        rate = pd.Series(funding.rate[1001:, names.index(link.perp)][: len(basis)]).rolling(24).mean()
        assert basis.corr(rate) > 0.5, link.name


def test_a_spot_price_is_its_perp_s_less_the_premium_within_half_its_spread(market: SimulatedMarket) -> None:
    bars, funding = market.history.upto(market.clock.time_ms())
    assert funding.premium is not None
    names = [coin.name for coin in market.coins]
    hours = np.arange(1000, 9000)
    for link in SPOT_LINKS:
        spot, perp = names.index(link.name), names.index(link.perp)
        heard = hours[bars.volume[hours, spot] > 0]
        at_close = funding.premium.open[heard + 1, perp]
        apart = np.log(bars.close[heard, spot] * (1 + at_close) / bars.close[heard, perp])
        # Each price is rounded to its tick.
        assert np.abs(apart).max() < market.least_half_spread_bps[spot] / 1e4 + 2e-4
        assert np.abs(apart).max() > 0.9 * market.least_half_spread_bps[spot] / 1e4


def test_spot_pairs_have_ticks_of_eight_decimals_and_no_funding(market: SimulatedMarket) -> None:
    bars, funding = market.history.upto(market.clock.time_ms())
    purr = [coin.name for coin in market.coins].index("PURR/USDC")
    close = bars.close[:, purr]
    finer = np.round(close, 6) != np.round(close, 8)
    assert finer.any() == bool((close < 0.1).any())
    assert not np.isfinite(funding.rate[:, market.kinds == "spot"]).any()


def test_some_spot_markets_hardly_trade(market: SimulatedMarket) -> None:
    bars, _ = market.history.upto(market.clock.time_ms())
    silent = {coin.name: (bars.volume[:, column] == 0).mean() for column, coin in enumerate(market.coins)}
    assert silent["@156"] == pytest.approx(0.12, abs=0.02)
    assert silent["@162"] == pytest.approx(0.23, abs=0.02)
    assert silent["@107"] == 0


def test_books_of_spot_pairs_are_as_wide_as_their_last_trades_wander(market: SimulatedMarket) -> None:
    bars, _ = market.history.upto(market.clock.time_ms())
    state = market.state(bars, bars.index(market.clock.time_ms()))
    assert (state.half_spread_bps >= market.least_half_spread_bps).all()
    assert (market.least_half_spread_bps[market.kinds == "spot"] >= 4).all()
    assert (market.least_half_spread_bps[market.kinds != "spot"] == 0).all()
