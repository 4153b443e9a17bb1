from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from hlpairs_core.backtest import TradeOutcome, simulate_trade
from hlpairs_core.costs import CostModel
from hlpairs_core.exceptions import InputError
from hlpairs_core.market import Panel
from hlpairs_core.screening import Candidate, ScreenSettings

SETTINGS = ScreenSettings(horizon_hours=6.0)
FREE = CostModel(taker_fee_bps=0.0, half_spread_bps=0.0, impact_coefficient=0.0)
Bars = Callable[..., Panel]
Candidates = Callable[..., Candidate]

# Bars 0 to 4 lead up to the signal (bar 4, z = 3); the trade is filled from bar 5 on.
ENTRY = 5


def prices(spread_z: list[float], n_before: int = 4) -> np.ndarray:
    """Closes with x at 100 and y at 100 exp(z / 100): z as given, 0 before."""
    z = np.array([0.0] * n_before + spread_z)
    return np.column_stack([100 * np.exp(z / 100), np.full(len(z), 100.0)])


def trade(panel: Panel, candidate: Candidate, costs: CostModel = FREE, entry_bar: int = ENTRY) -> TradeOutcome:
    return simulate_trade(panel, candidate, entry_bar=entry_bar, settings=SETTINGS, costs=costs)


def test_a_reversion_earns_what_its_units_earned(make_bars: Bars, make_candidate: Candidates) -> None:
    close = prices([3.0, 2.5, 1.0, 0.4, 0.2, 0.0])
    opens = close.copy()
    opens[5], opens[8] = [102.0, 100.0], [101.0, 103.0]
    got = trade(make_bars(close, open_=opens), make_candidate())
    # 5,000 USD a leg: short 5000/102 of y from 102 to 101, long 50 of x from 100 to 103.
    usd = 5000 / 102 * 1.0 + 50 * 3.0
    assert got.gross_bps == pytest.approx(1e4 * usd / 10_000)
    assert got.net_bps == got.gross_bps
    assert (got.exit_reason, got.hold_hours) == ("reverted", 3.0)
    assert got.entry_time == pd.Timestamp("2025-01-01T05:00Z")
    assert got.exit_time == pd.Timestamp("2025-01-01T08:00Z")
    assert got.entry_zscore == pytest.approx(3.0)
    assert got.exit_zscore == pytest.approx(0.4)


def test_a_spread_that_widens_loses(make_bars: Bars, make_candidate: Candidates) -> None:
    got = trade(make_bars(prices([3.0, 3.0, 4.0, 5.0, 6.0, 6.0, 6.0, 6.0, 6.0, 6.0])), make_candidate())
    y_in, y_out = 100 * np.exp(0.03), 100 * np.exp(0.06)
    assert got.gross_bps == pytest.approx(-5000 * (y_out / y_in - 1))  # of 10,000 USD a dollar is a bp
    assert (got.exit_reason, got.hold_hours) == ("horizon", 6.0)
    assert got.exit_time == pd.Timestamp("2025-01-01T11:00Z")


def test_the_long_side_of_y_mirrors_the_short(make_bars: Bars, make_candidate: Candidates) -> None:
    mirrored = make_candidate(side_y="long", side_x="short")
    got = trade(make_bars(prices([-3.0, -3.0, -2.0, -0.1, -0.1, -0.1])), mirrored)
    y_in, y_out = 100 * np.exp(-0.03), 100 * np.exp(-0.001)
    assert got.gross_bps == pytest.approx(5000 * (y_out / y_in - 1))
    assert got.exit_reason == "reverted"


def test_a_jump_across_the_mean_is_an_exit_too(make_bars: Bars, make_candidate: Candidates) -> None:
    got = trade(make_bars(prices([3.0, 3.0, -4.0, -4.0, -4.0])), make_candidate())
    assert (got.exit_reason, got.hold_hours) == ("reverted", 2.0)
    assert got.gross_bps > 0


