import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hlpairs_core.market import Panel

pytestmark = pytest.mark.recordings


@pytest.fixture(scope="module")
def candles(recordings: Path) -> pd.DataFrame:
    return pd.read_parquet(recordings / "candles_1h.parquet")


@pytest.fixture(scope="module")
def funding(recordings: Path) -> pd.DataFrame:
    return pd.read_parquet(recordings / "funding.parquet")


@pytest.fixture(scope="module")
def panel(candles: pd.DataFrame, funding: pd.DataFrame) -> Panel:
    return Panel.from_candles(candles, funding)


def test_nine_months_of_all_coins_become_a_panel_in_about_a_second(
    candles: pd.DataFrame, funding: pd.DataFrame
) -> None:
    began = time.process_time()
    panel = Panel.from_candles(candles, funding)
    # Measured at 0.3 to 0.5 s of processor time, which a busy machine does not change much.
    assert time.process_time() - began < 2
    assert (panel.n_coins, panel.interval) == (181, "1h")


def test_each_coin_keeps_exactly_its_bars_from_the_first_trade_on(candles: pd.DataFrame, panel: Panel) -> None:
    # An independent way to the same: coin by coin, with pandas.
    for column, (coin, rows) in enumerate(candles.groupby("coin", observed=True)):
        rows = rows.set_index("time").sort_index()
        kept = rows.loc[rows.index[rows["volume"] > 0][0] :]
        has_bar = ~np.isnan(panel.close[:, column])
        assert panel.coins[column] == coin
        assert panel.time[has_bar].equals(pd.DatetimeIndex(kept.index))
        np.testing.assert_array_equal(panel.close[has_bar, column], kept["close"])
        np.testing.assert_array_equal(panel.volume[has_bar, column], kept["volume"])
        assert panel.report.count("before listing: zero volume", coin=str(coin)) == len(rows) - len(kept)


def test_all_recorded_funding_finds_its_bar(funding: pd.DataFrame, panel: Panel) -> None:
    wide = funding.assign(time=funding["time"].dt.floor("h")).pivot_table(
        index="time", columns="coin", values="funding_rate", observed=True
    )
    expected = wide.reindex(index=panel.time, columns=list(panel.coins)).to_numpy(copy=True)
    expected[np.isnan(panel.close)] = np.nan
    np.testing.assert_array_equal(panel.funding, expected)


def test_the_report_says_what_was_stripped(panel: Panel) -> None:
    assert "before listing: zero volume: 9,230 (CELO 1,000" in str(panel.report)
    assert panel.report.missing.empty


@pytest.mark.parametrize("end", ["2024-12-01T00:00Z", "2025-03-09T13:30Z"])
def test_recorded_bars_do_not_depend_on_what_came_later(
    candles: pd.DataFrame, funding: pd.DataFrame, panel: Panel, end: str
) -> None:
    past = candles[candles["time"] + pd.Timedelta(hours=1) <= pd.Timestamp(end)]
    known = Panel.from_candles(past, funding, interval="1h", coins=panel.coins)
    cut = panel.until(end)
    assert cut.time.equals(known.time)
    for name in ("open", "high", "low", "close", "volume", "funding"):
        np.testing.assert_array_equal(getattr(cut, name), getattr(known, name))


def test_minute_bars_of_illiquid_coins_are_kept(recordings: Path) -> None:
    panel = Panel.from_candles(pd.read_parquet(recordings / "candles_1m.parquet"))
    assert panel.interval == "1m"
    assert (~panel.traded & ~np.isnan(panel.close)).sum() > 100_000
