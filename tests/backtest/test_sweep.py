"""The sweep, with and without Numba, against the event-driven backtest and by hand."""

from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hlpairs_core.backtest import Decision, Moment, Portfolio, Signal, backtest_pairs, sweep
from hlpairs_core.backtest.sweep_market import window_moments
from hlpairs_core.costs import CostModel
from hlpairs_core.exceptions import InputError
from hlpairs_core.market import Panel, PanelReport
from hlpairs_core.screening import ScreenSettings

COSTS = CostModel(half_spread_bps=1.5, impact_coefficient=1.2)
AMOUNTS = ["gross_bps", "fee_bps", "slippage_bps", "funding_bps", "net_bps"]
needs_numba = pytest.mark.skipif(not find_spec("numba"), reason="numba is not installed")
both = pytest.mark.parametrize("accelerate", [False, pytest.param(True, marks=needs_numba)], ids=["numpy", "numba"])


def panel_of(close: np.ndarray, *, opens: Any = None, volume: Any = 1e4, funding: Any = 0.0, freq: str = "1h") -> Panel:
    time = pd.date_range("2025-01-01T00:00Z", periods=len(close), freq=freq).as_unit("ms")
    opens = close if opens is None else opens
    known = np.isfinite(close)
    volumes, rates = (np.where(known, np.broadcast_to(part, close.shape), np.nan) for part in (volume, funding))
    coins = tuple("ABCDEF"[: close.shape[1]])
    report = PanelReport(close.size, close.size, True, pd.DataFrame())
    interval = {"1h": "1h", "15min": "15m", "4h": "4h"}[freq]
    return Panel(
        time, coins, interval, opens, np.fmax(opens, close), np.fmin(opens, close), close, volumes, rates, report
    )


def market(seed: int, n_bars: int = 260, n_coins: int = 3, freq: str = "1h") -> Panel:
    """Coins with a common factor, bars without a trade, holes, and one that is delisted."""
    rng = np.random.default_rng(seed)
    common = np.cumsum(rng.normal(0, 0.01, n_bars))[:, None]
    own = np.zeros((n_bars, n_coins))
    for t in range(1, n_bars):
        own[t] = 0.9 * own[t - 1] + rng.normal(0, 0.01, n_coins)
    close = np.exp(rng.uniform(-3, 6, n_coins) + common * rng.uniform(-1.5, 1.5, n_coins) + own)
    opens = close * np.exp(rng.normal(0, 0.002, close.shape))
    volume = rng.uniform(1e4, 1e6, close.shape) * (rng.random(close.shape) > 0.15)
    if seed % 3 == 1:
        close[200, 0] = close[31, 1] = opens[200, 0] = opens[31, 1] = np.nan
    if seed % 3 == 2:
        close[230:, 1] = opens[230:, 1] = np.nan
    funding = rng.normal(0, 2e-5, close.shape)
    return panel_of(close, opens=opens, volume=volume, funding=funding, freq=freq)


class RollingFits:
    """Fits a pair at every closed bar by least squares, and enters where z is far enough out."""

    def __init__(self, pair: tuple[str, str], window: int, entry: float, stop: float) -> None:
        self._pair, self._window, self._entry, self._stop = pair, window, entry, stop

    def decide(self, moment: Moment) -> Decision:
        if moment.bar < self._window:
            return Decision()
        logs = moment.known.select(self._pair).tail(self._window + 1).log_close
        if not np.isfinite(logs).all():
            return Decision()
        y, x = logs[:-1].T
        beta, alpha = np.polyfit(x - x.mean(), y, 1)
        alpha -= beta * x.mean()
        sigma = np.sqrt(np.sum((y - alpha - beta * x) ** 2) / (self._window - 1))
        z = (logs[-1, 0] - alpha - beta * logs[-1, 1]) / sigma
        if not self._entry <= abs(z) < self._stop:
            return Decision()
        side_y = "short" if z > 0 else "long"
        side_x = side_y if beta < 0 else ("long" if z > 0 else "short")
        signal = Signal(
            y=self._pair[0], x=self._pair[1], side_y=side_y, side_x=side_x, alpha=alpha, beta=beta, sigma=sigma
        )
        return Decision(enter=(signal,))


