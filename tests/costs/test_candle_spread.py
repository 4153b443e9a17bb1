"""Spreads from candles, against a drawn bid-ask bounce, the authors' own programme and each other."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hlpairs_core._typing import FloatArray
from hlpairs_core.costs import abdi_ranaldo_spread, edge_spread, half_spread_from_candles
from hlpairs_core.exceptions import InputError
from hlpairs_core.market import Panel, tick_at


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def bounce(
    rng: np.random.Generator, *, spread: float, n_bars: int = 4000, n_trades: int = 60, volatility: float = 0.005
) -> dict[str, FloatArray]:
    """Candles of trades that hit the bid or the ask by a coin's toss; `volatility` is a bar's."""
    steps = rng.standard_normal(n_bars * n_trades) * volatility / np.sqrt(n_trades)
    fair = 100 * np.exp(np.cumsum(steps))
    price = fair * (1 + spread / 2 * rng.choice([-1.0, 1.0], fair.size))
    bars = price.reshape(n_bars, n_trades)
    return {"open": bars[:, 0], "high": bars.max(axis=1), "low": bars.min(axis=1), "close": bars[:, -1]}


def estimates(candles: dict[str, FloatArray]) -> tuple[float, float]:
    hlc = {name: candles[name] for name in ("high", "low", "close")}
    return float(edge_spread(**candles)), float(abdi_ranaldo_spread(**hlc))


@pytest.mark.parametrize("spread", [0.002, 0.005, 0.01])
def test_both_estimators_find_the_spread_of_a_drawn_bounce(rng: np.random.Generator, spread: float) -> None:
    edge, abdi_ranaldo = estimates(bounce(rng, spread=spread))
    assert edge == pytest.approx(spread, rel=0.1)
    assert abdi_ranaldo == pytest.approx(spread, rel=0.15)


def test_with_few_trades_a_bar_edge_stays_near_and_abdi_ranaldo_is_too_low(rng: np.random.Generator) -> None:
    drawn = [estimates(bounce(rng, spread=0.01, n_bars=8000, n_trades=3)) for _ in range(8)]
    edge, abdi_ranaldo = np.mean(drawn, axis=0)
    assert edge == pytest.approx(0.01, rel=0.06)
    assert abdi_ranaldo < 0.9 * edge


def test_without_a_spread_the_squared_estimate_is_as_often_negative_as_positive(rng: np.random.Generator) -> None:
    markets = [bounce(rng, spread=0.0, n_bars=300, n_trades=20) for _ in range(60)]
    stacked: Any = {name: np.column_stack([market[name] for market in markets]) for name in markets[0]}
    negative = float(np.mean(edge_spread(**stacked) < 0))
    assert 0.3 < negative < 0.7


def test_the_estimate_is_that_of_the_authors_own_programme() -> None:
    # bidask 2.1.0 (Python, by the authors) on these candles, of which it was asked for the signed estimate.
    candles = bounce(np.random.default_rng(20240501), spread=0.003, n_bars=500, n_trades=5)
    candles["high"][100:103] = candles["low"][100:103] = candles["open"][100:103] = candles["close"][100:103] = 100.0
    assert float(edge_spread(**candles)) == pytest.approx(0.0028062903017339715, rel=1e-12)
    candles = {name: np.where(np.arange(500) % 50 == 7, np.nan, values) for name, values in candles.items()}
    assert float(edge_spread(**candles)) == pytest.approx(0.0026979818420356998, rel=1e-12)


def test_all_coins_at_once_are_the_coins_one_by_one(rng: np.random.Generator) -> None:
    markets = [bounce(rng, spread=spread, n_bars=200) for spread in (0.001, 0.01)]
    stacked: Any = {name: np.column_stack([market[name] for market in markets]) for name in markets[0]}
    np.testing.assert_allclose(edge_spread(**stacked), [float(edge_spread(**market)) for market in markets])
    stacked.pop("open")
    np.testing.assert_allclose(abdi_ranaldo_spread(**stacked), [estimates(market)[1] for market in markets])


def test_scaling_prices_changes_nothing(rng: np.random.Generator) -> None:
    candles = bounce(rng, spread=0.004, n_bars=300)
    scaled: Any = {name: values * 1e-6 for name, values in candles.items()}
    assert estimates(scaled) == pytest.approx(estimates(candles), rel=1e-6)


def panel_of(markets: list[dict[str, FloatArray]], volume: float = 1.0) -> Panel:
    n_bars = len(markets[0]["open"])
    time = pd.date_range("2025-01-01", periods=n_bars, freq="h", tz="UTC")
    rows = [
        pd.DataFrame({"coin": f"C{number}", "time": time, **market, "volume": volume})
        for number, market in enumerate(markets)
    ]
    return Panel.from_candles(pd.concat(rows))


def test_a_spread_that_cannot_be_seen_is_half_a_tick_and_one_that_can_is_half_the_spread(
    rng: np.random.Generator,
) -> None:
    panel = panel_of([bounce(rng, spread=0.01, n_bars=1000), bounce(rng, spread=0.0, n_bars=1000)])
    unseen = float(edge_spread(*(getattr(panel, name)[:, 1] for name in ("open", "high", "low", "close"))))
    half = half_spread_from_candles(panel, tick=[0.01, 1.0])
    assert half[0] == pytest.approx(50, rel=0.15)
    assert unseen < 0.005
    assert half[1] == pytest.approx(1e4 * 0.5 / panel.close[-1, 1])
    assert np.all(half_spread_from_candles(panel, tick=0.01, method="abdi_ranaldo") > 0)


def test_a_coin_with_too_few_trades_has_an_unknown_spread_not_none(rng: np.random.Generator) -> None:
    panel = panel_of([bounce(rng, spread=0.01, n_bars=40)])
    assert np.isnan(half_spread_from_candles(panel, tick=0.01)).all()
    assert np.isfinite(half_spread_from_candles(panel, tick=0.01, least_bars=40)).all()


@pytest.mark.parametrize("n_bars", [2, 3, 30])
def test_prices_that_never_move_tell_nothing(n_bars: int) -> None:
    flat = np.full(n_bars, 5.0)
    assert np.isnan(edge_spread(flat, flat, flat, flat))
    assert np.isnan(abdi_ranaldo_spread(flat, flat, flat))


def test_what_is_no_candle_is_refused() -> None:
    with pytest.raises(InputError, match=r"prices have the shapes \[\(2,\), \(3,\)\]"):
        abdi_ranaldo_spread([1, 2, 3], [1, 2, 3], [1, 2])
    with pytest.raises(InputError, match=r"low is 0\.0: use prices above 0"):
        abdi_ranaldo_spread([1, 2, 3], [1, 0, 3], [1, 2, 3])
    panel: Any = SimpleNamespace(n_coins=1)
    with pytest.raises(InputError, match="method is 'roll': use one of 'edge', 'abdi_ranaldo'"):
        half_spread_from_candles(panel, tick=1.0, method="roll")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="tick is 0: use USD above 0"):
        half_spread_from_candles(panel, tick=0)


@pytest.mark.recordings
def test_illiquid_coins_of_the_recordings_have_the_wider_spreads(recordings: Path) -> None:
    candles = pd.read_parquet(recordings / "candles_5m.parquet")
    panel = Panel.from_candles(candles[candles["coin"].isin(["BTC", "ETH", "SOL", "POPCAT", "kFLOKI", "CFX"])])
    half = half_spread_from_candles(panel, tick=tick_at(panel.close[-1]))
    by_coin = dict(zip(panel.coins, half, strict=True))
    illiquid = [by_coin[coin] for coin in ("POPCAT", "kFLOKI", "CFX")]
    assert max(by_coin["BTC"], by_coin["ETH"]) < min(illiquid)
