import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as property_settings
from hypothesis import strategies as st

from hlpairs_core.edge import EdgeModel, calibration, time_blocks
from hlpairs_core.exceptions import InputError, StoreError
from hlpairs_core.screening import ScreenSettings

Make = Callable[..., pd.DataFrame]


def fit(rows: pd.DataFrame, settings: ScreenSettings, **options: object) -> EdgeModel:
    return EdgeModel.fit(rows, settings=settings, rng=np.random.default_rng(1), **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def planted(candidates: Make) -> pd.DataFrame:
    return candidates(1, share=0.8)


@pytest.fixture(scope="module")
def model(planted: pd.DataFrame, settings: ScreenSettings) -> EdgeModel:
    return fit(planted, settings)


def test_a_planted_share_comes_true_on_later_candidates(
    model: EdgeModel, candidates: Make, settings: ScreenSettings
) -> None:
    later = candidates(2, share=0.8)
    said = model.predict(later, settings=settings, past=later)
    known = said["qualifies"].to_numpy()
    blocks = time_blocks(later["signal_time"], hours=168)[known]
    found = calibration(
        said["mean_net_bps"].to_numpy()[known],
        later["realised_net_bps"].to_numpy()[known],
        blocks=blocks,
        rng=np.random.default_rng(3),
        abstained_share=0.0,
    )
    assert found.slope_low < 1.0 < found.slope_high
    assert found.slope_low > 0.5
    # Shrinkage errs on the side of too little.
    assert found.mean_expected_bps == pytest.approx(found.mean_realised_bps, rel=0.1)


def test_pairs_that_deliver_qualify_and_those_that_do_not_abstain(
    model: EdgeModel, candidates: Make, settings: ScreenSettings
) -> None:
    later = candidates(2, share=0.8)
    said = model.predict(later, settings=settings, past=later)
    delivers = later["y"].isin(["Y0", "Y1", "Y2", "Y3"])
    assert said.loc[delivers, "qualifies"].mean() > 0.8
    assert said.loc[~delivers, "qualifies"].mean() == 0.0


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_where_nothing_arrives_nothing_qualifies(candidates: Make, settings: ScreenSettings, seed: int) -> None:
    rows = candidates(seed, share=0.0, noise=1.0)
    said = fit(rows, settings).predict(rows, settings=settings, past=rows)
    assert said["qualifies"].mean() < 0.01


def test_single_outcomes_lie_in_their_range_as_often_as_said(
    model: EdgeModel, candidates: Make, settings: ScreenSettings
) -> None:
    later = candidates(4, share=0.8)
    said, came = model.predict(later, settings=settings, past=later), later["realised_net_bps"]
    inside = (came > said["low_net_bps"]) & (came < said["high_net_bps"])
    assert inside.mean() == pytest.approx(0.90, abs=0.03)
    assert said["gain_probability"].mean() == pytest.approx((came > 0).mean(), abs=0.04)
    spread = (came - said["mean_net_bps"]).std()
    assert np.sqrt((said["deviation_bps"] ** 2).mean()) == pytest.approx(spread, rel=0.1)
    assert (said["worst_net_bps"] < said["low_net_bps"]).all()


def test_trades_that_end_later_change_nothing(planted: pd.DataFrame, settings: ScreenSettings) -> None:
    until = pd.Timestamp("2025-06-01", tz="UTC")
    other = planted.copy()
    late = other["exit_time"] >= until
    other.loc[late, ["realised_gross_bps", "realised_net_bps"]] = 1e6
    asked = planted[planted["signal_time"] < until]
    one, two = (fit(rows, settings, until=until) for rows in (planted, other))
    assert one.span[1] < until
    pd.testing.assert_frame_equal(
        one.predict(asked, settings=settings, past=planted), two.predict(asked, settings=settings, past=other)
    )


def test_trades_that_ended_with_the_data_are_not_fitted(planted: pd.DataFrame, settings: ScreenSettings) -> None:
    cut = planted.assign(exit_reason="data end")
    n_rows = fit(pd.concat([planted, cut]), settings).report()["n_rows"].item()
    held = planted["signal_time"] + pd.Timedelta(hours=2 * 48 + 1)
    assert n_rows == (held <= planted["exit_time"].max()).sum()


@property_settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 1000))
def test_the_order_of_the_rows_does_not_matter(
    seed: int, planted: pd.DataFrame, model: EdgeModel, settings: ScreenSettings
) -> None:
    shuffled = planted.sample(frac=1.0, random_state=seed)
    asked = planted.head(50)
    pd.testing.assert_frame_equal(
        fit(shuffled, settings).predict(asked, settings=settings, past=shuffled),
        model.predict(asked, settings=settings, past=planted),
    )