def test_notionals_follow_the_hedge_ratio(make_bars: Bars, make_candidate: Candidates) -> None:
    close = prices([3.0, 3.0, 3.0, 3.0])
    close[-1, 1] = 110.0
    got = trade(make_bars(close), make_candidate(beta=3.0, alpha=-2 * np.log(100)))
    assert got.gross_bps == pytest.approx(7500 * 0.10)  # the long x leg is 3/4 of 10,000 USD and gains 10 %
    assert got.exit_reason == "data end"


def test_four_fees_are_paid_on_the_notional_of_each_fill(make_bars: Bars, make_candidate: Candidates) -> None:
    close = prices([3.0, 3.0, 0.0, 0.0])
    close[-1] = [110.0, 90.0]
    costs = CostModel(taker_fee_bps=4.5, half_spread_bps=0.0, impact_coefficient=0.0)
    got = trade(make_bars(close), make_candidate(), costs)
    y_out, x_out = 5000 * 110 / (100 * np.exp(0.03)), 5000 * 90 / 100
    assert got.fee_bps == pytest.approx(4.5e-4 * (10_000 + y_out + x_out))
    assert got.net_bps == pytest.approx(got.gross_bps - got.fee_bps)


def test_slippage_is_the_models_for_each_fill_with_what_was_known_at_the_signal(
    make_bars: Bars, make_candidate: Candidates
) -> None:
    close = prices([3.0, 3.0, 0.0, 0.0])
    close[:4] = np.array([[100, 100], [102, 101], [99, 100], [100, 102]])
    volume = np.full(close.shape, 1000.0)
    volume[5:] = 7e9  # known after the signal only
    costs = CostModel(taker_fee_bps=0.0, half_spread_bps=2.0, impact_coefficient=1.5)
    got = trade(make_bars(close, volume=volume), make_candidate(), costs)
    day_volume = (volume * close)[:5].sum(axis=0) * 24 / 5
    day_sigma = 1e4 * np.diff(np.log(close[:4]), axis=0).std(axis=0, ddof=1) * np.sqrt(24)
    fills = np.array([[5000, 5000], [5000 / np.exp(0.03), 5000]])
    expected = np.sum(fills * (2.0 + 1.5 * day_sigma * np.sqrt(fills / day_volume))) / 1e4
    assert got.slippage_bps == pytest.approx(expected)


@pytest.mark.parametrize(
    ("stamp", "counts"),
    [(4, False), (5, False), (6, True), (7, True), (8, False), (9, False)],
    ids=["before", "entry-hour", "inside", "last-inside", "exit-hour", "after"],
)
def test_only_stamps_strictly_between_the_fills_settle(
    make_bars: Bars, make_candidate: Candidates, stamp: int, counts: bool
) -> None:
    # Filled at the opens of bars 5 and 8. The short y leg receives 1 % of its notional at the stamp's price.
    close = prices([3.0, 2.0, 2.0, 0.0, 0.0, 0.0])
    funding = np.zeros(close.shape)
    funding[stamp, 0] = 0.01
    got = trade(make_bars(close, funding=funding), make_candidate())
    assert got.hold_hours == 3.0
    units = 5000 / close[5, 0]
    assert got.funding_bps == pytest.approx(0.01 * units * close[stamp, 0] if counts else 0.0)


@pytest.mark.parametrize(("leg", "expected"), [(0, +1), (1, -1)], ids=["short-receives", "long-pays"])
@pytest.mark.parametrize("rate", [0.01, -0.01])
def test_the_long_leg_pays_and_the_short_leg_receives(
    make_bars: Bars, make_candidate: Candidates, leg: int, expected: int, rate: float
) -> None:
    close = prices([3.0, 3.0, 3.0, 0.0, 0.0])
    funding = np.zeros(close.shape)
    funding[6, leg] = rate
    got = trade(make_bars(close, funding=funding), make_candidate())
    assert got.funding_bps == pytest.approx(expected * rate * 5000)
    assert got.net_bps == pytest.approx(got.gross_bps + got.funding_bps)


