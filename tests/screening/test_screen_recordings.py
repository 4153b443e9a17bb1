from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hlpairs_core.market import Panel
from hlpairs_core.screening import mark, screen

pytestmark = pytest.mark.recordings


@pytest.fixture(scope="module")
def recorded(recordings: Path) -> Panel:
    """337 hourly bars of every coin to the end of March 2025, with their funding."""
    span = [
        ("time", ">=", pd.Timestamp("2025-03-17T23:00Z")),
        ("time", "<", pd.Timestamp("2025-04-01T00:00Z")),
    ]
    candles = pd.read_parquet(recordings / "candles_1h.parquet", filters=span)
    funding = pd.read_parquet(recordings / "funding.parquet", filters=span)
    return Panel.from_candles(candles, funding, end="2025-04-01T00:00Z").tail(337)


def test_the_recorded_universe_is_screened_with_sane_counts(recorded: Panel) -> None:
    result = screen(recorded)
    funnel, table = result.funnel, result.candidates
    assert result.closed_at == pd.Timestamp("2025-04-01T00:00Z")
    assert 40 < funnel.coins_eligible < funnel.coins_listed == recorded.n_coins
    assert funnel.pairs == funnel.coins_eligible * (funnel.coins_eligible - 1) // 2
    assert funnel.pairs_dependent == len(table) == funnel.pairs
    assert funnel.expected_by_luck == pytest.approx(0.05 * len(table))
    assert (
        funnel.pairs
        >= funnel.pairs_cointegrated
        >= funnel.pairs_at_entry
        >= funnel.pairs_positive_edge
        >= funnel.pairs_qualifying
    )
    assert funnel.pairs_qualifying == table["qualifies"].sum()
    assert table.loc[~table["qualifies"], "misses"].map(len).min() >= 1
    assert table["p_value"].between(0, 1).all()
    np.testing.assert_allclose(table["notional_y_usd"] + table["notional_x_usd"], 10_000)


def test_recorded_marks_at_the_closes_repeat_the_screen(recorded: Panel) -> None:
    result = screen(recorded)
    marked = mark(result, dict(zip(recorded.coins, recorded.close[-1], strict=True)))
    np.testing.assert_allclose(marked["net_edge_bps"], result.candidates["net_edge_bps"], rtol=1e-9)
