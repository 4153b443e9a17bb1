import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from hlpairs_core.exceptions import InputError
from hlpairs_core.metrics import (
    Performance,
    deflated_sharpe,
    max_drawdown,
    performance,
    sharpe_ratio,
    sharpe_sample,
    sortino_ratio,
    tail_risk,
)

TIMES = pd.date_range("2025-01-01", periods=1_000, freq="h", tz="UTC")
RETURNS = pd.Series(np.random.default_rng(1).normal(0.2, 8.0, size=1_000), index=TIMES)
TRADES = pd.DataFrame(
    {
        "net_bps": [12.0, -5.0, 3.0, math.nan],
        "hold_hours": [10.0, 20.0, 30.0, math.nan],
        "notional_usd": [1_000.0, 2_000.0, 1_000.0, 0.0],
        "entry_time": [TIMES[10], TIMES[50], TIMES[60], pd.NaT],
        "exit_time": [TIMES[20], TIMES[70], TIMES[90], pd.NaT],
        "exit_reason": ["reverted", "horizon", "reverted", "no entry"],
    }
)


@pytest.fixture(scope="module")
def found() -> Performance:
    return performance(
        RETURNS, TRADES, unit="bps", capital_usd=10_000.0, tried_sharpes=[1.0, -2.0, 0.5], rng=np.random.default_rng(2)
    )


def test_it_gathers_what_each_function_finds(found: Performance) -> None:
    values = RETURNS.to_numpy()
    assert found.total_bps == pytest.approx(values.sum())
    assert found.volatility_bps == pytest.approx(values.std(ddof=1) * math.sqrt(8760))
    assert found.sharpe == sharpe_ratio(values)
    assert found.sortino == sortino_ratio(values)
    assert found.calmar == pytest.approx(values.mean() * 8760 / max_drawdown(values).depth)
    assert found.drawdown == max_drawdown(values)
    assert (found.skewness, found.kurtosis) == (stats.skew(values), stats.kurtosis(values, fisher=False))
    assert found.bar.worst_mean == found.tails[0].expected_shortfall == tail_risk(values).expected_shortfall
    assert found.years == pytest.approx(1_000 / 8760)


def test_annualised_tries_are_brought_to_one_bar(found: Performance) -> None:
    sd = np.std([1.0, -2.0, 0.5], ddof=1) / math.sqrt(8760)
    assert found.deflated_sharpe == deflated_sharpe(sharpe_sample(RETURNS), n_tries=3, sharpe_sd=sd)
    assert found.deflated_sharpe < found.probabilistic_sharpe
    alone = performance(RETURNS, unit="bps", tried_sharpes=[1.0])
    assert alone.deflated_sharpe == alone.probabilistic_sharpe


def test_trades_give_exposure_and_turnover(found: Performance) -> None:
    """Bars 10-19 and 50-89; 4,000 USD in and out over 10,000 in 1,000 hours."""
    assert found.exposure == 50 / 1_000
    assert found.turnover_per_year == pytest.approx(0.8 * 8.76)
    assert found.trades is not None
    assert found.trades.n_trades == 3
    assert found.trades.n_not_entered == 1


def test_intervals_are_drawn_only_with_a_generator(found: Performance) -> None:
    assert found.mean_interval is not None
    assert found.sharpe_interval is not None
    assert found.mean_interval.low < found.bar.mean < found.mean_interval.high
    assert found.sharpe_interval.low < found.sharpe < found.sharpe_interval.high
    assert performance(RETURNS, unit="bps").mean_interval is None


def test_a_drawdown_is_told_in_times(found: Performance) -> None:
    assert found.drawdown_times["trough"] == TIMES[found.drawdown.trough]
    assert str(found.drawdown_times["start"]) in repr(found)
    assert performance(RETURNS.to_numpy(), unit="bps").drawdown_times == {}


def test_fractions_and_bps_are_the_same_returns() -> None:
    bps, fraction = performance(RETURNS, unit="bps"), performance(RETURNS / 1e4, unit="fraction")
    assert fraction.total_bps == pytest.approx(bps.total_bps)
    assert fraction.bar.worst_mean == pytest.approx(bps.bar.worst_mean)
    assert fraction.sharpe == pytest.approx(bps.sharpe)


def test_no_text_shows_a_mean_without_its_worst(found: Performance) -> None:
    for text in (repr(found), found._repr_html_()):
        assert text.count("mean of a") == text.count("(worst 5 %: ") == 2
    assert not [field.name for field in dataclasses.fields(found) if "mean" in field.name.replace("mean_interval", "")]


def test_every_number_that_is_missing_says_why() -> None:
    bare = performance(np.zeros(100), TRADES.head(0), unit="bps")
    numbers = {field.name: getattr(bare, field.name) for field in dataclasses.fields(bare)}
    missing = {name for name, value in numbers.items() if isinstance(value, float) and math.isnan(value)}
    assert missing | {"profit_factor"} == set(bare.reasons)
    assert bare.reasons["sharpe"] == "all 100 bars returned 0 bps"
    assert "Sharpe ratio" in repr(bare)
    assert "unknown: all 100 bars returned 0 bps" in repr(bare)
    assert "profit factor" in repr(bare)
    assert "unknown: there was no trade" in repr(bare)


def test_a_rule_that_was_never_compared_is_not_deflated() -> None:
    found = performance(RETURNS, unit="bps")
    assert math.isnan(found.deflated_sharpe)
    assert "give tried_sharpes" in found.reasons["deflated_sharpe"]


def test_labels_are_escaped_in_a_notebook(found: Performance) -> None:
    hostile = dataclasses.replace(found, reasons={"sharpe": "<script>alert(1)</script>"})
    assert "<script>" not in hostile._repr_html_()
    assert "&lt;script&gt;" in hostile._repr_html_()


def test_a_missing_bar_is_not_taken_for_a_flat_one() -> None:
    with pytest.raises(InputError, match=r"step from 2025-01-01 04:00:00.* to 2025-01-01 06:00:00.*, not by 1h"):
        performance(RETURNS.drop(TIMES[5]), unit="bps")
    with pytest.raises(InputError, match="not by 15m"):
        performance(RETURNS, unit="bps", interval="15m")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"returns": np.arange(19.0)}, "19 bars: at least 20"),
        ({"unit": "percent"}, "unit is 'percent'"),
        ({"tails": ["normal"]}, "method is 'normal'"),
        ({"tried_sharpes": [math.nan]}, "tried_sharpes has 1 missing"),
        ({"tried_sharpes": []}, "tried_sharpes has 0"),
        ({"capital_usd": 0.0}, "capital_usd is 0.0"),
        ({"returns": RETURNS.iloc[:80]}, "has no place in the bars"),
    ],
)
def test_an_impossible_request_is_refused(arguments: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        performance(**{"returns": RETURNS, "trades": TRADES, "unit": "bps", "capital_usd": 1.0, **arguments})