def by_events(panel: Panel, row: pd.Series, delay: int, costs: CostModel) -> pd.DataFrame:
    hours = pd.Timedelta(panel.time[1] - panel.time[0]) / pd.Timedelta(hours=1)
    settings = ScreenSettings(
        interval=panel.interval, window=int(row["window"]), z_in=row["entry"], z_out=row["exit"],
        horizon_hours=row["hold_bars"] * hours, notional_usd=5_000.0,
    )  # fmt: skip
    stop = None if np.isinf(row["stop"]) else row["stop"]
    strategy = RollingFits((row["y"], row["x"]), int(row["window"]), row["entry"], row["stop"])
    portfolio = Portfolio(delay_bars=delay, stop_z=stop)
    return backtest_pairs(panel, strategy=strategy, settings=settings, costs=costs, portfolio=portfolio).trades


@both
@pytest.mark.parametrize(
    ("seed", "delay", "freq"), [(0, 0, "1h"), (1, 0, "1h"), (2, 1, "1h"), (4, 2, "15min"), (5, 0, "4h")]
)
def test_it_equals_the_event_driven_backtest(accelerate: bool, seed: int, delay: int, freq: str) -> None:
    costs = CostModel(
        half_spread_bps=1.5, impact_coefficient=1.2, assumed_funding_per_hour=1e-5, slippage_multiple=1 + seed % 2
    )
    panel = market(seed, freq=freq)
    table = sweep(
        panel, [("A", "B"), ("C", "A")], entry=(1.2, 2.0), exit=(0.0, 0.5), stop=(2.6, np.inf), hold=(3, 20),
        window=(30, 47), costs=costs, notional_usd=5_000.0, delay_bars=delay, accelerate=accelerate,
    )  # fmt: skip
    assert len(table) == 2 * 2 * 2 * 2 * 2 * 2
    checked = table.sample(3, random_state=seed)
    for _, row in checked.iterrows():
        trades = by_events(panel, row, delay, costs)
        assert row["trades"] == len(trades)
        for name in AMOUNTS:
            assert abs(row[name] - trades[name].sum()) < 1e-9 * max(1, len(trades)), name
        assert row["worst_net_bps"] == pytest.approx(trades["net_bps"].min(), abs=1e-9)
        assert row["sd_net_bps"] == pytest.approx(trades["net_bps"].std(ddof=1), rel=1e-9)
        assert row["hit_rate"] == pytest.approx((trades["net_bps"] > 0).mean())
    assert checked["trades"].max() > 5


@needs_numba
@pytest.mark.parametrize("seed", range(6))
def test_both_ways_agree(seed: int) -> None:
    panel = market(seed, n_bars=500, n_coins=4)
    options: dict[str, Any] = dict(  # noqa: C408
        entry=(1.0, 1.5, 2.0), exit=(-0.0, 0.5), stop=(2.5, 4.0, np.inf), hold=(1, 5, 40), window=(20, 96),
        costs=CostModel(assumed_funding_per_hour=0.0), delay_bars=seed % 3,
    )  # fmt: skip
    pairs = [("A", "B"), ("B", "C"), ("D", "A"), ("C", "D")]
    slow, fast = (sweep(panel, pairs, accelerate=accelerate, **options) for accelerate in (False, True))
    pd.testing.assert_frame_equal(slow, fast, rtol=1e-9, atol=1e-8)
    assert slow["trades"].sum() > 1000


@both
def test_a_trade_by_hand(accelerate: bool) -> None:
    # x stands still but for one step that gives the fit a slope; then y jumps by 5 σ and comes back four bars later.
    rng = np.random.default_rng(1)
    logs = np.column_stack([rng.normal(0, 0.01, 60), np.cumsum(rng.normal(0, 0.01, 60))])
    logs[:, 0] += logs[:, 1]
    logs[41:45, 0] += 0.05
    close = 100 * np.exp(logs)
    panel = panel_of(close)
    free = CostModel(taker_fee_bps=10.0, half_spread_bps=0.0, impact_coefficient=0.0)
    got = sweep(panel, [("A", "B")], entry=(4.0,), exit=(1.0,), hold=(10,), window=(40,), costs=free,
                accelerate=accelerate)  # fmt: skip
    window = np.log(close[1:41])
    beta = np.polyfit(window[:, 1], window[:, 0], 1)[0]
    weights = np.array([1, beta]) / (1 + beta)
    ratio = close[46] / close[42]
    assert got["trades"].iloc[0] == 1
    assert got["gross_bps"].iloc[0] == pytest.approx(1e4 * np.sum([-1, 1] * weights * (ratio - 1)), abs=1e-8)
    assert got["fee_bps"].iloc[0] == pytest.approx(10 + 10 * weights @ ratio)
    assert got["exposure"].iloc[0] == pytest.approx(4 / 60)


