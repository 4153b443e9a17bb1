"""The event-driven backtest, case by case by hand, and against the trade of one candidate."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hlpairs_core.backtest import (
    Backtest,
    Decision,
    FrozenSignals,
    Moment,
    Portfolio,
    Signal,
    backtest_pairs,
    simulate_trade,
)
from hlpairs_core.costs import CostModel
from hlpairs_core.exceptions import InputError
from hlpairs_core.market import Panel
from hlpairs_core.metrics import performance
from hlpairs_core.screening import Candidate, ScreenSettings

SETTINGS = ScreenSettings(horizon_hours=6.0)
FREE = CostModel(taker_fee_bps=0.0, half_spread_bps=0.0, impact_coefficient=0.0)
Bars = Callable[..., Panel]
Candidates = Callable[..., Candidate]
SIGNAL_BAR = 4


def prices(spread_z: list[float], n_before: int = 4) -> np.ndarray:
    """Closes with x at 100 and y at 100 exp(z / 100): z as given, 0 before; the first given is the signal's."""
    z = np.array([0.0] * n_before + spread_z)
    return np.column_stack([100 * np.exp(z / 100), np.full(len(z), 100.0)])


def signals(panel: Panel, *entries: tuple[int, Any]) -> FrozenSignals:
    """Signals at the closes of these bars."""
    return FrozenSignals([(panel.time[bar] + pd.Timedelta(hours=1), one) for bar, one in entries])


def trade(panel: Panel, candidate: Any, costs: CostModel = FREE, **options: Any) -> Backtest:
    portfolio = options.pop("portfolio", Portfolio())
    settings = options.pop("settings", SETTINGS)
    strategy = signals(panel, (SIGNAL_BAR, candidate))
    return backtest_pairs(panel, strategy=strategy, settings=settings, costs=costs, portfolio=portfolio, **options)


def coins_of(names: str, z: list[float], make_bars: Bars) -> Panel:
    """Pairs Y1/X1, Y2/X2, … that all move alike."""
    pair = prices(z)
    return make_bars(np.tile(pair, (1, len(names.split()) // 2)), coins=tuple(names.split()))


def test_one_candidate_is_traded_as_simulate_trade_does(make_bars: Bars, make_candidate: Candidates) -> None:
    rng = np.random.default_rng(5)
    for _ in range(40):
        close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, (60, 2)), axis=0))
        opens = close * np.exp(rng.normal(0, 0.002, close.shape))
        volume = rng.uniform(0, 100, close.shape) * (rng.random(close.shape) > 0.2)
        panel = make_bars(close, open_=opens, volume=volume, funding=rng.normal(0, 1e-4, close.shape))
        short = bool(rng.random() < 0.5)
        candidate = make_candidate(
            sigma=0.03, beta=float(rng.uniform(-2, 2)), side_y="short" if short else "long",
            side_x="long" if rng.random() < 0.5 else "short",
        )  # fmt: skip
        bar = int(rng.integers(10, 50))
        alone = simulate_trade(panel, candidate, entry_bar=bar + 1, settings=SETTINGS, costs=CostModel())
        got = backtest_pairs(panel, strategy=signals(panel, (bar, candidate)), settings=SETTINGS, costs=CostModel())
        if alone.exit_reason == "no entry":
            assert got.trades.empty
            continue
        row = got.trades.iloc[0]
        for name in ("gross_bps", "fee_bps", "slippage_bps", "funding_bps", "net_bps", "hold_hours", "entry_zscore"):
            assert row[name] == pytest.approx(getattr(alone, name), abs=1e-9), name
        assert (row["entry_time"], row["exit_time"]) == (alone.entry_time, alone.exit_time)
        assert row["exit_reason"] == alone.exit_reason


def test_units_are_fixed_at_entry_and_the_equity_follows_the_closes(
    make_bars: Bars, make_candidate: Candidates
) -> None:
    close = prices([3.0, 2.5, 1.0, 0.4, 0.2, 0.0])
    opens = close.copy()
    opens[5], opens[8] = [102.0, 100.0], [101.0, 103.0]
    got = trade(make_bars(close, open_=opens), make_candidate())
    row = got.trades.iloc[0]
    assert row["units_y"] == pytest.approx(-5000 / 102)
    assert row["units_x"] == pytest.approx(50.0)
    assert row["gross_usd"] == pytest.approx(5000 / 102 * 1.0 + 50 * 3.0)
    held = got.equity.loc["2025-01-01T07:00Z"]  # close of bar 6
    assert held["unrealised_usd"] == pytest.approx(-5000 / 102 * (close[6, 0] - 102.0))
    assert held["cash_usd"] == 100_000
    assert held["gross_usd"] == pytest.approx(5000 / 102 * close[6, 0] + 5000)
    assert held["pairs"] == 1
    assert got.equity["equity_usd"].iloc[-1] == pytest.approx(100_000 + row["net_usd"], abs=1e-9)


