"""What holds for any market: the identities of profit, no look-ahead, and that noise earns minus its costs."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hlpairs_core.backtest import (
    Backtest,
    Decision,
    FrozenSignals,
    Moment,
    Portfolio,
    ScreenStrategy,
    Signal,
    backtest_pairs,
)
from hlpairs_core.costs import CostModel
from hlpairs_core.market import Panel, PanelReport
from hlpairs_core.screening import ScreenSettings

SCREEN = ScreenSettings(window=30, horizon_hours=8.0, z_in=1.5, p_max=0.5, lag_rule=0, min_day_notional_usd=0.0)
PORTFOLIOS = (
    Portfolio(stop_z=3.0, max_pairs_per_coin=3),
    Portfolio(margin="isolated", sizing="capital", capital_share=0.5, delay_bars=1, max_pairs_per_coin=2),
    Portfolio(margin="cross", sizing="volatility", risk_bps=300.0, capital_usd=30_000.0, stop_bps=150.0),
    Portfolio(max_leverage=0.15, max_leg_usd=4_000.0, delay_bars=2),
)
COINS = ("A", "B", "C", "D")


def market(rng: np.random.Generator, n_bars: int = 80, volatility: float = 0.02) -> Panel:
    close = 100 * np.exp(np.cumsum(rng.normal(0, volatility, (n_bars, len(COINS))), axis=0))
    opens = close * np.exp(rng.normal(0, volatility / 4, close.shape))
    reach = np.abs(rng.normal(0, volatility / 2, close.shape))
    volume = rng.uniform(1e3, 1e5, close.shape) * (rng.random(close.shape) > 0.05)
    return panel_of(opens, close, reach, volume, rng.normal(0, 1e-4, close.shape))


def panel_of(opens: np.ndarray, close: np.ndarray, reach: np.ndarray, volume: np.ndarray, rate: np.ndarray) -> Panel:
    time = pd.date_range("2025-01-01T00:00Z", periods=len(close), freq="1h").as_unit("ms")
    high, low = np.maximum(opens, close) * (1 + reach), np.minimum(opens, close) * np.exp(-reach)
    report = PanelReport(close.size, close.size, True, pd.DataFrame())
    return Panel(time, COINS, "1h", opens, high, low, close, volume, rate, report)


class AnyPair:
    """Enters and leaves at random, but always alike for the same closed bars."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def decide(self, moment: Moment) -> Decision:
        if moment.bar % 3:
            return Decision()
        close = moment.known.close
        rng = np.random.default_rng([self._seed, moment.bar, int(1e6 * close[-1, 0])])
        y, x = rng.permutation(4)[:2]
        beta = float(rng.uniform(-2, 2))
        short = bool(rng.random() < 0.5)
        signal = Signal(
            y=COINS[y], x=COINS[x],
            side_y="short" if short else "long", side_x="long" if short == (beta > 0) else "short",
            alpha=float(np.log(close[-1, y]) - beta * np.log(close[-1, x])) - (0.05 if short else -0.05), beta=beta,
            sigma=0.02,
        )  # fmt: skip
        held = [one for one in moment.open_pairs if rng.random() < 0.2]
        leave = frozenset(one.pair for one in held[:1])
        rehedge = {one.pair: replace(one, beta=one.beta * 1.5) for one in held[1:]}
        return Decision(enter=(signal,) if rng.random() < 0.7 else (), leave=leave, rehedge=rehedge)


def run(panel: Panel, seed: int, portfolio: Portfolio, **options: Any) -> Backtest:
    return backtest_pairs(
        panel, strategy=AnyPair(seed), settings=replace(SCREEN, leverage=3.0), portfolio=portfolio,
        max_leverage=dict.fromkeys(COINS, 10.0), **options,
    )  # fmt: skip