@both
def test_noise_earns_minus_its_costs(accelerate: bool) -> None:
    rng = np.random.default_rng(3)
    close = 100 * np.exp(np.cumsum(rng.normal(-0.00002, 0.006, (4000, 6)), axis=0))
    panel = panel_of(close, opens=np.vstack([close[:1], close[:-1]]), volume=1e6)
    pairs = [("A", "B"), ("C", "D"), ("E", "F")]
    table = sweep(panel, pairs, entry=(1.5,), hold=(12,), window=(48,), accelerate=accelerate)
    n = table["trades"].sum()
    mean = table["gross_bps"].sum() / n
    error = np.sqrt(np.sum(table["sd_net_bps"] ** 2 * table["trades"]) / n**2)
    assert n > 300
    assert abs(mean) < 3 * error
    cost = (table["fee_bps"] + table["slippage_bps"]).sum() / n
    assert cost > 11
    assert abs(table["net_bps"].sum() / n + cost) < 3 * error


@both
def test_one_asset_twice_gives_no_signal(accelerate: bool) -> None:
    close = 100 * np.exp(np.cumsum(np.random.default_rng(0).normal(0, 0.01, (200, 1)), axis=0))
    twice = panel_of(np.column_stack([close, 3 * close**1.0, np.full(200, 5.0)]))
    table = sweep(twice, [("A", "B"), ("A", "C"), ("C", "A")], entry=(1.0,), window=(50,), accelerate=accelerate)
    assert (table["trades"] == 0).all()
    assert table["mean_net_bps"].isna().all()
    assert table["worst_net_bps"].isna().all()


@both
def test_an_unknown_rate_inside_a_hold_is_refused(accelerate: bool) -> None:
    panel = market(0)
    funding = panel.funding.copy()
    funding[100:120, 1] = np.nan
    gap = Panel(
        panel.time, panel.coins, "1h", panel.open, panel.high, panel.low, panel.close, panel.volume, funding,
        panel.report,
    )  # fmt: skip
    with pytest.raises(InputError, match="funding rate of B in the bar of 2025-01-05"):
        sweep(gap, [("A", "B")], entry=(0.5,), exit=(0.1,), window=(30,), accelerate=accelerate)
    sweep(gap, [("A", "C")], entry=(0.5,), exit=(0.1,), window=(30,), accelerate=accelerate)


def test_moments_of_windows_are_those_of_numpy() -> None:
    rng = np.random.default_rng(2)
    y, x = (1e3 + np.cumsum(rng.normal(size=(100, 2)), axis=0) for _ in range(2))
    y[40, 1] = np.nan
    mean_y, mean_x, products = window_moments(y, x, 17)
    for row in range(84):
        a, b = y[row : row + 17], x[row : row + 17]
        np.testing.assert_allclose(mean_y[row], a.mean(axis=0), rtol=1e-12)
        expected = np.sum((a - a.mean(axis=0)) * (b - b.mean(axis=0)), axis=0)
        np.testing.assert_allclose(products[row], expected, rtol=1e-9, atol=1e-9)
        known = ~np.isnan(a).any(axis=0)
        np.testing.assert_allclose(mean_x[row][known], b.mean(axis=0)[known], rtol=1e-12)


def test_bad_input_is_named() -> None:
    panel = market(0)
    with pytest.raises(InputError, match="cannot sweep the pair A/DOGE: the panel has no coin 'DOGE'"):
        sweep(panel, [("A", "DOGE")])
    with pytest.raises(InputError, match="cannot sweep the pair A/A: a pair needs two coins"):
        sweep(panel, [("A", "A")])
    with pytest.raises(InputError, match="no pair to sweep"):
        sweep(panel, [])
    with pytest.raises(InputError, match="no rule has exit < entry < stop"):
        sweep(panel, [("A", "B")], entry=(1.0,), exit=(2.0,))
    with pytest.raises(InputError, match="entry is nan"):
        sweep(panel, [("A", "B")], entry=(float("nan"),))
    with pytest.raises(InputError, match="hold is 0"):
        sweep(panel, [("A", "B")], hold=(0,))
    with pytest.raises(InputError, match="stop is empty"):
        sweep(panel, [("A", "B")], stop=())
    with pytest.raises(InputError, match="window is 336: use a whole number from 10 to 258"):
        sweep(panel, [("A", "B")])
    with pytest.raises(InputError, match="notional_usd is 15"):
        sweep(panel, [("A", "B")], notional_usd=15.0, window=(30,))
