"""The walk-forward says at each bar what the screen says, whoever runs it and however often it was interrupted."""

import concurrent.futures as cf
import multiprocessing
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

import hlpairs_core
from hlpairs_core.backtest import WalkForward, simulate_trade, walk_forward
from hlpairs_core.costs import CostModel
from hlpairs_core.exceptions import InputError
from hlpairs_core.market import Panel
from hlpairs_core.screening import ScreenSettings, screen

Market = Callable[..., Panel]

SETTINGS = ScreenSettings(window=60, min_day_notional_usd=1e5, p_max=0.09, horizon_hours=12.0, max_day_volume_share=1.0)
COSTS = CostModel(assumed_funding_per_hour=1.25e-5)
AS_THE_SCREEN = {
    name: name
    for name in (
        "alpha", "beta", "sigma", "p_value", "q_value", "t_stat", "half_life_hours", "r_squared", "correlation",
        "zscore", "side_y", "side_x", "capacity_usd", "qualifies",
    )
} | {
    "expected_gross_bps": "gross_bps",
    "expected_fee_bps": "fee_bps",
    "expected_slippage_bps": "slippage_bps",
    "expected_funding_bps": "funding_bps",
    "expected_net_bps": "net_edge_bps",
    "expected_hold_hours": "hold_hours",
}  # fmt: skip


@pytest.fixture(scope="module")
def history(messy_market: Market) -> Panel:
    return messy_market(200, 12)


@pytest.fixture(scope="module")
def walked(history: Panel) -> WalkForward:
    return walk_forward(history, settings=SETTINGS, costs=COSTS, every=5)


def test_every_row_is_what_the_screen_of_its_bar_says(history: Panel, walked: WalkForward) -> None:
    universes, tops = set(), 0
    for at, bar in enumerate(range(60, 199, 5)):
        said = screen(history.rows(0, bar + 1), settings=SETTINGS, costs=COSTS)
        counted, rows = walked.bars.iloc[at], walked.rows[walked.rows["signal_time"] == said.closed_at]
        found = said.candidates
        loose = found[(found["p_value"] < 0.10) & (found["zscore"].abs() >= 1.5)]
        expected = loose.set_index(["y", "x"]).sort_index()
        rows = rows.astype({"y": object, "x": object}).set_index(["y", "x"]).sort_index()
        assert rows.index.tolist() == expected.index.tolist()
        for ours, theirs in AS_THE_SCREEN.items():
            np.testing.assert_array_equal(rows[ours].to_numpy(), expected[theirs].to_numpy(), err_msg=ours)
        assert rows.index[rows["is_top"]].tolist() == ([] if said.top is None else [(said.top.y, said.top.x)])
        assert counted["signal_time"] == said.closed_at
        assert counted["n_coins"] == said.funnel.coins_eligible
        assert counted["n_pairs"] == said.funnel.pairs
        assert counted["n_tests"] == found["p_value"].notna().sum()
        assert counted["expected_by_luck"] == said.funnel.expected_by_luck
        assert counted["n_candidates"] == len(rows)
        assert counted["n_qualifying"] == said.funnel.pairs_qualifying
        universes.add(tuple(said.universe.index[said.universe["eligible"]]))
        tops += said.top is not None
    assert len(universes) > 3  # coins came and went
    assert len(walked.rows) > 50
    assert tops > 3


@pytest.mark.parametrize(
    "settings",
    [
        ScreenSettings(window=60, min_day_notional_usd=0.0, dependence="positive", rho_min=0.5, lag_rule="bic"),
        ScreenSettings(window=45, min_day_notional_usd=0.0, dependence_method="kendall", lag_rule=1, z_out=0.0),
    ],
    ids=["positive", "kendall"],
)
def test_other_settings_are_followed(history: Panel, settings: ScreenSettings) -> None:
    walked = walk_forward(history, settings=settings, costs=CostModel(), every=29)
    assert len(walked.rows)
    for time, rows in walked.rows.groupby("signal_time"):
        found = screen(history.until(time), settings=settings, costs=CostModel())
        for row in rows.itertuples():
            pair = found.candidate(row.y, row.x)
            assert (pair.t_stat, pair.correlation, pair.zscore) == (row.t_stat, row.correlation, row.zscore)
            np.testing.assert_equal(row.expected_net_bps, pair.net_edge_bps)


def test_every_outcome_is_that_of_the_trade_alone(history: Panel, walked: WalkForward) -> None:
    for time, rows in walked.rows.groupby("signal_time"):
        entry = int(history.time.get_loc(time))
        found = screen(history.rows(0, entry), settings=SETTINGS, costs=COSTS)
        for row in rows.itertuples():
            pair = found.candidate(row.y, row.x)
            alone = simulate_trade(history, pair, entry_bar=entry, settings=SETTINGS, costs=COSTS)
            assert (row.exit_reason, row.funding_assumed) == (alone.exit_reason, alone.funding_assumed)
            np.testing.assert_allclose(row.realised_net_bps, alone.net_bps, rtol=0, atol=1e-9)


def test_another_horizon_replaces_that_of_the_settings(history: Panel) -> None:
    walked = walk_forward(history, settings=SETTINGS, costs=COSTS, every=40, horizon=3.0)
    assert walked.settings.horizon_hours == 3.0
    assert walked.rows["expected_hold_hours"].max() <= 3.0
    assert (walked.rows["exit_reason"] == "horizon").any()


