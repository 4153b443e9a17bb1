"""A kind of pair whose income is funding: what of it arrives is learned, and the basis brings nothing."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.calibration import judge
from benchmarks.walked import recorded_carry
from hlpairs_core.backtest import WalkForward
from hlpairs_core.backtest.walk_carry import walk_carry
from hlpairs_core.costs import CostModel
from hlpairs_core.edge import EdgeModel
from hlpairs_core.edge.features import FORMS, forms_of, noise_bps
from hlpairs_core.market import Panel, PanelReport
from hlpairs_core.market.spot_names import SpotMatch
from hlpairs_core.screening import ScreenSettings

MATCHES = tuple(SpotMatch(coin=f"@{i}", token=f"U{i}", perp=f"P{i}") for i in range(3))
SETTINGS = ScreenSettings()
COSTS = CostModel(impact_coefficient=0.0)
DAYS = 125


def hourly(values: np.ndarray, coins: tuple[str, ...], funding: np.ndarray) -> Panel:
    time = pd.date_range("2025-01-01", periods=len(values), freq="1h", tz="UTC").as_unit("ms")
    volume, report = np.full(values.shape, 1e6), PanelReport(0, 0, True, pd.DataFrame())
    return Panel(time, coins, "1h", values, values, values, values, volume, funding, report)


def market(rate_bps: tuple[float, ...], *, seed: int = 1) -> tuple[Panel, Panel]:
    """Bases that bounce around 0, and funding that wanders slowly around its own level."""
    rng = np.random.default_rng(seed)
    n, k = 24 * DAYS, len(rate_bps)
    perp = 30 * np.exp(np.cumsum(rng.normal(0, 0.005, (n, k)), axis=0))
    spot = perp * np.exp(rng.normal(0, 0.001, (n, k)))
    slow = pd.DataFrame(rng.normal(0, 1.0, (n, k))).ewm(halflife=72).mean().to_numpy()
    rate = np.asarray(rate_bps) * 1e-4 * (1 + 3 * slow)
    names = [tuple(getattr(one, leg) for one in MATCHES) for leg in ("perp", "coin")]
    return hourly(perp, names[0], rate), hourly(spot, names[1], np.full((n, k), np.nan))


@pytest.fixture(scope="module")
def walked() -> WalkForward:
    return walk_carry(*market((0.3, 1.0, 2.0)), MATCHES, settings=SETTINGS, costs=COSTS, every=12)


@pytest.fixture(scope="module")
def model(walked: WalkForward) -> EdgeModel:
    return EdgeModel.fit(walked.rows, settings=SETTINGS, rng=np.random.default_rng(1))


def test_funding_that_lasts_is_found_to_arrive(walked: WalkForward, model: EdgeModel) -> None:
    report = model.report().iloc[0]
    assert (report["kind"], report["form"]) == ("spot_perp", "funding arrives")
    said = model.predict(walked.rows, settings=SETTINGS)
    known = np.isfinite(walked.rows["realised_net_bps"])
    miss = (walked.rows["realised_net_bps"] - said["mean_net_bps"])[known]
    assert abs(miss.mean()) < 3
    inside = (miss > (said["low_net_bps"] - said["mean_net_bps"])[known]) & (
        miss < (said["high_net_bps"] - said["mean_net_bps"])[known]
    )
    assert inside.mean() == pytest.approx(0.90, abs=0.05)


def test_what_pays_the_costs_qualifies_and_what_does_not_abstains(walked: WalkForward, model: EdgeModel) -> None:
    qualifies = model.predict(walked.rows, settings=SETTINGS)["qualifies"].groupby(walked.rows["x"]).mean()
    # 0.3, 1 and 2 bps an hour: 7, 24 and 47 bps of gross notional, for costs of 13.5.
    assert qualifies["P0"] == 0.0
    assert qualifies["P2"] > 0.9


def test_nothing_of_the_mean_is_of_a_reversion_that_nobody_expects(walked: WalkForward, model: EdgeModel) -> None:
    ((key, cell),) = model.cells.items()
    richer = replace(cell, form="funding arrives, as in its last week", weights=np.array([0.7, 0.4]),
                     covariance=0.01 * np.eye(2))  # fmt: skip
    rows = walked.rows
    said = replace(model, cells={key: richer}).predict(rows, settings=SETTINGS)
    known = np.isfinite(said["mean_net_bps"])
    assert known.sum() > 500
    assert (rows.loc[known, "expected_gross_bps"] == 0).all()
    assert (said.loc[known, "gross_share"] == 0).all()
    costs = rows["expected_fee_bps"] + rows["expected_slippage_bps"]
    parts = said["funding_share"] * rows["expected_funding_bps"] - costs
    np.testing.assert_allclose(parts[known], said.loc[known, "mean_net_bps"])


def test_a_saved_model_of_carry_says_the_same(walked: WalkForward, model: EdgeModel, tmp_path: Path) -> None:
    model.save(tmp_path / "edge.json")
    again, asked = EdgeModel.load(tmp_path / "edge.json"), walked.rows.tail(20)
    pd.testing.assert_frame_equal(again.predict(asked, settings=SETTINGS), model.predict(asked, settings=SETTINGS))


def test_several_horizons_make_one_model() -> None:
    panels = market((0.3, 1.0, 2.0))
    rows = {
        hours: walk_carry(*panels, MATCHES, settings=SETTINGS, costs=COSTS, every=24, horizon=hours).rows
        for hours in (48.0, 72.0)
    }
    both = EdgeModel.fit(rows, settings=SETTINGS, rng=np.random.default_rng(1))
    assert set(both.cells) == {(48.0, 2.0), (72.0, 2.0)}
    longer = both.predict(rows[72.0], settings=replace(SETTINGS, horizon_hours=72.0))
    assert longer["mean_net_bps"].mean() > both.predict(rows[48.0], settings=SETTINGS)["mean_net_bps"].mean()


def test_the_forms_of_a_kind_are_its_own() -> None:
    assert list(forms_of("spot_perp")) == [
        "nothing arrives", "funding arrives", "funding arrives, as in its last week"
    ]  # fmt: skip
    of_perps = forms_of("perp_perp")
    assert len(of_perps) == 9
    assert next(iter(of_perps)) == "nothing arrives"
    assert not any(name.startswith("funding") for name in of_perps)
    assert of_perps.keys() | forms_of("spot_perp").keys() == FORMS.keys()


def test_the_noise_of_a_hold_is_its_own_where_it_is_known(walked: WalkForward) -> None:
    rows = walked.rows.head(4)
    np.testing.assert_array_equal(noise_bps(rows, 48.0), rows["hold_noise_bps"])
    np.testing.assert_allclose(
        noise_bps(rows.assign(hold_noise_bps=np.nan), 48.0), rows["spread_vol_bps"] * np.sqrt(48)
    )


def test_the_top_is_of_both_kinds(
    walked: WalkForward, candidates: Callable[..., pd.DataFrame], capsys: pytest.CaptureFixture[str]
) -> None:
    perps = candidates(8, share=0.0, noise=1.0, n_days=DAYS).assign(
        expected_net_bps=-1.0, qualifies=False, is_top=False
    )
    both = pd.concat([perps, walked.rows])
    found = judge(both, walked.bars, settings=SETTINGS, fit_until=pd.Timestamp("2025-04-15", tz="UTC"))
    assert set(found) == {"perp_perp", "spot_perp", "top", "raw_top"}
    carry, top = found["spot_perp"], found["top"]
    assert carry["n"] > top["n"] > 0  # type: ignore[index]
    assert top["abstained_share"] < 0.1  # type: ignore[index]
    assert found["perp_perp"]["n"] == 0  # type: ignore[index]
    capsys.readouterr()


def test_a_folder_without_spot_abstains_and_says_why(tmp_path: Path) -> None:
    said: list[str] = []
    found = recorded_carry(tmp_path, horizons=(48.0,), settings=SETTINGS, every=6, until=None, say=said.append)
    assert found == {}
    assert said[0].startswith("no spot against perp: ")
    assert "spot_candles_1h.parquet" in said[0]


def recorded_bars(folder: Path, coin: str) -> list[str]:
    """Write 400 hours of a coin and of its spot, and one hour of funding; return what is said of them."""
    hours = pd.date_range("2025-01-01", periods=400, freq="1h", tz="UTC")
    price = 10 + np.sin(np.arange(400))
    bars = pd.DataFrame(
        {"coin": coin, "time": hours, "open": price, "high": price, "low": price, "close": price, "volume": 1e6}
    )
    for name in ("candles_1h", "spot_candles_1h"):
        bars.to_parquet(folder / f"{name}.parquet")
    funding = pd.DataFrame({"coin": [coin], "time": hours[:1], "funding_rate": [1e-5]})
    funding.to_parquet(folder / "funding.parquet")
    said: list[str] = []
    assert recorded_carry(folder, horizons=(48.0,), settings=SETTINGS, every=6, until=None, say=said.append) == {}
    return said


def test_spot_of_which_nothing_is_known_abstains_and_says_why(tmp_path: Path) -> None:
    assert recorded_bars(tmp_path, "NOVA") == [
        "no spot against perp: none of the recorded spot tokens (NOVA) is known to be the coin of a perp"
    ]


def test_a_coin_without_funding_abstains_and_says_why(tmp_path: Path) -> None:
    assert recorded_bars(tmp_path, "HYPE") == [
        "recorded spot: HYPE-HYPE",
        "no spot against perp: at no bar has a pair a sound week behind it and funding to be received",
    ]
