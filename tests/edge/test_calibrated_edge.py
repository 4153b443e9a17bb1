"""Models of several kinds with their records, as a screen asks them."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hlpairs_core.edge import CalibratedEdge, EdgeModel
from hlpairs_core.exceptions import InputError
from hlpairs_core.screening import ScreenSettings

Make = Callable[..., pd.DataFrame]


@pytest.fixture(scope="module")
def past(candidates: Make) -> pd.DataFrame:
    return candidates(1, share=0.8)


@pytest.fixture(scope="module")
def model(past: pd.DataFrame, settings: ScreenSettings) -> EdgeModel:
    return EdgeModel.fit(past, settings=settings, rng=np.random.default_rng(1))


def test_it_says_what_the_model_says_with_those_records(
    model: EdgeModel, past: pd.DataFrame, candidates: Make, settings: ScreenSettings
) -> None:
    later = candidates(2, share=0.8).drop(columns=["realised_gross_bps", "realised_funding_bps", "realised_net_bps"])
    edge = CalibratedEdge({"perp_perp": model}, past)
    said = edge.predict(later, settings=settings)
    pd.testing.assert_frame_equal(said, model.predict(later, settings=settings, past=past), check_dtype=False)


def test_a_kind_without_a_model_is_not_believed(
    model: EdgeModel, past: pd.DataFrame, candidates: Make, settings: ScreenSettings
) -> None:
    both = pd.concat(
        [candidates(2, share=0.8, n_days=3), candidates(3, share=0.8, n_days=3, kind="spot_perp")], ignore_index=True
    )
    said = CalibratedEdge({"perp_perp": model}, past).predict(both, settings=settings)
    spot = (both["kind"] == "spot_perp").to_numpy()
    assert said["mean_net_bps"].isna().tolist() == spot.tolist()
    assert said["qualifies"].dtype == bool
    assert not said.loc[spot, "qualifies"].any()


def test_without_candidates_there_is_an_empty_answer(
    model: EdgeModel, past: pd.DataFrame, settings: ScreenSettings
) -> None:
    edge = CalibratedEdge({"perp_perp": model}, past)
    assert len(edge.predict(past.iloc[:0], settings=settings)) == 0
    assert len(CalibratedEdge({}).predict(past, settings=settings)) == len(past)


def test_settings_that_it_was_not_fitted_for_are_refused(model: EdgeModel, settings: ScreenSettings) -> None:
    edge = CalibratedEdge({"perp_perp": model})
    edge.check(settings)
    with pytest.raises(InputError, match="the model was fitted with window 336 and the settings say 200"):
        edge.check(replace(settings, window=200))


def test_a_gate_that_lets_pass_what_a_model_does_not_know_is_refused_unless_the_kind_has_no_test(
    model: EdgeModel, settings: ScreenSettings
) -> None:
    few = replace(model, grid=replace(model.grid, p_max=0.04))
    with pytest.raises(InputError, match=r"p of at most 0\.04 and the settings' p_max is 0\.05: lower it"):
        CalibratedEdge({"perp_perp": few}).check(settings)
    CalibratedEdge({"perp_perp": few}).check(replace(settings, p_max=0.04))
    untested = replace(model, grid=replace(model.grid, p_max=float("nan")))
    CalibratedEdge({"spot_perp": untested}).check(settings)