@pytest.mark.parametrize("delay", [0, 1, 2])
def test_a_delay_moves_entry_and_exit(make_bars: Bars, make_candidate: Candidates, delay: int) -> None:
    panel = make_bars(prices([3.0, 3.0, 3.0, 3.0, 0.0, 0.0, 0.0, 0.0]))
    row = trade(panel, make_candidate(), portfolio=Portfolio(delay_bars=delay)).trades.iloc[0]
    assert row["entry_time"] == panel.time[5 + delay]
    assert row["exit_time"] == panel.time[9 + delay]


@pytest.mark.parametrize(("stamp", "counts"), [(4, False), (5, False), (6, True), (7, True), (8, False), (9, False)])
def test_only_stamps_strictly_between_the_fills_settle(
    make_bars: Bars, make_candidate: Candidates, stamp: int, counts: bool
) -> None:
    close = prices([3.0, 2.0, 2.0, 0.0, 0.0, 0.0])
    funding = np.zeros(close.shape)
    funding[stamp, 0] = 0.01
    row = trade(make_bars(close, funding=funding), make_candidate()).trades.iloc[0]
    assert row["funding_usd"] == pytest.approx(0.01 * 5000 / close[5, 0] * close[stamp, 0] if counts else 0.0)


def test_a_long_of_ten_at_ten_thousand_pays_its_hourly_funding(make_bars: Bars, make_candidate: Candidates) -> None:
    # A premium of 1 % is a rate of 0.11875 % an hour: 118.75 USD on ten units at 10,000.
    close = np.column_stack([np.full(9, 10_000.0), np.full(9, 10_000.0)])
    funding = np.zeros(close.shape)
    funding[6, 0] = 0.0011875
    candidate = make_candidate(side_y="long", side_x="short", alpha=0.05)
    settings = replace(SETTINGS, notional_usd=200_000.0)
    got = trade(make_bars(close, funding=funding), candidate, settings=settings)
    assert got.trades["units_y"].iloc[0] == pytest.approx(10.0)
    assert got.trades["funding_usd"].iloc[0] == pytest.approx(-118.75)


def test_an_order_waits_for_a_bar_in_which_both_coins_trade(make_bars: Bars, make_candidate: Candidates) -> None:
    close = prices([3.0, 3.0, 3.0, 3.0, 0.0, 0.0, 0.0])
    volume = np.full(close.shape, 1000.0)
    volume[5, 0] = volume[6, 1] = volume[9, 0] = 0.0
    panel = make_bars(close, volume=volume)
    row = trade(panel, make_candidate()).trades.iloc[0]
    assert (row["entry_time"], row["exit_time"]) == (panel.time[7], panel.time[10])


def test_an_entry_that_waits_a_horizon_is_withdrawn(make_bars: Bars, make_candidate: Candidates) -> None:
    close = prices([3.0] * 12)
    volume = np.full(close.shape, 1000.0)
    volume[5:12, 0] = 0.0
    got = trade(make_bars(close, volume=volume), make_candidate())
    assert got.trades.empty
    assert list(got.orders["status"]) == ["expired"]


def test_a_delisted_coin_leaves_at_the_last_close_of_both(make_bars: Bars, make_candidate: Candidates) -> None:
    close = prices([3.0] * 8)
    close[8:, 1] = np.nan
    close[7] = [104.0, 101.0]
    got = trade(make_bars(close), make_candidate())
    row = got.trades.iloc[0]
    assert row["exit_reason"] == "delisted"
    assert row["exit_time"] == pd.Timestamp("2025-01-01T08:00Z")
    assert row["gross_usd"] == pytest.approx(-5000 * (104 / close[5, 0] - 1) + 50)
    assert (got.equity["pairs"].iloc[-1], got.equity["unrealised_usd"].iloc[-1]) == (0, 0.0)


