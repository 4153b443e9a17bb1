import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hlpairs_core.exceptions import InputError, SettingsError
from hlpairs_core.simulation import SimulatedMarket, replay_market

HOUR = 3_600_000
T0 = pd.Timestamp("2025-03-01", tz="UTC")


@pytest.fixture(scope="module")
def hourly(recordings: Path) -> SimulatedMarket:
    return replay_market(recordings, "1h", clock=lambda: 0.0)


def millis(time: pd.Timestamp) -> int:
    return (time - pd.Timestamp(0, tz="UTC")) // pd.Timedelta(milliseconds=1)


@pytest.mark.recordings
@pytest.mark.parametrize("coin", ["BTC", "OM", "kPEPE", "HYPE", "PAXG"])
def test_a_replay_gives_back_exactly_the_recorded_candles(
    hourly: SimulatedMarket, recordings: Path, ask: Callable[..., Any], coin: str
) -> None:
    now = hourly.clock.time_ms()
    frame = pd.read_parquet(recordings / "candles_1h.parquet", filters=[("coin", "==", coin)])
    frame = frame[(frame.time + pd.Timedelta(hours=1)).map(millis) <= now].tail(4999)
    sent = ask(hourly, {"type": "candleSnapshot", "req": {"coin": coin, "interval": "1h", "startTime": 0}})
    closed = [candle for candle in sent if candle["T"] < now]
    assert [candle["t"] for candle in closed] == [millis(time) for time in frame.time]
    for key, column in {"o": "open", "h": "high", "l": "low", "c": "close", "v": "volume"}.items():
        assert [float(candle[key]) for candle in closed] == frame[column].tolist()


@pytest.mark.recordings
def test_a_replay_gives_back_exactly_the_recorded_funding(
    hourly: SimulatedMarket, recordings: Path, ask: Callable[..., Any]
) -> None:
    frame = pd.read_parquet(recordings / "funding.parquet", filters=[("coin", "==", "BTC")]).head(500)
    sent = ask(hourly, {"type": "fundingHistory", "coin": "BTC", "startTime": 0})
    assert [row["time"] for row in sent] == [millis(time) for time in frame.time]
    assert [float(row["fundingRate"]) for row in sent] == frame.funding_rate.tolist()


@pytest.mark.recordings
def test_a_replay_starts_14_days_before_its_end_and_stops_there(recordings: Path, wall) -> None:
    market = replay_market(recordings, "1h", speed=3600, clock=wall)
    assert market.now() == pd.Timestamp("2025-05-01", tz="UTC")
    assert market.name.startswith("replay-1h-")
    wall.seconds += 1e6
    assert market.now() == pd.Timestamp("2025-05-15", tz="UTC")


@pytest.mark.recordings
def test_metadata_are_the_recorded_ones_and_asset_ids_follow_them(
    hourly: SimulatedMarket, protocol: Path, ask: Callable[..., Any]
) -> None:
    real = json.loads((protocol / "meta_and_asset_ctxs.json").read_text())[0]["response"][0]["universe"]
    known = {entry["name"]: entry for entry in real}
    universe = ask(hourly, {"type": "meta"})["universe"]
    assert [entry["name"] for entry in universe][:3] == ["BTC", "ETH", "ATOM"]
    for entry in universe:
        recorded = {key: value for key, value in known[entry["name"]].items() if key != "isDelisted"}
        assert {key: value for key, value in entry.items() if key != "isDelisted"} == recorded
    ended = {entry["name"] for entry in universe if entry.get("isDelisted")}
    assert len(ended) == 13


@pytest.mark.recordings
def test_recorded_five_minute_bars_agree_with_hourly_ones(recordings: Path, ask: Callable[..., Any]) -> None:
    market = replay_market(recordings, "5m", start="2025-05-01T10:07Z", clock=lambda: 0.0)
    now = market.clock.time_ms()
    req = {"coin": "ETH", "interval": "1h", "startTime": now - 48 * HOUR, "endTime": now - HOUR}
    sent = ask(market, {"type": "candleSnapshot", "req": req})
    frame = pd.read_parquet(recordings / "candles_1h.parquet", filters=[("coin", "==", "ETH")]).set_index("time")
    for candle in sent:
        row = frame.loc[pd.Timestamp(candle["t"], unit="ms", tz="UTC")]
        assert [float(candle[key]) for key in "ohlc"] == row[["open", "high", "low", "close"]].tolist()


def write(folder: Path, *, hours: int = 400, change: Callable[[pd.DataFrame], pd.DataFrame] | None = None) -> Path:
    """A small recording of two coins; the second is listed later and has a hole."""
    times = pd.date_range(T0, periods=hours, freq="h").as_unit("ms")
    price = 100 * np.exp(np.cumsum(np.random.default_rng(1).normal(0, 0.01, hours)))
    one = pd.DataFrame({"coin": "AAA", "time": times, "open": price, "close": np.roll(price, -1), "volume": 5.0})
    one["high"], one["low"] = one[["open", "close"]].max(axis=1), one[["open", "close"]].min(axis=1)
    other = one.assign(coin="BBB").iloc[200:].drop(index=[300, 301])
    candles = pd.concat([one, other], ignore_index=True)
    folder.mkdir(exist_ok=True)
    (change(candles) if change else candles).to_parquet(folder / "candles_1h.parquet")
    funding = candles[["coin", "time"]].assign(funding_rate=0.0000125)
    funding.to_parquet(folder / "funding.parquet")
    return folder