def test_bars_shorter_than_an_hour_settle_on_the_full_hour_only(make_bars: Bars, make_candidate: Candidates) -> None:
    close = prices([3.0] + [3.0] * 7)
    funding = np.where(np.arange(len(close)) % 2 == 0, 0.001, 0.0)[:, None] * [1.0, 0.0]
    panel = make_bars(close, funding=funding, interval="30m")
    settings = ScreenSettings(interval="30m", horizon_hours=2.0)
    # Bar 5 opens at 02:30; two hours later it is 04:30: the stamps 03:00 and 04:00 lie between.
    got = simulate_trade(panel, make_candidate(), entry_bar=5, settings=settings, costs=FREE)
    assert got.exit_time == pd.Timestamp("2025-01-01T04:30Z")
    assert got.funding_bps == pytest.approx(2 * 0.001 * 5000)


def test_of_a_long_bars_sum_the_stamp_at_the_entry_is_left_out(make_bars: Bars, make_candidate: Candidates) -> None:
    close = prices([3.0, 3.0, 3.0, 0.0, 0.0])
    panel = make_bars(close, funding=np.array([0.004, 0.0]), interval="4h")
    settings = ScreenSettings(interval="4h", horizon_hours=48.0)
    got = simulate_trade(panel, make_candidate(), entry_bar=5, settings=settings, costs=FREE)
    assert got.hold_hours == 12.0
    # Bar 5 settles three of its four stamps, bar 6 four at the entry's price, bar 7 four at 100.
    assert got.funding_bps == pytest.approx(0.001 * 5000 * (3 + 4 + 4 * 100 / close[5, 0]))


def test_missing_funding_inside_the_hold_is_refused(make_bars: Bars, make_candidate: Candidates) -> None:
    funding = np.zeros((9, 2))
    funding[6, 1] = np.nan
    panel = make_bars(prices([3.0, 3.0, 3.0, 0.0, 0.0]), funding=funding)
    with pytest.raises(InputError, match="funding rate of X in the bar of 2025-01-01 06:00 UTC is unknown"):
        trade(panel, make_candidate())


def test_missing_funding_outside_the_hold_does_not_matter(make_bars: Bars, make_candidate: Candidates) -> None:
    funding = np.full((9, 2), np.nan)
    funding[6:8] = 0.0
    got = trade(make_bars(prices([3.0, 3.0, 3.0, 0.0, 0.0]), funding=funding), make_candidate())
    assert got.exit_time == pd.Timestamp("2025-01-01T08:00Z")
    assert not got.funding_assumed


def test_an_assumed_rate_stands_in_and_is_flagged(make_bars: Bars, make_candidate: Candidates) -> None:
    funding = np.zeros((9, 2))
    funding[6, 1] = np.nan
    costs = CostModel(taker_fee_bps=0, half_spread_bps=0, impact_coefficient=0, assumed_funding_per_hour=0.001)
    got = trade(make_bars(prices([3.0, 3.0, 3.0, 0.0, 0.0]), funding=funding), make_candidate(), costs)
    assert got.funding_bps == pytest.approx(-0.001 * 5000)
    assert got.funding_assumed


def test_an_entry_waits_for_a_bar_that_trades_in_both_coins(make_bars: Bars, make_candidate: Candidates) -> None:
    close = prices([3.0, 3.0, 3.0, 3.0, 0.0, 0.0])
    volume = np.full(close.shape, 1000.0)
    volume[5, 0] = volume[6, 1] = 0.0
    got = trade(make_bars(close, volume=volume), make_candidate())
    assert got.entry_time == pd.Timestamp("2025-01-01T07:00Z")


def test_an_exit_waits_for_a_bar_that_trades_in_both_coins(make_bars: Bars, make_candidate: Candidates) -> None:
    close = prices([3.0, 3.0, 0.0, 0.0, 0.0, 0.0])
    close[8, 1] = 120.0
    volume = np.full(close.shape, 1000.0)
    volume[7, 1] = 0.0
    got = trade(make_bars(close, volume=volume), make_candidate())
    assert got.exit_time == pd.Timestamp("2025-01-01T08:00Z")
    assert got.gross_bps > 900  # the x leg gained its 20 % while it waited