def test_the_equity_becomes_returns_by_the_bars_opens_as_performance_wants_them(
    make_bars: Bars, make_candidate: Candidates
) -> None:
    panel = make_bars(prices([3.0, 2.5, 2.8, 1.7, 0.0] + [0.0] * 15))
    got = trade(panel, make_candidate())
    equity, capital = got.equity["equity_usd"], got.portfolio.capital_usd
    opens = equity.index - pd.Timedelta(hours=got.settings.bar_hours)
    returns = pd.Series(np.diff(equity, prepend=capital) / capital, opens)
    row = got.trades.iloc[0]
    held = (opens >= row["entry_time"]) & (opens < row["exit_time"])
    assert opens.equals(panel.time[-len(opens) :])
    assert (returns[~held] == 0.0).all()
    found = performance(returns, got.trades, unit="fraction", interval=got.settings.interval, capital_usd=capital)
    assert found.exposure == pytest.approx(held.mean())
    assert found.total_bps == pytest.approx(1e4 * row["net_usd"] / capital)
    assert found.drawdown_times["trough"] == panel.time[6]  # the spread went from 2.5 to 2.8 within this bar


@pytest.mark.parametrize("rule", [{"stop_z": 4.0}, {"stop_bps": 40.0}])
def test_a_stop_cuts_the_trade_at_the_next_open(
    make_bars: Bars, make_candidate: Candidates, rule: dict[str, float]
) -> None:
    # From z = 3 to 4 the y leg of 5,000 USD loses 1 %, 50 bps of 10,000.
    panel = make_bars(prices([3.0, 3.0, 3.5, 4.01, 4.5, 4.5]))
    row = trade(panel, make_candidate(), portfolio=Portfolio(**rule)).trades.iloc[0]
    assert row["exit_reason"] == "stop"
    assert row["exit_time"] == panel.time[8]
    assert row["exit_zscore"] == pytest.approx(4.01)


def test_caps_take_the_first_signals_and_say_why_the_others_wait(make_bars: Bars, make_candidate: Candidates) -> None:
    panel = coins_of("A B C D E F", [3.0] * 8, make_bars)
    given = [make_candidate(y=y, x=x) for y, x in ("AB", "AD", "CD", "BA", "EF")]
    got = backtest_pairs(
        panel, strategy=signals(panel, *[(4, one) for one in given]), settings=SETTINGS, costs=FREE,
        portfolio=Portfolio(max_pairs=2),
    )  # fmt: skip
    assert [tuple(row) for row in got.trades[["y", "x"]].to_numpy()] == [("A", "B"), ("C", "D")]
    refused = got.orders[got.orders["status"] == "refused"]
    assert list(refused["reason"]) == ["pairs per coin", "already open", "pairs at once"]


def test_legs_and_leverage_are_scaled_down_to_their_caps(make_bars: Bars, make_candidate: Candidates) -> None:
    panel = coins_of("A B C D E F", [3.0] * 8, make_bars)
    given = [make_candidate(y=y, x=x) for y, x in ("AB", "CD", "EF")]
    caps = Portfolio(capital_usd=10_000.0, max_leg_usd=4_000.0, max_leverage=1.2)
    strategy = signals(panel, *[(4, one) for one in given])
    got = backtest_pairs(panel, strategy=strategy, settings=SETTINGS, costs=FREE, portfolio=caps)
    assert list(got.trades["notional_usd"]) == pytest.approx([8_000.0, 4_000.0])
    assert "below the least order" in set(got.orders["reason"])


def test_capital_and_volatility_size_a_pair(make_bars: Bars, make_candidate: Candidates) -> None:
    panel = make_bars(prices([3.0] * 8))
    by_capital = trade(panel, make_candidate(), portfolio=Portfolio(sizing="capital", capital_share=0.3))
    assert by_capital.trades["notional_usd"].iloc[0] == pytest.approx(30_000.0)
    by_risk = trade(panel, make_candidate(sigma=0.02), portfolio=Portfolio(sizing="volatility", risk_bps=20.0))
    # One σ moves the y leg, half the notional, by 2 %: 200 USD of 100,000 are 1 % of 20,000.
    assert by_risk.trades["notional_usd"].iloc[0] == pytest.approx(20_000.0)