def test_a_missing_bar_is_sent_flat_and_without_volume(tmp_path: Path, ask: Callable[..., Any]) -> None:
    market = replay_market(write(tmp_path / "rec"), clock=lambda: 0.0)
    sent = ask(
        market,
        {"type": "candleSnapshot", "req": {"coin": "BBB", "interval": "1h", "startTime": 0}},
        millis(T0) + 350 * HOUR,
    )
    by_time = {candle["t"]: candle for candle in sent}
    before, hole = by_time[millis(T0) + 299 * HOUR], by_time[millis(T0) + 301 * HOUR]
    assert {hole[key] for key in "ohlc"} == {before["c"]}
    assert (hole["v"], hole["n"]) == ("0.0", 0)


def test_a_coin_without_metadata_gets_the_stated_default(tmp_path: Path, ask: Callable[..., Any]) -> None:
    market = replay_market(write(tmp_path / "rec"), clock=lambda: 0.0)
    universe = ask(market, {"type": "meta"})["universe"]
    assert universe[0] == {"szDecimals": 3, "name": "AAA", "maxLeverage": 3, "marginTableId": 3}


def test_at_the_end_of_a_replay_every_candle_is_closed(tmp_path: Path, wall, ask: Callable[..., Any]) -> None:
    market = replay_market(write(tmp_path / "rec"), speed=3600, clock=wall)
    wall.seconds += 1e6
    now = market.clock.time_ms()
    for interval in ("1m", "1h"):
        req = {"coin": "AAA", "interval": interval, "startTime": now - 5 * HOUR, "endTime": now}
        assert ask(market, {"type": "candleSnapshot", "req": req})[-1]["T"] == now - 1
    meta, contexts = ask(market, {"type": "metaAndAssetCtxs"})
    assert [("isDelisted" in entry) for entry in meta["universe"]] == [False, False]
    assert all(context["midPx"] for context in contexts)


def test_other_recordings_are_another_market(tmp_path: Path) -> None:
    one, same, other = (
        replay_market(write(tmp_path / name, hours=hours)).name for name, hours in (("a", 400), ("b", 400), ("c", 401))
    )
    assert one == same
    assert one != other


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda f: f.drop(columns="volume"), "lacks the columns volume"),
        (lambda f: f.iloc[:0], "has no rows"),
        (lambda f: f.assign(close=np.where(f.index == 3, np.nan, f.close)), "1 rows cannot be used; AAA"),
        (lambda f: f.assign(low=np.where(f.index == 3, -1.0, f.low)), "price that is not above 0"),
        (lambda f: f.assign(high=np.where(f.index == 3, f.low / 2, f.high)), "open or close outside low and high"),
        (lambda f: f.assign(volume=-1.0), "negative volume"),
        (lambda f: pd.concat([f, f.iloc[:1]]), "two rows for one coin and time"),
        (lambda f: f.assign(time=f.time + pd.Timedelta(minutes=7)), "not open on a multiple of its interval"),
        (lambda f: f.assign(coin=None), "without a coin|has no rows"),
        (lambda f: f.assign(open="a lot"), "not numeric"),
    ],
    ids=["column", "empty", "nan", "negative", "crossed", "volume", "twice", "off-clock", "nameless", "text"],
)
def test_recordings_that_cannot_be_are_refused(
    tmp_path: Path, change: Callable[[pd.DataFrame], pd.DataFrame], problem: str
) -> None:
    folder = write(tmp_path / "rec", change=change)
    with pytest.raises(InputError, match=problem):
        replay_market(folder)


def test_missing_and_broken_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a folder"):
        replay_market(tmp_path / "nowhere")
    folder = write(tmp_path / "rec")
    with pytest.raises(InputError, match=r"no recording at .*candles_5m.parquet"):
        replay_market(folder, "5m")
    (folder / "candles_1h.parquet").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(InputError, match=r"cannot read .*candles_1h.parquet"):
        replay_market(folder)
    write(folder)
    (folder / "funding.parquet").unlink()
    with pytest.raises(InputError, match=r"no recording at .*funding.parquet"):
        replay_market(folder)


def test_broken_metadata_are_named(tmp_path: Path) -> None:
    (tmp_path / "protocol").mkdir()
    (tmp_path / "protocol" / "meta_and_asset_ctxs.json").write_text('{"universe": []}')
    with pytest.raises(InputError, match="is no recorded metaAndAssetCtxs answer"):
        replay_market(write(tmp_path / "rec"))


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"start": "2024-01-01"}, "choose a time from 2025-03-02T16:00:00"),
        ({"start": "2025-06-01"}, "to before 2025-03-17T16:00:00"),
        ({"start": "tomorrow-ish"}, "as a time"),
        ({"speed": -1.0}, "speed must be above 0"),
        ({"interval": "7m"}, "unknown interval '7m'"),
    ],
)
def test_replay_settings_out_of_range_are_refused(tmp_path: Path, settings: dict[str, Any], problem: str) -> None:
    folder = write(tmp_path / "rec")
    with pytest.raises(InputError, match=problem) as caught:
        replay_market(folder, **settings)
    if "interval" not in settings:
        assert isinstance(caught.value, SettingsError)
