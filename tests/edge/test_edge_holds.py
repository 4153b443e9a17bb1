"""On walks that nothing pulls no choice of trades by their signals earns anything; by their exits one seems to."""

import numpy as np
import pandas as pd
import pytest

from hlpairs_core.edge import purged_folds, time_blocks, with_record
from hlpairs_core.edge.history import ended_trades
from hlpairs_core.edge.holds import longest_hold, over_by

FIRST = pd.Timestamp("2025-01-01", tz="UTC")
HOLD = longest_hold(horizon_hours=48.0, bar_hours=1.0)


@pytest.fixture(scope="module")
def driftless() -> pd.DataFrame:
    """60 days of signals at z = 2 of 800 driftless walks, left at z = 0.5 or after 48 hours; gross 100 bps a unit."""
    rng = np.random.default_rng(11)
    n_pairs, every = 800, 12
    hours = np.repeat(np.arange(0, 60 * 24, every), n_pairs)
    pair = np.tile(np.arange(n_pairs), len(hours) // n_pairs)
    walk = 2.0 + np.cumsum(0.35 * rng.normal(size=(len(hours), 48)).astype(np.float32), axis=1)
    out = walk <= 0.5
    last = np.where(out.any(axis=1), np.argmax(out, axis=1), 47)
    gross = 100.0 * (2.0 - walk[np.arange(len(walk)), last].astype(np.float64))
    signal = FIRST + pd.to_timedelta(hours, unit="h")
    columns = ("expected_fee_bps", "expected_slippage_bps", "expected_funding_bps", "realised_funding_bps")
    return pd.DataFrame(
        {
            "kind": "perp_perp",
            "signal_time": signal,
            "y": [f"Y{number}" for number in pair],
            "x": "X",
            "zscore": 2.0,
            "spread_vol_bps": 35.0,
            "expected_gross_bps": 150.0,
            **dict.fromkeys(columns, 0.0),
            "realised_gross_bps": gross,
            "realised_net_bps": gross,
            "exit_time": signal + pd.to_timedelta(last + 1, unit="h"),
            "exit_reason": np.where(out.any(axis=1), "reverted", "horizon"),
        }
    )


def errors_from_zero(values: pd.Series) -> float:
    """Return how many standard errors a mean is from 0."""
    return float(values.mean() / values.std() * np.sqrt(len(values)))


@pytest.mark.parametrize("until", ["2025-02-10", None])
def test_driftless_trades_earn_nothing_near_the_cut(driftless: pd.DataFrame, until: str | None) -> None:
    cut = FIRST + pd.Timedelta(days=40) if until else driftless["signal_time"].max()
    known = driftless if until else driftless[driftless["exit_time"] <= cut]  # others end with the data
    kept = ended_trades(known, cut if until else None, horizon_hours=48.0, bar_hours=1.0)
    assert kept["signal_time"].max() == cut - HOLD - (cut - HOLD - FIRST) % pd.Timedelta(hours=12)
    near = kept["signal_time"] > cut - 2 * HOLD
    assert abs(errors_from_zero(kept.loc[near, "realised_gross_bps"])) < 3
    by_exit = driftless[(driftless["exit_time"] < cut) & (driftless["signal_time"] > cut - pd.Timedelta(hours=48))]
    assert errors_from_zero(by_exit["realised_gross_bps"]) > 20


def test_driftless_trades_earn_nothing_before_a_judged_stretch(driftless: pd.DataFrame) -> None:
    blocks = time_blocks(driftless["signal_time"], hours=168)
    near, by_exit = [], []
    for fitted, judged in purged_folds(driftless, blocks=blocks, n_folds=5, hold=HOLD, embargo_hours=48.0):
        first = driftless.loc[judged, "signal_time"].min()
        just = (driftless["signal_time"] < first) & (driftless["signal_time"] > first - 2 * HOLD)
        assert (driftless.loc[just & fitted, "signal_time"] + HOLD <= first).all()
        near.append(driftless.loc[just & fitted, "realised_gross_bps"])
        late = just & (driftless["signal_time"] > first - pd.Timedelta(hours=48)) & (driftless["exit_time"] < first)
        by_exit.append(driftless.loc[late, "realised_gross_bps"])
    assert abs(errors_from_zero(pd.concat(near))) < 3
    assert errors_from_zero(pd.concat(by_exit)) > 20


def test_records_of_driftless_pairs_are_of_nothing(driftless: pd.DataFrame) -> None:
    """The sums of what trades delivered, of all pairs at one time, some days after the first signals."""
    at = FIRST + pd.Timedelta(days=6)
    found = with_record(driftless[driftless["signal_time"] == at], horizon_hours=48.0, past=driftless)
    raw = 150.0 / (35.0 * np.sqrt(48.0))
    delivered = found["record_share"] * (found["record_trades"] * raw**2 + 2.0)
    assert (found["record_trades"] > 0).all()
    assert abs(errors_from_zero(delivered)) < 3


def test_a_trade_that_outlasts_the_longest_hold_is_not_known_before_its_exit() -> None:
    """A coin that stood still: its order to leave waited."""
    rows = pd.DataFrame({"signal_time": [FIRST, FIRST], "exit_time": FIRST + pd.to_timedelta([3, 200], unit="h")})
    assert over_by(rows, FIRST + HOLD, hold=HOLD).tolist() == [True, False]
    assert over_by(rows, FIRST + HOLD - pd.Timedelta(hours=1), hold=HOLD).tolist() == [False, False]
    assert over_by(rows, FIRST + pd.Timedelta(hours=200), hold=HOLD).tolist() == [True, False]
    assert over_by(rows, FIRST + pd.Timedelta(hours=201), hold=HOLD).tolist() == [True, True]