seeds = st.integers(0, 10_000)
portfolios = st.sampled_from(PORTFOLIOS)
few = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@few
@given(seeds, portfolios, st.booleans())
def test_profits_add_up(seed: int, portfolio: Portfolio, lots: bool) -> None:
    panel = market(np.random.default_rng(seed))
    decimals = dict.fromkeys(COINS, 2) if lots else None
    got = run(panel, seed, portfolio, sz_decimals=decimals)
    trades, equity = got.trades, got.equity
    net = trades["gross_usd"] - trades["fee_usd"] - trades["slippage_usd"] + trades["funding_usd"]
    np.testing.assert_allclose(trades["net_usd"], net, atol=1e-9)
    np.testing.assert_allclose(equity["cash_usd"] + equity["unrealised_usd"], equity["equity_usd"], atol=1e-9)
    change = equity["equity_usd"].iloc[-1] - portfolio.capital_usd
    assert abs(trades["net_usd"].sum() - change) < 1e-9 * max(1.0, portfolio.capital_usd / 1e3)
    filled = got.orders[got.orders["status"] == "filled"]
    assert filled["fee_usd"].sum() == pytest.approx(trades["fee_usd"].sum(), abs=1e-9)
    assert filled["slippage_usd"].sum() == pytest.approx(trades["slippage_usd"].sum(), abs=1e-9)
    # Where nothing is held there is no unrealised profit, and the closed trades are the whole change.
    for time, row in equity[equity["pairs"] == 0].iterrows():
        closed = trades.loc[trades["exit_time"] <= time, "net_usd"].sum()
        assert abs(row["equity_usd"] - portfolio.capital_usd - closed) < 1e-7


@few
@given(seeds, portfolios)
def test_every_bars_equity_is_the_sum_of_its_fills_funding_and_marks(seed: int, portfolio: Portfolio) -> None:
    panel = market(np.random.default_rng(seed))
    without_funding = replace(panel, funding=np.zeros(panel.close.shape))
    got = run(without_funding, seed, replace(portfolio, margin="none"))
    units, cash = np.zeros(len(COINS)), portfolio.capital_usd
    filled = got.orders[got.orders["status"] == "filled"]
    known_at = filled["time"].where(filled["reason"] != "data end", panel.closed_at)
    for bar, time in enumerate(got.equity.index):
        now = filled[(known_at < time) & (known_at >= panel.time[bar])]
        if bar == panel.n_bars - 1:
            break
        for _, fill in now.iterrows():
            for leg in "yx":
                units[COINS.index(fill[leg])] += fill[f"units_{leg}"]
                cash -= fill[f"units_{leg}"] * fill[f"price_{leg}"]
            cash -= fill["fee_usd"] + fill["slippage_usd"]
        assert got.equity["equity_usd"].iloc[bar] == pytest.approx(cash + units @ panel.close[bar], abs=1e-7)


@few
@given(seeds, portfolios, st.integers(30, 75))
def test_what_happens_later_changes_nothing_before(seed: int, portfolio: Portfolio, bar: int) -> None:
    rng = np.random.default_rng(seed)
    panel = market(rng)
    arrays = {name: getattr(panel, name).copy() for name in ("open", "high", "low", "close", "volume", "funding")}
    factor = np.exp(rng.normal(0, 0.3, arrays["close"][bar + 1 :].shape))
    for name in ("open", "high", "low", "close", "volume"):
        arrays[name][bar + 1 :] *= factor
    arrays["funding"][bar + 1 :] *= -5.0
    before, after = run(panel, seed, portfolio), run(replace(panel, **arrays), seed, portfolio)
    close = panel.time[bar] + pd.Timedelta(hours=1)
    np.testing.assert_array_equal(before.equity.loc[:close], after.equity.loc[:close])
    for name in ("trades", "orders"):
        ended = "exit_time" if name == "trades" else "time"
        first, second = (table[table[ended] < close] for table in (getattr(before, name), getattr(after, name)))
        pd.testing.assert_frame_equal(first, second)


