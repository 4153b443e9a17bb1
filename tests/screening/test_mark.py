from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from hlpairs_core.exceptions import InputError
from hlpairs_core.market import Panel
from hlpairs_core.screening import ScreenResult, ScreenSettings, mark, screen

SETTINGS = ScreenSettings(window=200)


@pytest.fixture(scope="module", params=[3.0, -3.0], ids=["short-y", "long-y"])
def result(request: pytest.FixtureRequest, make_panel: Callable[..., Panel], make_pair: object) -> ScreenResult:
    close = make_pair(201, last_z=request.param)  # type: ignore[operator]
    return screen(make_panel(close, coins=("Y", "X"), notional=np.array([20e6, 80e6])), settings=SETTINGS)


def mids_at(result: ScreenResult, z: float) -> dict[str, float]:
    """Mids at which the pair's z, in the direction of its signal, is `z`."""
    row = result.candidates.iloc[0]
    signed = z * np.sign(row["zscore"])
    return {"X": 90.0, "Y": float(np.exp(row["alpha"] + row["beta"] * np.log(90.0) + signed * row["sigma"]))}


def test_marks_at_the_signals_closes_repeat_the_screen(
    make_panel: Callable[..., Panel], make_walks: Callable[..., np.ndarray]
) -> None:
    panel = make_panel(make_walks(201, 8, seed=3), funding=1e-5)
    result = screen(panel, settings=SETTINGS)
    marked = mark(result, dict(zip(panel.coins, panel.close[-1], strict=True)))
    pd.testing.assert_frame_equal(marked[result.candidates.columns], result.candidates, rtol=1e-12)
    pd.testing.assert_series_equal(marked["signal_net_edge_bps"], marked["net_edge_bps"], check_names=False)


@pytest.mark.parametrize(
    ("z", "state"),
    [
        (4.0, "entry"),
        (2.001, "entry"),
        (1.999, "faded"),
        (0.501, "faded"),
        (0.499, "reverted"),
        (0.0, "reverted"),
        (-0.499, "reverted"),
        (-0.501, "crossed"),
        (-3.0, "crossed"),
    ],
)
def test_the_state_says_where_z_stands_seen_from_the_trades_side(result: ScreenResult, z: float, state: str) -> None:
    row = mark(result, mids_at(result, z)).iloc[0]
    assert row["mark_state"] == state
    assert row["zscore"] == pytest.approx(z * np.sign(row["signal_zscore"]), abs=1e-9)


def test_a_mark_changes_the_edge_and_not_the_selection(result: ScreenResult) -> None:
    before, after = result.candidates.iloc[0], mark(result, mids_at(result, 1.0)).iloc[0]
    hold = before["half_life_hours"] * np.log2(1.0 / 0.5)
    gross = 1e4 * before["sigma"] * 0.5 / (1 + before["beta"])  # from z = 1 to z = 0.5
    assert after["hold_hours"] == pytest.approx(hold)
    assert after["gross_bps"] == pytest.approx(gross)
    net = gross - after["fee_bps"] - after["slippage_bps"] + after["funding_bps"]
    assert after["net_edge_bps"] == pytest.approx(net)
    kept = [
        "y",
        "x",
        "side_y",
        "side_x",
        "alpha",
        "beta",
        "sigma",
        "slippage_bps",
        "capacity_usd",
        "qualifies",
        "misses",
    ]
    assert after[kept].tolist() == before[kept].tolist()
    assert after["signal_net_edge_bps"] == before["net_edge_bps"]


def test_a_spread_beyond_the_mean_costs_its_sides(result: ScreenResult) -> None:
    assert mark(result, mids_at(result, -3.0)).loc[0, "gross_bps"] < 0


@pytest.mark.parametrize("mid", [np.nan, 0.0, -1.0, np.inf, None])
def test_without_a_usable_mid_the_mark_is_unknown(result: ScreenResult, mid: float | None) -> None:
    mids = mids_at(result, 1.0)
    del mids["Y"]
    row = mark(result, mids if mid is None else mids | {"Y": mid}).iloc[0]
    assert row["mark_state"] == "unknown"
    assert np.isnan([row["zscore"], row["gross_bps"], row["net_edge_bps"], row["hold_hours"]]).all()
    assert np.isfinite(row["signal_zscore"])


def test_only_the_pairs_asked_for_are_marked(
    make_panel: Callable[..., Panel], make_walks: Callable[..., np.ndarray]
) -> None:
    panel = make_panel(make_walks(201, 8, seed=3))
    result = screen(panel, settings=SETTINGS)
    wanted = [tuple(pair) for pair in result.candidates.loc[[5, 2], ["y", "x"]].to_numpy()]
    marked = mark(result, {}, pairs=wanted)
    assert [tuple(pair) for pair in marked[["y", "x"]].to_numpy()] == wanted
    assert mark(result, {}, pairs=[]).empty


def test_a_pair_that_was_not_tested_cannot_be_marked(result: ScreenResult) -> None:
    with pytest.raises(InputError, match="'X'/'Y' is not among the candidates"):
        mark(result, {}, pairs=[("X", "Y")])


def test_an_empty_result_has_empty_marks(
    make_panel: Callable[..., Panel], make_walks: Callable[..., np.ndarray]
) -> None:
    marked = mark(screen(make_panel(make_walks(201, 1, seed=3)), settings=SETTINGS), {"C0": 1.0})
    assert marked.empty
    assert "mark_state" in marked.columns
