"""A market's own record: a share that was learned elsewhere is believed where tight pairs have delivered."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from hlpairs_core.edge import EdgeModel
from hlpairs_core.edge.market_record import with_market_record
from hlpairs_core.edge.record import trades_of_record
from hlpairs_core.exceptions import InputError
from hlpairs_core.screening import ScreenSettings

Make = Callable[..., pd.DataFrame]
START = pd.Timestamp("2025-01-01", tz="UTC")


def trades(*, pair: str, day: list[float], gross: list[float], tight: bool = True) -> pd.DataFrame:
    """Trades of a day whose raw expectation is 100 bps and whose noise over 48 hours is too."""
    signal = START + pd.to_timedelta(day, unit="D")
    moves = 100.0 / np.sqrt(48.0)
    return pd.DataFrame(
        {
            "signal_time": signal,
            "exit_time": signal + pd.Timedelta(days=1),
            "y": f"{pair}y",
            "x": f"{pair}x",
            "beta": 1.0,
            "spread_vol_bps": moves,
            "vol_y_bps": (10.0 if tight else 1.0) * moves,
            "vol_x_bps": (10.0 if tight else 1.0) * moves,
            "expected_gross_bps": 100.0,
            "realised_gross_bps": gross,
            "realised_funding_bps": 0.0,
        }
    )


def low_at(day: float, past: pd.DataFrame) -> float:
    now = pd.DataFrame({"signal_time": [START + pd.Timedelta(days=day)]})
    return float(with_market_record(now, past=past, horizon_hours=48.0)["market_share_low"].item())


@pytest.fixture(scope="module")
def two_pairs() -> pd.DataFrame:
    one = trades(pair="A", day=[0, 10, 20], gross=[100.0, 60.0, 80.0])
    return pd.concat([one, trades(pair="B", day=[0, 12], gross=[20.0, 40.0])], ignore_index=True)


def test_it_is_the_share_that_arrived_less_the_error_of_whole_pairs(two_pairs: pd.DataFrame) -> None:
    """A delivered 2.4 of 3 and B 0.6 of 2: with two trades of nothing 3 of 7, missed by 2.4 - 9/7 and 0.6 - 6/7."""
    error = np.sqrt(2 / 1 * ((2.4 - 9 / 7) ** 2 + (0.6 - 6 / 7) ** 2)) / 7
    assert low_at(60.0, two_pairs) == pytest.approx(3 / 7 - 1.2816 * error)


def test_only_trades_signalled_a_longest_hold_before_count(two_pairs: pd.DataFrame) -> None:
    """By day 20 the trades of days 0, 10 and 12 are known, and those of day 20 are not until 97 hours later."""
    early = two_pairs[two_pairs["signal_time"] < START + pd.Timedelta(days=20)]
    assert low_at(20.0, two_pairs) == low_at(24.0, two_pairs) == low_at(60.0, early)
    assert low_at(24.0 + 1 / 24, two_pairs) == low_at(60.0, two_pairs) != low_at(60.0, early)


def test_what_ends_later_changes_nothing(two_pairs: pd.DataFrame) -> None:
    late = two_pairs["exit_time"] >= START + pd.Timedelta(days=20)
    changed = two_pairs.assign(realised_gross_bps=two_pairs["realised_gross_bps"].where(~late, 1e9))
    assert low_at(20.0, changed) == low_at(20.0, two_pairs)


def test_one_pair_is_no_market() -> None:
    assert np.isnan(low_at(60.0, trades(pair="A", day=[0, 10, 20], gross=[100.0, 100.0, 100.0])))
    assert np.isnan(low_at(1.0, trades(pair="A", day=[0, 10], gross=[100.0, 100.0])))


def test_pairs_that_are_not_tight_do_not_count(two_pairs: pd.DataFrame) -> None:
    loose = trades(pair="C", day=[0, 10, 20], gross=[-500.0, -500.0, -500.0], tight=False)
    assert low_at(60.0, pd.concat([two_pairs, loose], ignore_index=True)) == low_at(60.0, two_pairs)


def test_trades_of_record_say_the_same_as_all_candidates(two_pairs: pd.DataFrame) -> None:
    """A tight candidate does not count while a trade of the pair runs, even one that was not tight."""
    running = trades(pair="A", day=[0.5], gross=[-900.0])
    loose = trades(pair="B", day=[30], gross=[10.0], tight=False)
    meanwhile = trades(pair="B", day=[30.5], gross=[-900.0])
    past = pd.concat([two_pairs, running, loose, meanwhile], ignore_index=True)
    assert low_at(60.0, past) == low_at(60.0, trades_of_record(past)) == low_at(60.0, two_pairs)


def test_candidates_without_the_columns_of_tightness_are_refused(two_pairs: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="no column 'vol_y_bps'"):
        low_at(60.0, two_pairs.drop(columns="vol_y_bps"))


@pytest.fixture(scope="module")
def model(candidates: Make, settings: ScreenSettings) -> EdgeModel:
    return EdgeModel.fit(candidates(1, share=0.8), settings=settings, rng=np.random.default_rng(1))


def test_a_model_of_another_market_is_not_believed_where_tight_pairs_deliver_nothing(
    model: EdgeModel, candidates: Make, settings: ScreenSettings
) -> None:
    """A pair may have a record by luck; its market has none."""
    here = candidates(7, share=0.0, noise=1.0)
    now, costs = here.tail(80), (here["expected_fee_bps"] + here["expected_slippage_bps"]).tail(80)
    lucky = now.assign(record_share=1.0)
    said = model.predict(lucky.assign(market_share_low=-0.1), settings=settings)
    believed = model.predict(lucky.assign(market_share_low=0.1), settings=settings)
    tight = now["y"].isin(["Y0", "Y1", "Y2", "Y3"])
    assert believed.loc[tight, "qualifies"].mean() > 0.9
    assert not said["qualifies"].any()
    assert (said["lower_net_bps"] <= -costs).all()
    same = ["mean_net_bps", "standard_error_bps", "low_net_bps", "gain_probability"]
    pd.testing.assert_frame_equal(said[same], believed[same])
    assert not model.predict(now, settings=settings, past=here)["qualifies"].any()


def test_before_a_market_has_a_record_nothing_qualifies(
    model: EdgeModel, candidates: Make, settings: ScreenSettings
) -> None:
    later = candidates(2, share=0.8)
    said = model.predict(later, settings=settings, past=later)
    first = later["signal_time"] < later["signal_time"].min() + pd.Timedelta(days=4)
    assert not said.loc[first, "qualifies"].any()
    assert said.loc[~first, "qualifies"].any()


def test_a_prediction_without_the_market_s_record_is_refused(
    model: EdgeModel, candidates: Make, settings: ScreenSettings
) -> None:
    rows = candidates(2, share=0.8, n_days=3).assign(record_share=0.5)
    with pytest.raises(InputError, match="no column 'market_share_low': give past="):
        model.predict(rows, settings=settings)