def test_an_entry_that_never_fills_earns_and_pays_nothing_known(make_bars: Bars, make_candidate: Candidates) -> None:
    close = prices([3.0] * 12)
    volume = np.full(close.shape, 1000.0)
    volume[5:12, 0] = 0.0  # longer than the horizon of six hours
    got = trade(make_bars(close, volume=volume), make_candidate())
    assert got.exit_reason == "no entry"
    assert got.entry_time is None
    assert np.isnan([got.net_bps, got.gross_bps, got.fee_bps, got.hold_hours]).all()
    assert got.notional_usd == 0.0


def test_a_delisted_coin_is_left_at_the_last_close_of_both(make_bars: Bars, make_candidate: Candidates) -> None:
    close = prices([3.0] * 8)
    close[8:, 1] = np.nan
    close[7] = [104.0, 101.0]
    got = trade(make_bars(close), make_candidate())
    assert (got.exit_reason, got.hold_hours) == ("delisted", 3.0)
    assert got.exit_time == pd.Timestamp("2025-01-01T08:00Z")
    assert got.gross_bps == pytest.approx(-5000 * (104 / close[5, 0] - 1) + 50)


def test_an_entry_after_the_delisting_never_fills(make_bars: Bars, make_candidate: Candidates) -> None:
    close = prices([3.0] * 8)
    close[5:, 1] = np.nan
    assert trade(make_bars(close), make_candidate()).exit_reason == "no entry"


def test_a_missing_bar_inside_the_trade_decides_nothing(make_bars: Bars, make_candidate: Candidates) -> None:
    close = prices([3.0, 3.0, 3.0, 3.0, 0.0, 0.0])
    close[6] = np.nan
    got = trade(make_bars(close), make_candidate())
    assert got.exit_reason == "reverted"
    assert got.hold_hours == 4.0


def test_net_is_gross_less_fees_and_slippage_plus_funding_for_any_path(
    make_bars: Bars, make_candidate: Candidates
) -> None:
    rng = np.random.default_rng(12)
    for _ in range(30):
        close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, (60, 2)), axis=0))
        panel = make_bars(close, funding=rng.normal(0, 1e-4, close.shape))
        got = trade(panel, make_candidate(sigma=0.03), CostModel(), entry_bar=int(rng.integers(10, 50)))
        assert abs(got.net_bps - (got.gross_bps - got.fee_bps - got.slippage_bps + got.funding_bps)) < 1e-9


def test_noise_earns_minus_its_costs(make_bars: Bars, make_candidate: Candidates) -> None:
    rng = np.random.default_rng(7)
    outcomes = []
    for _ in range(400):
        close = 100 * np.exp(np.cumsum(rng.normal(0, 0.005, (40, 2)), axis=0))
        z = 100 * np.log(close[9, 0] / close[9, 1])
        side_y, side_x = ("short", "long") if z > 0 else ("long", "short")
        outcomes.append(trade(make_bars(close), make_candidate(side_y=side_y, side_x=side_x), CostModel(), 10))
    gross = np.array([one.gross_bps for one in outcomes])
    net = np.array([one.net_bps for one in outcomes])
    cost = np.array([one.fee_bps + one.slippage_bps for one in outcomes])
    error = gross.std(ddof=1) / np.sqrt(len(gross))
    assert abs(gross.mean()) < 3 * error
    assert net.mean() == pytest.approx(gross.mean() - cost.mean())
    assert cost.mean() > 9.0
    assert cost.mean() > 3 * error  # so that the test can tell costs from luck
    assert net.mean() < 0


@pytest.mark.parametrize("entry_bar", [-1, 0, 3, 9, 100])
def test_an_entry_bar_outside_the_panel_or_without_a_signal_is_refused(
    make_bars: Bars, make_candidate: Candidates, entry_bar: int
) -> None:
    with pytest.raises(InputError, match=f"entry_bar is {entry_bar}: use 4 to 8"):
        trade(make_bars(prices([3.0] * 5)), make_candidate(), entry_bar=entry_bar)


def test_settings_of_another_interval_are_refused(make_bars: Bars, make_candidate: Candidates) -> None:
    with pytest.raises(InputError, match="4h bars and the settings say 1h"):
        trade(make_bars(prices([3.0] * 5), interval="4h"), make_candidate())
