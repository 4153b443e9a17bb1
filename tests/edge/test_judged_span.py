from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.calibration import judge
from benchmarks.walked import recorded
from hlpairs_core.exceptions import InputError
from hlpairs_core.screening import ScreenSettings

KEYS = {
    "n",
    "n_effective",
    "slope",
    "slope_low",
    "slope_high",
    "mean_expected_bps",
    "mean_realised_bps",
    "bias_low_bps",
    "bias_high_bps",
    "skill_vs_zero",
    "skill_vs_mean",
    "abstained_share",
}


def judged(rows: pd.DataFrame, settings: ScreenSettings) -> dict[str, dict[str, float]]:
    raw = rows["expected_gross_bps"] - rows["expected_fee_bps"] - rows["expected_slippage_bps"]
    rows = rows.assign(expected_net_bps=raw, qualifies=False, is_top=~rows["signal_time"].duplicated())
    bars = pd.DataFrame({"signal_time": rows["signal_time"].unique()})
    return judge(rows, bars, settings=settings, fit_until=pd.Timestamp("2025-06-01", tz="UTC"))  # type: ignore[return-value]


def test_what_is_planted_is_found_to_be_calibrated(
    candidates: Callable[..., pd.DataFrame], settings: ScreenSettings, capsys: pytest.CaptureFixture[str]
) -> None:
    found = judged(candidates(8, share=0.8), settings)
    assert set(found) == {"perp_perp", "spot_perp", "top", "raw_top"}
    assert all(set(account) == KEYS for account in found.values())
    for name in ("perp_perp", "top"):
        assert found[name]["slope_low"] < 1.0 < found[name]["slope_high"]
        # Shrinkage errs on the side of too little.
        assert found[name]["mean_expected_bps"] == pytest.approx(found[name]["mean_realised_bps"], rel=0.2)
    assert found["spot_perp"]["n"] == 0
    assert "spot_perp: no candidates, so it abstains" in capsys.readouterr().out


def test_where_nothing_arrives_the_account_is_of_abstaining(
    candidates: Callable[..., pd.DataFrame], settings: ScreenSettings
) -> None:
    found = judged(candidates(9, share=0.0, noise=1.0), settings)
    assert (found["top"]["n"], found["top"]["slope"], found["top"]["abstained_share"]) == (0, None, 1.0)
    assert found["raw_top"]["mean_expected_bps"] > found["raw_top"]["mean_realised_bps"] + 50


def test_a_history_that_is_too_short_abstains_and_says_why(
    candidates: Callable[..., pd.DataFrame], settings: ScreenSettings, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = candidates(8, share=0.8)
    found = judged(rows[rows["signal_time"] > pd.Timestamp("2025-05-01", tz="UTC")], settings)
    assert found["perp_perp"]["abstained_share"] == 1.0
    assert "days are missing" in capsys.readouterr().out


@pytest.mark.parametrize("missing", ["candles_1h", "funding"])
def test_a_folder_without_candles_or_funding_is_refused_by_the_name_of_what_is_missing(
    tmp_path: Path, settings: ScreenSettings, missing: str
) -> None:
    for name in {"candles_1h", "funding"} - {missing}:
        pd.DataFrame({"coin": ["A"]}).to_parquet(tmp_path / f"{name}.parquet")
    with pytest.raises(InputError, match=f"{missing}.parquet is not there"):
        recorded(tmp_path, settings=settings, every=6, until=None, folder=None, say=print)