def test_sizes_and_prices_are_those_the_exchange_takes(make_bars: Bars, make_candidate: Candidates) -> None:
    close = prices([3.0, 3.0, 3.0, 0.0, 0.0])
    got = trade(make_bars(close), make_candidate(), sz_decimals={"Y": 1, "X": 0})
    row = got.trades.iloc[0]
    assert close[5, 0] == pytest.approx(103.0454534)
    assert got.orders["price_y"].iloc[0] == 103.05
    assert (row["units_y"], row["units_x"]) == (-48.5, 50.0)
    assert row["notional_usd"] == pytest.approx(48.5 * 103.05 + 5000)


def test_a_leg_that_rounds_to_nothing_is_refused(make_bars: Bars, make_candidate: Candidates) -> None:
    settings = replace(SETTINGS, notional_usd=150.0)
    got = trade(make_bars(prices([3.0] * 6)), make_candidate(), settings=settings, sz_decimals={"Y": 0, "X": 0})
    assert got.trades.empty
    assert got.orders["reason"].iloc[0] == "below the least order"


def test_an_entry_whose_slippage_cannot_be_told_is_refused(make_bars: Bars, make_candidate: Candidates) -> None:
    close = prices([3.0] * 8)
    volume = np.full(close.shape, 1000.0)
    volume[:5, 1] = 0.0
    got = trade(make_bars(close, volume=volume), make_candidate())
    assert list(got.orders["reason"]) == ["slippage unknown"]


def test_bad_input_is_named(make_bars: Bars, make_candidate: Candidates) -> None:
    panel = make_bars(prices([3.0] * 6))
    with pytest.raises(InputError, match="the signals trade 'DOGE', which is no coin of the panel"):
        trade(panel, make_candidate(y="DOGE"))
    with pytest.raises(InputError, match="notional_usd is 19: the least order is 10 USD a leg, so use at least 20"):
        trade(panel, make_candidate(), settings=replace(SETTINGS, notional_usd=19.0))
    with pytest.raises(InputError, match="sz_decimals lacks 'X', which is traded"):
        trade(panel, make_candidate(), sz_decimals={"Y": 2})
    with pytest.raises(InputError, match="sz_decimals names 'Q', which is no coin of the panel"):
        trade(panel, make_candidate(), sz_decimals={"Y": 2, "X": 2, "Q": 1})
    with pytest.raises(InputError, match="sz_decimals of Y is 9"):
        trade(panel, make_candidate(), sz_decimals={"Y": 9, "X": 2})
    with pytest.raises(InputError, match="margin is 'cross' and no max_leverage is given"):
        trade(panel, make_candidate(), portfolio=Portfolio(margin="cross"))
    with pytest.raises(InputError, match="taker_fee_bps is 450"):
        CostModel(taker_fee_bps=450)
    with pytest.raises(InputError, match="max_pairs is 0"):
        Portfolio(max_pairs=0)
    with pytest.raises(InputError, match="the settings say 4h"):
        trade(panel, make_candidate(), settings=replace(SETTINGS, interval="4h", horizon_hours=8.0))
    with pytest.raises(InputError, match="a stop lies beyond the exit"):
        trade(panel, make_candidate(), portfolio=Portfolio(stop_z=0.5))
    with pytest.raises(InputError, match="bars 7 to 3 of 10"):
        trade(panel, make_candidate(), start=7, stop=3)
    with pytest.raises(InputError, match="has no time zone"):
        FrozenSignals([(pd.Timestamp("2025-01-01"), make_candidate())])
    with pytest.raises(InputError, match="the signals lack the column 'sigma'"):
        FrozenSignals(pd.DataFrame(columns=["signal_time", "y", "x", "side_y", "side_x", "alpha", "beta"]))
    with pytest.raises(InputError, match="no bar of the panel closes at the signal time 2025-01-01 05:30"):
        FrozenSignals([(pd.Timestamp("2025-01-01T05:30Z"), make_candidate())]).check(panel)
    with pytest.raises(InputError, match="sigma of Y/X is nan"):
        Signal(y="Y", x="X", side_y="long", side_x="short", alpha=0.0, beta=1.0, sigma=float("nan"))
    with pytest.raises(InputError, match="both legs are 'Y'"):
        Signal(y="Y", x="Y", side_y="long", side_x="short", alpha=0.0, beta=1.0, sigma=0.01)