@property_settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(scale=st.floats(0.1, 10.0))
def test_bps_in_another_unit_scale_what_is_expected(
    scale: float, planted: pd.DataFrame, model: EdgeModel, settings: ScreenSettings
) -> None:
    columns = [name for name in planted if name.endswith("_bps")]
    scaled = planted.assign(**{name: planted[name] * scale for name in columns})
    said = fit(scaled, settings).predict(scaled.head(50), settings=settings, past=scaled)
    plain = model.predict(planted.head(50), settings=settings, past=planted)
    np.testing.assert_allclose(said["mean_net_bps"], scale * plain["mean_net_bps"], rtol=1e-7, atol=1e-9)
    assert said["qualifies"].equals(plain["qualifies"])


def test_costs_apply_after_the_model(model: EdgeModel, planted: pd.DataFrame, settings: ScreenSettings) -> None:
    dear = planted.assign(expected_slippage_bps=planted["expected_slippage_bps"] + 7.0)
    larger = replace(settings, notional_usd=50_000.0)
    plain = model.predict(planted, settings=settings, past=planted)
    said = model.predict(dear, settings=larger, past=planted)
    np.testing.assert_allclose(said["mean_net_bps"], plain["mean_net_bps"] - 7.0)


def test_the_parts_of_the_mean_add_up(planted: pd.DataFrame, settings: ScreenSettings) -> None:
    rows = planted.assign(realised_funding_bps=0.7 * planted["expected_funding_bps"])
    said = fit(rows, settings).predict(rows, settings=settings, past=rows)
    parts = said["gross_share"] * rows["expected_gross_bps"] + said["funding_share"] * rows["expected_funding_bps"]
    costs = rows["expected_fee_bps"] + rows["expected_slippage_bps"]
    np.testing.assert_allclose(parts - costs, said["mean_net_bps"])


def test_what_is_unknown_stays_unknown(model: EdgeModel, planted: pd.DataFrame, settings: ScreenSettings) -> None:
    unknown = planted.head(3).assign(expected_gross_bps=np.nan)
    said = model.predict(unknown, settings=settings, past=planted)
    assert said[["mean_net_bps", "lower_net_bps", "gain_probability"]].isna().all(axis=None)
    assert not said["qualifies"].any()


def test_another_kind_without_a_test_can_be_fitted(candidates: Make, settings: ScreenSettings) -> None:
    """Spot against perp: no p, no half-life, and funding instead of gross."""
    rows = candidates(5, share=0.0, noise=0.05, kind="spot_perp")
    unknown = ("p_value", "half_life_hours", "crossings", "beta_drift", "signal_age_bars", "zscore")
    rows = rows.assign(**dict.fromkeys(unknown, np.nan), expected_gross_bps=0.0, expected_funding_bps=40.0)
    rows["realised_funding_bps"] = 0.6 * rows["expected_funding_bps"]
    said = fit(rows, settings).predict(rows.assign(record_share=0.0), settings=settings)
    cost = rows["expected_fee_bps"] + rows["expected_slippage_bps"]
    assert (said["mean_net_bps"] + cost).mean() == pytest.approx(24.0, rel=0.05)


def test_where_nothing_was_learned_the_error_is_not_known(
    model: EdgeModel, candidates: Make, settings: ScreenSettings
) -> None:
    """Not 0, which would be certainty: neither of the form that expects nothing nor where choices were too few."""
    rows = candidates(1, share=0.0, noise=1.0)
    nothing = fit(rows, settings)
    assert nothing.report()["form"].item() == "nothing arrives"
    few = replace(model.cells[48.0, 2.0], arrival=replace(model.cells[48.0, 2.0].arrival, raw=np.nan, share=0.0))
    for unknowing in (nothing, replace(model, cells={(48.0, 2.0): few})):
        said = unknowing.predict(rows, settings=settings, past=rows)
        cost = rows["expected_fee_bps"] + rows["expected_slippage_bps"]
        np.testing.assert_allclose(said["mean_net_bps"], -cost)
        assert said[["standard_error_bps", "lower_net_bps"]].isna().all(axis=None)
        assert not said["qualifies"].any()
    known = model.predict(rows, settings=settings, past=rows)
    assert (known["standard_error_bps"] > 0).all()


