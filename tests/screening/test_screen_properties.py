"""What must not change the answer of a screen, whatever the prices; and input that no screen can work with."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hlpairs_core.exceptions import InputError
from hlpairs_core.market import MarketState, Panel
from hlpairs_core.screening import ScreenSettings, screen

WINDOW = 50
SETTINGS = ScreenSettings(window=WINDOW, p_max=0.3)
ARRAYS = ("open", "high", "low", "close", "volume", "funding")
PanelMaker = Callable[..., Panel]
FEW = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
SEEDS = st.integers(0, 10_000)


@pytest.fixture
def market_of(make_panel: PanelMaker) -> Callable[..., Panel]:
    """Walks with a common factor, some of them tied to each other, with volumes and funding of their own."""

    def make(seed: int, *, n_coins: int = 6, n_bars: int = WINDOW + 10) -> Panel:
        rng = np.random.default_rng(seed)
        logs = np.cumsum(rng.normal(0, 0.01, (n_bars, n_coins)) + rng.normal(0, 0.01, (n_bars, 1)), axis=0)
        logs[:, 1] = 0.8 * logs[:, 0] + rng.normal(0, 0.01, n_bars)
        close = rng.uniform(0.01, 1000, n_coins) * np.exp(logs)
        notional = 1e6 * rng.lognormal(0, 1, (n_bars, n_coins))
        funding = rng.normal(0, 1e-5, (n_bars, n_coins))
        coins = tuple(f"C{number}" for number in rng.permutation(n_coins))
        return make_panel(close, coins=coins, notional=notional, funding=funding)

    return make


def by_pair(panel: Panel, **options) -> pd.DataFrame:
    """Every tested pair by name, whatever the order of the answer."""
    table = screen(panel, settings=SETTINGS, **options).candidates
    assert table["p_value"].notna().any()
    return table.set_index(["y", "x"]).sort_index()


@FEW
@given(seed=SEEDS, place=st.integers(0, 5), power=st.integers(-20, 20))
def test_the_unit_of_a_coin_s_price_changes_alpha_and_nothing_else(
    market_of: Callable[..., Panel], seed: int, place: int, power: int
) -> None:
    panel, scale = market_of(seed), np.ones(6)
    scale[place] = 10.0 ** (power / 2)
    prices = {name: getattr(panel, name) * scale for name in ("open", "high", "low", "close")}
    scaled = replace(panel, **prices, volume=panel.volume / scale)
    before, after = by_pair(panel), by_pair(scaled)
    pd.testing.assert_frame_equal(
        after.drop(columns=["alpha", "misses"]), before.drop(columns=["alpha", "misses"]), rtol=1e-6
    )
    moved = np.log(scale[place]) * np.select(
        [before.index.get_level_values(leg) == panel.coins[place] for leg in ("y", "x")], [1.0, -before["beta"]], 0.0
    )
    np.testing.assert_allclose(after["alpha"], before["alpha"] + moved, rtol=1e-6, atol=1e-9)


@FEW
@given(seed=SEEDS, order=st.permutations(range(6)))
def test_the_order_of_the_columns_changes_nothing(market_of: Callable[..., Panel], seed: int, order: list[int]) -> None:
    panel = market_of(seed)
    shuffled = panel.select([panel.coins[place] for place in order])
    first, second = screen(panel, settings=SETTINGS), screen(shuffled, settings=SETTINGS)
    pd.testing.assert_frame_equal(first.candidates, second.candidates, rtol=1e-7)
    assert (first.funnel, first.verdict) == (second.funnel, second.verdict)


@FEW
@given(seed=SEEDS, left_out=st.integers(0, 5))
def test_a_further_coin_changes_no_other_pair_but_its_q(
    market_of: Callable[..., Panel], seed: int, left_out: int
) -> None:
    panel = market_of(seed)
    fewer = panel.select([coin for place, coin in enumerate(panel.coins) if place != left_out])
    whole, part = by_pair(panel), by_pair(fewer)
    assert (len(whole), len(part)) == (15, 10)
    # q is about all tests together: it is the one number that may know of the others.
    pd.testing.assert_frame_equal(
        whole.loc[part.index].drop(columns="q_value"), part.drop(columns="q_value"), rtol=1e-7
    )
    assert screen(panel, settings=SETTINGS).funnel.pairs == 15


@FEW
@given(seed=SEEDS, name=st.sampled_from(ARRAYS), later=st.integers(1, 9), factor=st.sampled_from([1e-6, 0.5, 2.0, 1e6]))
def test_no_value_after_the_signal_bar_changes_anything_at_it(
    market_of: Callable[..., Panel], seed: int, name: str, later: int, factor: float
) -> None:
    panel, values = market_of(seed), getattr(market_of(seed), name).copy()
    known_at = panel.time[-later - 1] + pd.Timedelta(hours=1)
    values[-later:] *= factor * np.random.default_rng(seed).uniform(0.5, 2, values[-later:].shape)
    before, after = (
        screen(one.until(known_at), settings=SETTINGS) for one in (panel, replace(panel, **{name: values}))
    )
    pd.testing.assert_frame_equal(before.candidates, after.candidates, rtol=0, atol=0)
    assert (before.closed_at, before.verdict, before.funnel) == (known_at, after.verdict, after.funnel)
    pd.testing.assert_frame_equal(before.universe, after.universe)


@FEW
@given(
    seed=SEEDS,
    later=st.integers(1, 9),
    wrong=st.sampled_from([np.nan, np.inf, -1.0, 0.0, 1e300]),
    name=st.sampled_from(ARRAYS[:5]),
)
def test_a_candle_after_the_end_changes_nothing_before_it_however_wrong_it_is(
    market_of: Callable[..., Panel], seed: int, later: int, wrong: float, name: str
) -> None:
    panel = market_of(seed)
    candles = pd.concat(
        pd.DataFrame(
            {"coin": coin, "time": panel.time} | {field: getattr(panel, field)[:, place] for field in ARRAYS[:5]}
        )
        for place, coin in enumerate(panel.coins)
    )
    known_at = panel.time[-later - 1] + pd.Timedelta(hours=1)
    spoilt = candles.assign(**{name: candles[name].where(candles["time"] < known_at, wrong)})
    before, after = (
        screen(Panel.from_candles(one, interval="1h", end=known_at), settings=SETTINGS) for one in (candles, spoilt)
    )
    pd.testing.assert_frame_equal(before.candidates, after.candidates, rtol=0, atol=0)


@FEW
@given(seed=SEEDS)
def test_whatever_the_signal_bar_s_closes_are_the_yardstick_is_the_same(
    market_of: Callable[..., Panel], seed: int
) -> None:
    panel = market_of(seed)
    close = panel.close.copy()
    close[-1] *= np.random.default_rng(seed).uniform(0.5, 2, close.shape[1])
    before, after = by_pair(panel), by_pair(replace(panel, close=close))
    frozen = ["alpha", "beta", "sigma", "p_value", "t_stat", "lag", "half_life_hours", "correlation", "r_squared"]
    pd.testing.assert_frame_equal(before[frozen], after[frozen], rtol=0, atol=0)


@FEW
@given(seed=SEEDS)
def test_turning_every_price_upside_down_mirrors_z_and_the_sides(market_of: Callable[..., Panel], seed: int) -> None:
    panel = market_of(seed)
    panel = replace(panel, funding=np.zeros_like(panel.funding))
    notional = panel.notional
    upside_down = 1 / panel.close
    prices = dict.fromkeys(("open", "high", "low", "close"), upside_down)
    before, after = by_pair(panel), by_pair(replace(panel, **prices, volume=notional / upside_down))
    np.testing.assert_allclose(after["zscore"], -before["zscore"], rtol=1e-6, atol=1e-8)
    assert (after["side_y"] != before["side_y"]).all()
    same = ["beta", "sigma", "p_value", "q_value", "half_life_hours", "gross_bps", "net_edge_bps", "gates_failed"]
    pd.testing.assert_frame_equal(after[same], before[same], rtol=1e-6)


# --- input that no screen can work with


@pytest.fixture
def panel(market_of: Callable[..., Panel]) -> Panel:
    return market_of(1)


@pytest.mark.parametrize("name", ARRAYS[:4])
@pytest.mark.parametrize("wrong", [0.0, -1.5])
def test_a_price_that_is_not_above_0_is_refused_with_its_coin_and_bar(panel: Panel, name: str, wrong: float) -> None:
    values = getattr(panel, name).copy()
    values[7, 2] = wrong
    said = rf"{name} of '{panel.coins[2]}' is {wrong:g} in the bar of 2025-01-01 07:00:00\+00:00: a price is above 0"
    with pytest.raises(InputError, match=said):
        replace(panel, **{name: values})


@pytest.mark.parametrize("name", ARRAYS)
def test_an_infinite_value_is_refused_with_its_coin_and_bar(panel: Panel, name: str) -> None:
    values = getattr(panel, name).copy()
    values[0, 5] = np.inf
    said = f"{name} of '{panel.coins[5]}' is inf in the bar of 2025-01-01 00:00.*: it must be finite, or NaN"
    with pytest.raises(InputError, match=said):
        replace(panel, **{name: values})


def test_a_volume_below_0_is_refused_and_0_is_a_bar_without_trade(panel: Panel) -> None:
    volume = panel.volume.copy()
    volume[3, 1] = 0.0
    assert not replace(panel, volume=volume).traded[3, 1]
    volume[3, 1] = -2.0
    with pytest.raises(InputError, match=f"volume of '{panel.coins[1]}' is -2 .*: a volume is at least 0"):
        replace(panel, volume=volume)


def test_a_column_of_nan_is_a_coin_that_had_no_bar(panel: Panel) -> None:
    arrays = {name: getattr(panel, name).copy() for name in ARRAYS}
    for values in arrays.values():
        values[:, 0] = np.nan
    universe = screen(replace(panel, **arrays), settings=SETTINGS).universe
    assert universe.loc[panel.coins[0], "reason"] == f"{WINDOW + 1} of the last {WINDOW + 1} bars are missing"


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (3, r"2025-01-01 02:00:00\+00:00 is there twice, and bars of 1h are 0 days 01:00:00 apart"),
        (4, r"2025-01-01 02:00:00\+00:00 follows 2025-01-01 03:00:00\+00:00"),
    ],
)
def test_a_time_that_is_there_twice_or_out_of_order_is_named(panel: Panel, place: int, said: str) -> None:
    times = panel.time.tolist()
    times[place] = times[2]
    with pytest.raises(InputError, match=f"time has holes or repeats: {said}"):
        replace(panel, time=pd.DatetimeIndex(times))


def test_a_hole_in_time_is_named(panel: Panel) -> None:
    times = panel.time.delete(5).insert(len(panel.time) - 1, panel.time[-1] + pd.Timedelta(hours=1))
    with pytest.raises(InputError, match=r"2025-01-01 06:00:00\+00:00 follows 2025-01-01 04:00:00\+00:00"):
        replace(panel, time=times)


@pytest.mark.parametrize("change", [lambda time: time.tz_localize(None), lambda time: time.tolist()])
def test_times_without_a_zone_are_refused(panel: Panel, change: Callable[[pd.DatetimeIndex], object]) -> None:
    with pytest.raises(InputError, match="not a DatetimeIndex with a zone"):
        replace(panel, time=change(panel.time))


@pytest.mark.parametrize(
    ("coins", "said"),
    [
        (("A", "B", "C", "A", "D", "E"), "coins has 'A' twice"),
        (("A", "B", "C", None, "D", "E"), "coins has None: give a sequence of names"),
        ((1, 2, 3, 4, 5, 6), "coins has 1: give a sequence of names"),
        ("ABCDEF", "coins has 'ABCDEF': give a sequence of names"),
    ],
)
def test_coins_that_are_there_twice_or_are_no_names_are_refused(panel: Panel, coins: object, said: str) -> None:
    with pytest.raises(InputError, match=said):
        replace(panel, coins=coins)


def test_a_length_of_bars_that_the_exchange_does_not_have_is_refused(panel: Panel) -> None:
    with pytest.raises(InputError, match="unknown interval '7h'"):
        replace(panel, interval="7h")


def test_text_in_the_place_of_numbers_is_refused(panel: Panel) -> None:
    with pytest.raises(InputError, match="the array 'close' does not hold numbers"):
        replace(panel, close=np.full(panel.close.shape, "high", dtype=object))


def test_fewer_bars_than_the_window_needs_are_refused(panel: Panel) -> None:
    with pytest.raises(InputError, match="a window of 60 bars needs 61 with the signal bar, the panel has 60"):
        screen(panel, settings=ScreenSettings(window=60))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"lag_rule": 30, "window": 60}, "lag_rule is 30: use a whole number from 0 to 28"),
        ({"max_lag": 29, "window": 60}, "max_lag is 29: use a whole number from 0 to 28"),
        ({"window": 10}, "window is 10: use a whole number from 30"),
        ({"lag_rule": "hqic"}, "lag_rule is 'hqic': use one of 'aic', 'bic'"),
        ({"dependence_method": "cosine"}, "dependence_method is 'cosine': use one of 'pearson'"),
        ({"dependence": "none"}, "dependence is 'none': use one of 'any'"),
    ],
)
def test_settings_that_no_test_can_be_made_with_are_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        ScreenSettings(**changes)


def test_arguments_of_another_kind_are_named(panel: Panel) -> None:
    with pytest.raises(InputError, match="panel is a DataFrame: give a Panel"):
        screen(pd.DataFrame(), settings=SETTINGS)
    with pytest.raises(InputError, match="settings is a dict: give a ScreenSettings"):
        screen(panel, settings={"window": 50})


def test_a_market_that_lacks_a_column_is_refused(panel: Panel, make_market: Callable[..., MarketState]) -> None:
    market = make_market(panel.coins)
    bare = replace(market, contexts=market.contexts.drop(columns=["funding_rate", "max_leverage"]))
    with pytest.raises(InputError, match=r"market\.contexts lacks max_leverage, funding_rate"):
        screen(panel, settings=SETTINGS, market=bare)


@pytest.mark.parametrize("unknown", [np.nan, np.inf])
def test_a_volume_that_the_market_does_not_say_leaves_the_coin_out(
    panel: Panel, make_market: Callable[..., MarketState], unknown: float
) -> None:
    market = make_market(panel.coins, day_notional_usd=[unknown, *[1e8] * 5])
    universe = screen(panel, settings=SETTINGS, market=market).universe
    assert universe.loc[panel.coins[0], "reason"] == "its volume of 24 hours is unknown"
    assert universe["eligible"].sum() == 5
