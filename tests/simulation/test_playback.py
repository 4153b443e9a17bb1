import json
from pathlib import Path

import pytest

from hlpairs_core.exceptions import InputError
from hlpairs_core.session import SessionWriter, read_session
from hlpairs_core.simulation.playback import Playback
from hlpairs_core.simulation.playback_index import frame_key, subscription_key

HOUR = 3_600_000
T0 = 1_746_057_600_000  # market time of the first answer
BTC = {"coin": "BTC", "interval": "1h"}
CANDLES = {"type": "candleSnapshot", "req": {**BTC, "startTime": T0, "endTime": T0 + 9 * HOUR}}


class Wall:
    def __init__(self) -> None:
        self.now = 5000.0

    def __call__(self) -> float:
        return self.now


def candle(number: int, close: str = "1.0") -> dict:
    return {"t": T0 + number * HOUR, "T": T0 + (number + 1) * HOUR - 1, "s": "BTC", "i": "1h", "c": close}


def frame(channel: str, data: object) -> str:
    return json.dumps({"channel": channel, "data": data})


def asked(writer: SessionWriter, at: float, body: dict, reply: object, *, status: int | None = 200) -> None:
    market_ms = T0 + int((at - 1000.0) * 1000 * 60)
    headers = {"x-hlpairs-time": str(market_ms), "x-hlpairs-speed": "60"} if status == 200 else {}
    raw = b"" if status is None else json.dumps(reply).encode()
    writer.answered(body, sent_at=at, received_at=at, status=status, headers=headers, reply=raw)


@pytest.fixture
def played(tmp_path: Path) -> tuple[Playback, Wall]:
    writer = SessionWriter(tmp_path / "s", address="http://127.0.0.1:1", started_at=999.0)
    asked(writer, 1000.0, {"type": "allMids"}, {"BTC": "1.0"})
    asked(writer, 1001.0, CANDLES, [candle(0), candle(1, "0.9")])
    writer.opened(1, at=1001.5)
    writer.sent(1, json.dumps({"method": "subscribe", "subscription": {"type": "bbo", "coin": "ETH"}}), at=1001.6)
    writer.received(1, frame("subscriptionResponse", {"method": "subscribe"}), at=1001.7)
    writer.received(1, frame("candle", candle(1, "1.1")), at=1002.0)
    writer.received(1, frame("candle", candle(2, "1.2")), at=1003.0)
    writer.closed(1, "1006", at=1004.0)
    asked(writer, 1005.0, {"type": "allMids"}, {}, status=None)
    asked(writer, 1010.0, {"type": "allMids"}, {"BTC": "2.0"})
    writer.opened(2, at=1010.5)
    writer.received(2, "Websocket connection established.", at=1011.0)
    writer.closed(2, "1000", at=1012.0)
    writer.close()
    wall = Wall()
    return Playback(read_session(tmp_path / "s"), clock=wall), wall


def test_the_same_request_gets_the_answer_it_got_at_that_time(played) -> None:
    playback, wall = played
    assert json.loads(playback.answer({"type": "allMids"}).reply) == {"BTC": "1.0"}
    wall.now += 2.0
    assert json.loads(playback.answer({"type": "allMids"}).reply) == {"BTC": "1.0"}
    wall.now += 3.5
    assert playback.answer({"type": "allMids"}).status is None
    wall.now += 4.2  # a little faster than the one that was recorded
    assert json.loads(playback.answer({"type": "allMids"}).reply) == {"BTC": "2.0"}


def test_the_clock_starts_with_the_first_request_and_runs_at_the_recorded_markets_speed(played) -> None:
    playback, wall = played
    wall.now += 500.0
    assert playback.clock.time_ms() == T0
    wall.now += 2.0
    assert playback.clock.time_ms() == T0 + 120_000
    wall.now += 500.0
    assert playback.clock.time_ms() == T0 + 12 * 60_000
    assert playback.clock.speed == 60.0
    assert playback.name.startswith("replay-session-")


def test_frames_and_closings_come_when_they_came_and_once(played) -> None:
    playback, wall = played
    assert playback.due() == []
    wall.now += 3.5
    assert [event.kind for event in playback.due()] == ["received"] * 2  # acknowledgements are not played
    assert playback.due() == []
    wall.now += 1.0
    assert [(event.kind, event.socket) for event in playback.due()] == [("closed", 1)]
    wall.now += 60.0
    # What the end of the recording closed is not part of what happened.
    assert [event.kind for event in playback.due()] == ["received"]