def test_a_saved_model_says_the_same(
    model: EdgeModel, planted: pd.DataFrame, settings: ScreenSettings, tmp_path: Path
) -> None:
    model.save(tmp_path / "edge.json")
    again = EdgeModel.load(tmp_path / "edge.json")
    pd.testing.assert_frame_equal(again.report(), model.report())
    asked = planted.head(20)
    pd.testing.assert_frame_equal(
        again.predict(asked, settings=settings, past=planted), model.predict(asked, settings=settings, past=planted)
    )
    assert [path.name for path in tmp_path.iterdir()] == ["edge.json"]


def test_a_model_of_nothing_can_be_saved(candidates: Make, settings: ScreenSettings, tmp_path: Path) -> None:
    rows = candidates(1, share=0.0, noise=1.0)
    nothing = fit(rows, settings)
    nothing.save(tmp_path / "edge.json")
    pd.testing.assert_frame_equal(EdgeModel.load(tmp_path / "edge.json").report(), nothing.report())


def test_a_model_of_another_version_is_refused(model: EdgeModel, tmp_path: Path) -> None:
    path = tmp_path / "edge.json"
    model.save(path)
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"hlpairs_edge_model": 99}))
    with pytest.raises(InputError, match="version 99, this is version 1: fit it anew"):
        EdgeModel.load(path)
    path.write_text(json.dumps({key: value for key, value in content.items() if key != "cells"}))
    with pytest.raises(InputError, match="damaged edge model"):
        EdgeModel.load(path)
    path.write_text("no JSON")
    with pytest.raises(InputError, match="is not an edge model"):
        EdgeModel.load(path)


def test_a_folder_that_is_not_there_cannot_be_written_to(model: EdgeModel, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot write the model"):
        model.save(tmp_path / "none" / "edge.json")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"window": 500}, "fitted with window 336 and the settings say 500"),
        ({"z_out": 0.0}, "fitted with z_out 0.5"),
        ({"horizon_hours": 72.0}, r"horizon_hours 72 is outside the model's grid \(48\)"),
        ({"z_in": 3.0}, r"z_in 3 is outside the model's grid \(2\)"),
    ],
)
def test_settings_outside_the_grid_are_refused(
    model: EdgeModel, planted: pd.DataFrame, settings: ScreenSettings, changed: dict[str, float], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        model.predict(planted, settings=replace(settings, **changed), past=planted)  # type: ignore[arg-type]


def test_candidates_unlike_the_fitted_are_refused(
    model: EdgeModel, planted: pd.DataFrame, settings: ScreenSettings
) -> None:
    one = planted.head(1)
    refused = [
        (one.assign(kind="spot_perp"), "of perp_perp pairs, these candidates are spot_perp"),
        (one.assign(p_value=0.5), r"Y0/X0 has p_value 0\.5"),
        (one.assign(zscore=1.0), "Y0/X0 has zscore 1"),
        (one.drop(columns="expected_fee_bps"), "no column 'expected_fee_bps'"),
    ]
    for rows, words in refused:
        with pytest.raises(InputError, match=words):
            model.predict(rows, settings=settings, past=planted)


def test_two_kinds_are_not_mixed(planted: pd.DataFrame, settings: ScreenSettings) -> None:
    mixed = pd.concat([planted, planted.assign(kind="spot_perp")])
    with pytest.raises(InputError, match="candidates of 2 kinds"):
        fit(mixed, settings)


def test_a_short_history_says_how_much_is_missing(planted: pd.DataFrame, settings: ScreenSettings) -> None:
    short = planted[planted["signal_time"] < pd.Timestamp("2025-02-10", tz="UTC")]
    with pytest.raises(InputError, match=r"span 36\.0 days, 84 are needed .* 48\.0 days are missing"):
        fit(short, settings)


def test_blocks_must_hold_the_longest_trade(planted: pd.DataFrame, settings: ScreenSettings) -> None:
    with pytest.raises(InputError, match="block_hours is 24 and the longest trade took 39 hours"):
        fit(planted, settings, block_hours=24.0)


def test_a_grid_has_a_cell_for_each_horizon_and_threshold(planted: pd.DataFrame, settings: ScreenSettings) -> None:
    made = EdgeModel.fit(
        {48.0: planted, 24.0: planted}, settings=settings, z_in=(2.0, 2.5), rng=np.random.default_rng(1)
    )
    assert set(made.cells) == {(24.0, 2.0), (24.0, 2.5), (48.0, 2.0), (48.0, 2.5)}
    said = made.predict(
        planted[planted["zscore"].abs() >= 2.5], settings=replace(settings, horizon_hours=24.0, z_in=2.5), past=planted
    )
    assert said["mean_net_bps"].notna().all()