def test_the_screens_decisions_do_not_look_ahead() -> None:
    panel = market(np.random.default_rng(3), n_bars=60)
    strategy = ScreenStrategy(
        settings=SCREEN, costs=CostModel(), every=4, rehedge=True,
        choose=lambda result: tuple(map(_candidate(result), range(min(2, len(result.candidates))))),
    )  # fmt: skip
    portfolio = Portfolio(max_pairs_per_coin=2)
    whole = backtest_pairs(panel, strategy=strategy, settings=SCREEN, portfolio=portfolio)
    assert len(whole.trades) > 3
    for stop in (47, 53):
        part = backtest_pairs(panel.rows(0, stop), strategy=strategy, settings=SCREEN, portfolio=portfolio)
        close = panel.time[stop - 1]
        np.testing.assert_array_equal(whole.equity.loc[:close].to_numpy(), part.equity.loc[:close].to_numpy())


def _candidate(result: Any) -> Any:
    rows = result.candidates
    return lambda place: result.candidate(rows["y"].iloc[place], rows["x"].iloc[place])


def test_a_held_pair_whose_test_fails_is_left_and_one_that_passes_is_hedged_again() -> None:
    panel = market(np.random.default_rng(8), n_bars=120)
    patient = replace(SCREEN, z_out=0.0, horizon_hours=60.0, p_max=0.9)
    strategy = ScreenStrategy(
        settings=patient, costs=CostModel(), every=6, rehedge=True,
        choose=lambda result: tuple(map(_candidate(result), range(min(1, len(result.candidates))))),
    )  # fmt: skip
    got = backtest_pairs(panel, strategy=strategy, settings=patient)
    hedges = got.orders[got.orders["action"] == "rehedge"]
    assert len(hedges)
    assert (hedges["units_y"] == 0).all()
    assert (hedges["fee_usd"] > 0).all()
    assert (hedges["slippage_usd"] > 0).all()
    assert got.trades["rehedges"].sum() == len(hedges)
    strict = replace(patient, p_max=0.05)
    failed = backtest_pairs(panel, strategy=replace(strategy, settings=strict), settings=patient)
    assert "test failed" in set(failed.trades["exit_reason"])
    kept = replace(strategy, settings=strict, leave_on_failure=False)
    assert "test failed" not in set(backtest_pairs(panel, strategy=kept, settings=patient).trades["exit_reason"])


def test_noise_earns_minus_its_costs() -> None:
    rng = np.random.default_rng(17)
    net, gross = [], []
    for seed in range(6):
        close = 100 * np.exp(np.cumsum(rng.normal(-0.00005, 0.01, (700, 4)), axis=0))
        opens = np.vstack([close[:1], close[:-1]])
        panel = panel_of(opens, close, np.zeros(close.shape), np.full(close.shape, 1e6), np.zeros(close.shape))
        got = backtest_pairs(panel, strategy=AnyPair(seed), settings=SCREEN, costs=CostModel(taker_fee_bps=20.0))
        net.append(got.trades["net_bps"].to_numpy())
        gross.append(got.trades["gross_bps"].to_numpy())
        costs = got.trades["fee_bps"] + got.trades["slippage_bps"]
        np.testing.assert_allclose(got.trades["gross_bps"] - got.trades["net_bps"], costs, atol=1e-9)
    earned, priced = np.concatenate(net), np.concatenate(gross)
    error = earned.std(ddof=1) / np.sqrt(len(earned))
    assert len(earned) > 500
    assert abs(priced.mean()) < 3 * error
    assert earned.mean() < -40 + 3 * error
    assert earned.mean() + 42 == pytest.approx(priced.mean(), abs=2.0)  # two fees of 20 and slippage, less a bit


def test_given_signals_may_be_none_at_all() -> None:
    got = backtest_pairs(market(np.random.default_rng(1)), strategy=FrozenSignals([]), settings=SCREEN)
    assert got.trades.empty
    assert (got.equity["equity_usd"] == 100_000).all()