def test_a_late_subscriber_gets_what_came_within_the_last_seconds_and_what_came_last(played) -> None:
    playback, wall = played
    playback.clock.position()
    wall.now += 3.5
    playback.due()
    frames = playback.subscribe(("candle", "BTC", "1h"))
    assert [json.loads(text)["data"]["c"] for text in frames] == ["1.1", "1.2"]
    wall.now += 6.0
    playback.due()
    frames = playback.subscribe(("candle", "BTC", "1h"))
    assert [json.loads(text)["data"]["c"] for text in frames] == ["1.2"]
    assert playback.subscribe(("candle", "ETH", "1h")) == []


def test_candles_asked_for_differently_are_put_together_from_all_that_arrived_by_then(played) -> None:
    playback, wall = played
    other = {"type": "candleSnapshot", "req": {"coin": "BTC", "interval": "1h", "startTime": T0 + HOUR}}
    playback.clock.position()
    wall.now += 1.2
    playback.due()
    assert [row["c"] for row in json.loads(playback.answer(other).reply)] == ["0.9"]
    wall.now += 2.0
    playback.due()
    assert [row["c"] for row in json.loads(playback.answer(other).reply)] == ["1.1", "1.2"]


def test_a_request_gets_the_answer_of_the_same_hour_of_the_market_before_a_nearer_one(tmp_path: Path) -> None:
    writer = SessionWriter(tmp_path / "s", address="http://127.0.0.1:1", started_at=999.0)
    for at in (1000.0, 1030.0, 1060.5):  # an hour of the market takes 60 seconds
        asked(writer, at, {"type": "allMids"}, {"BTC": str(at)})
    writer.close()
    wall = Wall()
    playback = Playback(read_session(tmp_path / "s"), clock=wall)
    playback.clock.position()
    wall.now += 59.5
    assert json.loads(playback.answer({"type": "allMids"}).reply) == {"BTC": "1030.0"}
    wall.now += 0.6
    assert json.loads(playback.answer({"type": "allMids"}).reply) == {"BTC": "1060.5"}


def test_what_was_never_recorded_is_refused(played) -> None:
    playback, _ = played
    with pytest.raises(InputError, match=r"holds no answer to .*l2Book"):
        playback.answer({"type": "l2Book", "coin": "BTC"})
    assert playback.knows(("bbo", "ETH"))
    assert playback.knows(("candle", "BTC", "1h"))
    assert not playback.knows(("bbo", "BTC"))


def test_an_empty_session_is_refused(tmp_path: Path) -> None:
    SessionWriter(tmp_path / "s", address="http://127.0.0.1:1", started_at=999.0).close()
    with pytest.raises(InputError, match="holds no answered request"):
        Playback(read_session(tmp_path / "s"))


@pytest.mark.parametrize("speed", [0.0, -1.0, 1001.0, float("nan")])
def test_a_speed_that_cannot_be_played_is_refused(played, tmp_path: Path, speed: float) -> None:
    with pytest.raises(InputError, match="at a speed above 0 and at most 1000"):
        Playback(read_session(tmp_path / "s"), speed=speed)


@pytest.mark.parametrize(
    ("subscription", "text"),
    [
        ({"type": "allMids"}, frame("allMids", {"mids": {}})),
        ({"type": "bbo", "coin": "BTC"}, frame("bbo", {"coin": "BTC", "time": 1, "bbo": [None, None]})),
        ({"type": "trades", "coin": "BTC"}, frame("trades", [{"coin": "BTC"}])),
        ({"type": "candle", "coin": "BTC", "interval": "1h"}, frame("candle", candle(0))),
        ({"type": "l2Book", "coin": "BTC", "fast": True}, frame("l2Book", {"coin": "BTC", "fast": True})),
        ({"type": "l2Book", "coin": "BTC", "nSigFigs": None}, frame("l2Book", {"coin": "BTC"})),
        ({"type": "activeAssetCtx", "coin": "@107"}, frame("activeSpotAssetCtx", {"coin": "@107", "ctx": {}})),
    ],
)
def test_a_frame_finds_its_subscription(subscription: dict, text: str) -> None:
    assert frame_key(text) == subscription_key(subscription)


@pytest.mark.parametrize("text", ["", "null", "[]", '{"channel":"pong"}', '{"channel":"error","data":"no"}', "{"])
def test_what_is_no_data_belongs_to_no_subscription(text: str) -> None:
    assert frame_key(text) is None