def test_threads_and_processes_find_the_same(messy_market: Market) -> None:
    panel = messy_market(300, 4, seed=4)
    settings = ScreenSettings(window=40, min_day_notional_usd=0.0, horizon_hours=6.0)
    alone = walk_forward(panel, settings=settings, costs=COSTS, every=2)
    assert len(alone.bars) == 130  # more than one task's
    assert len(alone.rows) > 10
    spawning = cf.ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
    for executor in (cf.ThreadPoolExecutor(3), spawning):
        with executor:
            together = walk_forward(panel, settings=settings, costs=COSTS, every=2, executor=executor)
        pd.testing.assert_frame_equal(together.rows, alone.rows, check_exact=True)
        pd.testing.assert_frame_equal(together.bars, alone.bars, check_exact=True)


def test_a_dask_client_finds_the_same(history: Panel, walked: WalkForward) -> None:
    distributed = pytest.importorskip("distributed", reason="the extra `distributed` is not installed")
    with (
        distributed.LocalCluster(n_workers=1, processes=False, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        together = walk_forward(history, settings=SETTINGS, costs=COSTS, every=5, executor=client.get_executor())
    pd.testing.assert_frame_equal(together.rows, walked.rows, check_exact=True)


def test_an_error_in_a_task_is_the_callers(history: Panel) -> None:
    class Refusing(cf.ThreadPoolExecutor):
        def submit(self, function: Callable[..., object], *arguments: object) -> "cf.Future[object]":  # type: ignore[override]
            return super().submit(lambda: 1 / 0)

    with Refusing(1) as executor, pytest.raises(ZeroDivisionError):
        walk_forward(history, settings=SETTINGS, costs=COSTS, executor=executor)


def test_progress_is_told_in_signal_bars(messy_market: Market) -> None:
    told: list[tuple[int, int]] = []
    panel = messy_market(300, 3, seed=2)
    settings = ScreenSettings(window=40, min_day_notional_usd=1e15)
    walk_forward(panel, settings=settings, costs=COSTS, progress=lambda *counts: told.append(counts))
    assert told == [(120, 259), (240, 259), (259, 259)]


def test_a_range_is_given_as_bars_or_as_times_of_closes(history: Panel) -> None:
    by_bar = walk_forward(history, settings=SETTINGS, costs=COSTS, start=80, stop=90)
    first, last = history.time[81], history.time[91]
    by_time = walk_forward(history, settings=SETTINGS, costs=COSTS, start=first, stop=last)
    pd.testing.assert_frame_equal(by_bar.rows, by_time.rows)
    assert by_bar.span == (first, history.time[90])
    assert by_bar.bars["signal_time"].tolist() == history.time[81:91].tolist()
    assert "10 signal bars from 2025-01-04 09:00 to 2025-01-04 18:00 UTC" in repr(by_bar)


def test_a_market_without_pairs_has_bars_and_no_rows(history: Panel) -> None:
    dear = ScreenSettings(window=60, min_day_notional_usd=1e15)
    walked = walk_forward(history, settings=dear, costs=COSTS, every=30)
    assert walked.rows.empty
    assert walked.bars["n_coins"].eq(0).all()
    busy = walk_forward(history, settings=SETTINGS, costs=COSTS, every=30)
    assert walked.rows.dtypes.astype(str).tolist() == busy.rows.dtypes.astype(str).tolist()


def test_too_short_a_history_says_how_much_is_missing(history: Panel) -> None:
    with pytest.raises(InputError, match="need 62 bars, the panel has 50: 12 are missing"):
        walk_forward(history.rows(0, 50), settings=SETTINGS, costs=COSTS)
    shortest = walk_forward(history.rows(0, 62), settings=SETTINGS, costs=COSTS)
    assert len(shortest.bars) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"every": 0}, "every is 0"),
        ({"every": 1.5}, "every is 1.5"),
        ({"start": 59}, "start 59 and stop None are the bars 59 and 199: use a range from 60"),
        ({"stop": 200}, "are the bars 60 and 200"),
        ({"start": 80, "stop": 80}, "are the bars 80 and 80"),
        ({"start": "2030-01-01T00:00Z"}, "use a range from 60, closed at 2025-01-03 13:00 UTC"),
        ({"start": "2025-01-05"}, "without a time zone"),
        ({"horizon": 0.5}, "horizon_hours is 0.5"),
        ({"candidate_p": 0.05}, "p_max is 0.09 and z_in 2: widen candidate_p"),
        ({"candidate_z": 2.5}, r"\|z\| >= 2.5.*widen"),
        ({"candidate_p": 0.0}, "candidate_p is 0.0"),
        ({"settings": ScreenSettings(interval="5m")}, "the panel has 1h bars and the settings say 5m"),
    ],
)
def test_bad_arguments_are_refused(history: Panel, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        walk_forward(history, **({"settings": SETTINGS, "costs": COSTS} | arguments))  # type: ignore[arg-type]


def test_it_is_found_at_the_top_of_the_package() -> None:
    assert hlpairs_core.walk_forward is walk_forward