def test_a_missing_rate_inside_a_hold_is_refused_unless_one_is_assumed(
    make_bars: Bars, make_candidate: Candidates
) -> None:
    funding = np.zeros((9, 2))
    funding[6, 1] = np.nan
    panel = make_bars(prices([3.0, 3.0, 3.0, 0.0, 0.0]), funding=funding)
    with pytest.raises(InputError, match="funding rate of X in the bar of 2025-01-01 06:00 UTC is unknown"):
        trade(panel, make_candidate())
    row = trade(panel, make_candidate(), replace(FREE, assumed_funding_per_hour=0.001)).trades.iloc[0]
    assert row["funding_bps"] == pytest.approx(-0.001 * 5000)
    assert row["funding_assumed"]


def test_a_table_of_candidates_trades_as_the_candidates_do(make_bars: Bars, make_candidate: Candidates) -> None:
    panel = make_bars(prices([3.0, 3.0, 1.0, 0.0, 0.0]))
    one = make_candidate()
    columns = ("y", "x", "side_y", "side_x", "alpha", "beta", "sigma")
    table = pd.DataFrame([{name: getattr(one, name) for name in columns} | {"signal_time": panel.time[5]}])
    by_table = backtest_pairs(panel, strategy=FrozenSignals(table), settings=SETTINGS, costs=FREE)
    pd.testing.assert_frame_equal(by_table.trades, trade(panel, one).trades)


def test_it_says_what_it_earned_with_its_worst(make_bars: Bars, make_candidate: Candidates) -> None:
    got = trade(make_bars(prices([3.0, 3.0, 1.0, 0.0, 0.0])), make_candidate())
    assert "1 trades, net" in repr(got)
    assert "worst 5 %" in repr(got)
    nothing = backtest_pairs(make_bars(prices([3.0] * 5)), strategy=FrozenSignals([]), settings=SETTINGS, costs=FREE)
    assert "no trade" in repr(nothing)


class HedgeAgain:
    """Enters at bar 4 and hedges with a β of 2 at the close of bar 6."""

    def __init__(self, signal: Signal) -> None:
        self._signal = signal

    def decide(self, moment: Moment) -> Decision:
        if moment.bar == SIGNAL_BAR:
            return Decision(enter=(self._signal,))
        again = replace(self._signal, beta=2.0, alpha=-float(np.log(100.0)))
        return Decision(rehedge={again.pair: again} if moment.bar == 6 else {})


def test_a_hedge_again_trades_the_x_leg_and_pays_for_it(make_bars: Bars, make_candidate: Candidates) -> None:
    close = np.full((12, 2), 100.0) * np.exp(np.column_stack([np.full(12, 0.03), np.zeros(12)]))
    close[7:, 1] = 101.0
    opens, funding = close.copy(), np.zeros(close.shape)
    funding[7:9, 1] = 0.001
    panel = make_bars(close, open_=opens, funding=funding)
    costs = CostModel(taker_fee_bps=10.0, half_spread_bps=2.0, impact_coefficient=0.0)
    strategy = HedgeAgain(Signal.of(make_candidate()))
    got = backtest_pairs(panel, strategy=strategy, settings=replace(SETTINGS, horizon_hours=100.0), costs=costs)
    row, hedge = got.trades.iloc[0], got.orders.iloc[1]
    units = 10_000 / 101  # twice the notional of y, at the open of bar 7
    assert (hedge["action"], hedge["time"]) == ("rehedge", panel.time[7])
    assert hedge["units_x"] == pytest.approx(units - 50)
    assert hedge["fee_usd"] == pytest.approx(1e-3 * (units - 50) * 101)
    assert hedge["slippage_usd"] == pytest.approx(2e-4 * (units - 50) * 101)
    # Long x: the stamp at the re-hedge settles the 50 held before, the next one all of them.
    assert row["funding_usd"] == pytest.approx(-0.001 * 101 * (50 + units))
    assert row["gross_usd"] == pytest.approx(50 * 1.0)
    assert row["fee_usd"] == pytest.approx(1e-3 * (10_000 + (units - 50) * 101 + 5_000 + 10_000))
    assert row["rehedges"] == 1


def test_a_signal_at_the_last_close_is_not_filled(make_bars: Bars, make_candidate: Candidates) -> None:
    panel = make_bars(prices([3.0]))
    got = trade(panel, make_candidate())
    assert list(got.orders["status"]) == ["unfilled"]
