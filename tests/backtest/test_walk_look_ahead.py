"""Nothing that happens after a bar changes what was decided at it."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hlpairs_core.backtest import WalkForward, walk_forward
from hlpairs_core.backtest.walk_outcomes import OUTCOMES
from hlpairs_core.costs import CostModel
from hlpairs_core.market import Panel
from hlpairs_core.screening import ScreenSettings

SETTINGS = ScreenSettings(window=40, min_day_notional_usd=0.0, horizon_hours=5.0)
COSTS = CostModel(assumed_funding_per_hour=1e-5)
FIELDS = ("open", "close", "volume", "funding")


def walk(panel: Panel) -> WalkForward:
    return walk_forward(panel, settings=SETTINGS, costs=COSTS, every=3)


@pytest.fixture(scope="module")
def history(messy_market: Callable[..., Panel]) -> Panel:
    return messy_market(110, 10, seed=2)


@pytest.fixture(scope="module")
def walked(history: Panel) -> WalkForward:
    found = walk(history)
    assert len(found.rows) > 20
    return found


def decided(found: WalkForward, until: pd.Timestamp) -> pd.DataFrame:
    return found.rows.loc[found.rows["signal_time"] <= until].drop(columns=list(OUTCOMES))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_later_values_change_no_decision(history: Panel, walked: WalkForward, data: st.DataObject) -> None:
    bar = data.draw(st.integers(40, 107), label="last bar that stays")
    arrays = {name: getattr(history, name).copy() for name in FIELDS}
    for _ in range(data.draw(st.integers(1, 4), label="changes")):
        name = data.draw(st.sampled_from((*FIELDS, "membership")))
        coin = data.draw(st.integers(0, 9))
        rows = slice(data.draw(st.integers(bar + 1, 109)), None if data.draw(st.booleans()) else 109)
        if name == "membership":  # delisted, or with a hole
            for array in arrays.values():
                array[rows, coin] = np.nan
        else:
            arrays[name][rows, coin] *= data.draw(
                st.sampled_from([-1.0, 0.0, 3.0] if name == "funding" else [0.3, 2.0])
            )
    changed = walk(replace(history, **arrays, high=arrays["close"], low=arrays["close"]))
    until = history.time[bar + 1]
    pd.testing.assert_frame_equal(decided(changed, until), decided(walked, until), check_exact=True)
    before = walked.bars["signal_time"] <= until
    pd.testing.assert_frame_equal(changed.bars[before], walked.bars[before], check_exact=True)


def test_the_signal_bar_itself_does_decide(history: Panel, walked: WalkForward) -> None:
    last = walked.rows.iloc[-1]
    bar = int(history.time.get_loc(last["signal_time"])) - 1
    close = history.close.copy()
    close[bar, history.coins.index(last["y"])] *= 1.001
    changed = walk(replace(history, close=close))
    now = last["signal_time"]
    assert not decided(changed, now).equals(decided(walked, now))


def test_outcomes_come_from_later_bars(history: Panel, walked: WalkForward) -> None:
    first = walked.rows["signal_time"].min()
    bar = int(history.time.get_loc(first))
    opens = history.open.copy()
    opens[bar:] *= np.exp(np.random.default_rng(1).normal(0, 0.01, opens[bar:].shape))
    changed = walk(replace(history, open=opens))
    pd.testing.assert_frame_equal(decided(changed, history.time[-1]), decided(walked, history.time[-1]))
    assert (changed.rows["realised_gross_bps"] != walked.rows["realised_gross_bps"]).all()


def test_membership_is_that_of_the_bar(history: Panel, walked: WalkForward) -> None:
    listed_late, delisted = (history.coins[i] for i in (0, 1))
    legs = walked.rows[["signal_time", "y", "x"]].melt("signal_time", value_name="coin")
    first, last = history.time[22 + 40], history.time[110 - 27]
    assert (legs.loc[legs["coin"] == listed_late, "signal_time"] > first).all()
    assert (legs.loc[legs["coin"] == delisted, "signal_time"] <= last).all()
    assert walked.bars["n_coins"].nunique() > 1
