"""What trades brought, part by part."""

import numpy as np
import pandas as pd
import pytest

from hlpairs_core.edge.account import account_of
from hlpairs_core.exceptions import InputError


def trades(gross: list[float], *, days: list[int]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "signal_time": pd.Timestamp("2025-01-01", tz="UTC") + pd.to_timedelta(days, unit="D"),
            "realised_gross_bps": gross,
            "realised_fee_bps": 9.0,
            "realised_slippage_bps": 4.0,
            "realised_funding_bps": 1.0,
        }
    )


def test_parts_add_up_and_slippage_is_multiplied() -> None:
    some = trades([12.0, 52.0, np.nan, -28.0], days=[0, 8, 9, 16])
    plain, twice = (account_of(some, rng=np.random.default_rng(1), n_bars=8, slippage_multiple=m) for m in (1.0, 2.0))
    assert (plain.n, plain.n_unknown, plain.none_share) == (3, 1, 0.5)
    # Days 0, 8 and 16 lie in three weeks.
    assert plain.n_blocks == 3
    assert (plain.gross_bps, plain.fee_bps, plain.slippage_bps, plain.funding_bps) == (12.0, 9.0, 4.0, 1.0)
    assert plain.net.mean == pytest.approx(0.0)
    assert plain.net.worst_mean == -40.0
    assert (twice.slippage_bps, twice.net.mean, twice.net.worst_mean) == (8.0, pytest.approx(-4.0), -44.0)
    assert twice.as_row()["worst_bps"] == -44.0


def test_the_interval_holds_the_mean_of_independent_weeks_nine_times_in_ten() -> None:
    rng, held = np.random.default_rng(2), 0
    days = np.repeat(np.arange(0, 7 * 40, 7), 5)
    for _ in range(200):
        # Trades of a week share its luck: five of them tell no more than one.
        gross = np.repeat(rng.normal(12.0, 50.0, 40), 5)
        found = account_of(trades(gross.tolist(), days=days.tolist()), rng=rng)
        held += found.low_bps < 0.0 < found.high_bps
    assert held / 200 == pytest.approx(0.88, abs=0.06)


def test_no_trade_has_no_mean_and_all_bars_are_without_one() -> None:
    nothing = account_of(trades([], days=[]), rng=np.random.default_rng(1), n_bars=340)
    assert (nothing.n, nothing.none_share) == (0, 1.0)
    assert np.isnan([nothing.gross_bps, nothing.net.mean, nothing.net.worst_mean, nothing.low_bps]).all()


def test_an_amount_that_is_missing_or_a_negative_multiple_is_refused() -> None:
    some = trades([1.0], days=[0])
    with pytest.raises(InputError, match="realised_fee_bps"):
        account_of(some.drop(columns="realised_fee_bps"), rng=np.random.default_rng(1))
    with pytest.raises(InputError, match="slippage_multiple"):
        account_of(some, rng=np.random.default_rng(1), slippage_multiple=-1.0)
