"""A playback keeps in step with an engine: what decides a bar's verdict comes in the order in which it was recorded."""

import json
from pathlib import Path

import pytest

from hlpairs_core.session import SessionWriter, read_session
from hlpairs_core.simulation.playback import HELD_SECONDS, Playback
from hlpairs_core.simulation.playback_clock import PATIENCE_SECONDS

HOUR = 3_600_000
T0 = 1_746_057_600_000  # a full hour of the market
CONTEXTS = {"type": "metaAndAssetCtxs"}
BOOK = {"type": "l2Book", "coin": "BTC"}
BBO = ("bbo", "BTC")
CANDLES = {"type": "candleSnapshot", "req": {"coin": "BTC", "interval": "1h", "startTime": T0 - 2 * HOUR}}


class Wall:
    def __init__(self) -> None:
        self.now = 5000.0

    def __call__(self) -> float:
        return self.now


def frame(channel: str, data: object) -> str:
    return json.dumps({"channel": channel, "data": data})


def candle(opened: int, close: str) -> dict:
    return {"t": opened, "T": opened + HOUR - 1, "s": "BTC", "i": "1h", "c": close}


class Recording:
    """A market at 60 times the wall's speed, from half past: an hour is over after 30 seconds and after 90."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.writer = SessionWriter(folder, address="http://127.0.0.1:1", started_at=999.0)

    def answer(self, after: float, body: dict, reply: object) -> None:
        time_ms = T0 - HOUR // 2 + int(after * 60_000)
        headers = {"x-hlpairs-time": str(time_ms), "x-hlpairs-speed": "60"}
        sent, got = 1000.0 + after, 1000.05 + after
        raw = json.dumps(reply).encode()
        self.writer.answered(body, sent_at=sent, received_at=got, status=200, headers=headers, reply=raw)

    def frame(self, after: float, text: str) -> None:
        self.writer.received(1, text, at=1000.0 + after)

    def subscribed(self, after: float, **subscription: str) -> None:
        text = json.dumps({"method": "subscribe", "subscription": subscription})
        self.writer.sent(1, text, at=1000.0 + after)

    def played(self, wall: Wall, **options) -> Playback:
        self.writer.close()
        return Playback(read_session(self.folder), clock=wall, **options)


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    """Contexts after 1, 31 and 91 seconds; the second and the third say that an hour is over."""
    recording = Recording(tmp_path / "s")
    recording.answer(0.0, {"type": "allMids"}, {"BTC": "1.0"})
    for after in (1.0, 31.0, 61.0, 91.0):
        recording.answer(after, CONTEXTS, after)
    return recording


def answer(playback: Playback, body: dict) -> object:
    return json.loads(playback.answer(body).reply)


def test_an_engine_that_is_late_gets_the_contexts_of_each_close_and_nothing_that_came_after_them(recording, wall):
    recording.frame(31.1, frame("bbo", {"coin": "BTC"}))
    playback = recording.played(wall)
    assert answer(playback, CONTEXTS) == 1.0
    wall.now += 36.0
    assert playback.due() == []
    assert playback.clock.time_ms() == T0 - 1
    assert answer(playback, CONTEXTS) == 31.0
    assert playback.clock.time_ms() == T0 + 60_000
    assert playback.due() == []
    wall.now += 0.1
    assert len(playback.due()) == 1
    wall.now += 70.0
    assert answer(playback, CONTEXTS) == 91.0


def test_an_engine_that_is_early_has_to_wait_for_the_contexts_of_a_close_and_is_not_told_that_it_is_over(
    recording, wall
):
    playback = recording.played(wall)
    answer(playback, CONTEXTS)
    wall.now += 29.5
    assert playback.clock.time_ms() < T0
    assert playback.must_wait(CONTEXTS)
    assert not playback.must_wait({"type": "allMids"})
    wall.now += 0.4
    assert playback.clock.time_ms() == T0 - 1
    assert playback.must_wait(CONTEXTS)
    wall.now += 0.2
    assert not playback.must_wait(CONTEXTS)
    assert answer(playback, CONTEXTS) == 31.0


def test_contexts_between_two_closes_are_the_nearest_of_that_hour(recording, wall):
    playback = recording.played(wall)
    answer(playback, CONTEXTS)
    assert answer(playback, CONTEXTS) == 1.0
    wall.now += 31.0
    answer(playback, CONTEXTS)
    wall.now += 25.0
    assert not playback.must_wait(CONTEXTS)
    assert answer(playback, CONTEXTS) == 31.0
    wall.now += 5.5
    assert answer(playback, CONTEXTS) == 61.0


def test_a_bar_that_the_recorded_engine_skipped_is_skipped_again(tmp_path, wall):
    recording = Recording(tmp_path / "s")
    for after in (1.0, 95.0):
        recording.answer(after, CONTEXTS, after)
    playback = recording.played(wall)
    answer(playback, CONTEXTS)
    wall.now += 40.0
    assert not playback.must_wait(CONTEXTS)
    assert answer(playback, CONTEXTS) == 1.0
    assert playback.clock.time_ms() == T0 - 1
    wall.now += 60.0
    assert answer(playback, CONTEXTS) == 95.0
    assert playback.clock.time_ms() >= T0 + HOUR


def test_a_close_waits_until_all_is_subscribed_to_that_was_by_then_and_all_is_read(recording, wall):
    recording.writer.close()
    recording = Recording(recording.folder.with_name("t"))
    recording.answer(1.0, CONTEXTS, 1.0)
    recording.subscribed(5.0, type="bbo", coin="BTC")
    recording.answer(31.0, CONTEXTS, 31.0)
    playback = recording.played(wall)
    answer(playback, CONTEXTS)
    wall.now += 30.1
    assert playback.must_wait(CONTEXTS)
    playback.subscribe(BBO)
    assert playback.must_wait(CONTEXTS, all_read=False)
    assert not playback.must_wait(CONTEXTS)


def test_a_client_that_never_subscribes_is_answered_after_a_while(recording, wall):
    recording.subscribed(20.0, type="bbo", coin="ETH")
    playback = recording.played(wall)
    answer(playback, CONTEXTS)
    wall.now += 30.1 + HELD_SECONDS
    assert not playback.must_wait(CONTEXTS)


def test_who_asks_for_no_contexts_has_the_session_played_by_the_clock(recording, wall, caplog):
    recording.frame(40.0, frame("bbo", {"coin": "BTC"}))
    playback = recording.played(wall)
    playback.clock.position()
    wall.now += PATIENCE_SECONDS
    assert playback.due() == []
    wall.now += 2.0
    assert playback.due() == []
    assert "played by the clock" in caplog.text
    wall.now += 39.0
    assert len(playback.due()) == 1
    assert playback.clock.time_ms() > T0


def test_the_clock_does_not_leap_where_nobody_could_keep_up(recording, wall):
    playback = recording.played(wall)
    answer(playback, CONTEXTS)
    playback.clock.keep_to(0.1)
    began = playback.clock.position()
    wall.now += 3.0
    playback.clock.keep_to(0.1)
    assert playback.clock.position() == pytest.approx(began + 0.1)
    wall.now += 0.05
    playback.clock.keep_to(0.1)
    assert playback.clock.position() == pytest.approx(began + 0.15)
    wall.now += 0.05
    playback.clock.keep_to(0.0)
    assert playback.clock.position() == pytest.approx(began + 0.15)


def test_of_books_the_same_request_of_the_same_hour_gets_the_same_answer_however_late_it_comes(recording, wall):
    for after in (32.0, 33.0, 92.0):
        recording.answer(after, BOOK, after)
    playback = recording.played(wall)
    answer(playback, CONTEXTS)
    wall.now += 31.0
    answer(playback, CONTEXTS)
    wall.now += 50.0
    assert [answer(playback, BOOK) for _ in range(3)] == [32.0, 33.0, 33.0]
    wall.now += 20.0
    answer(playback, CONTEXTS)
    assert answer(playback, BOOK) == 92.0


def test_a_book_that_was_not_asked_for_is_the_newest_of_the_feed(recording, wall):
    recording.frame(2.0, frame("l2Book", {"coin": "BTC", "time": 1}))
    recording.frame(3.0, frame("l2Book", {"coin": "BTC", "time": 2}))
    playback = recording.played(wall)
    answer(playback, CONTEXTS)
    wall.now += 1.5
    playback.due()
    assert answer(playback, BOOK) == {"coin": "BTC", "time": 1}


def test_a_candle_that_is_over_is_the_one_that_was_recorded_last_and_one_in_progress_is_as_it_stood(recording, wall):
    over, open_now = T0 - HOUR, T0
    asked = {"type": "candleSnapshot", "req": {"coin": "BTC", "interval": "1h", "startTime": T0 - 9 * HOUR}}
    recording.answer(2.0, asked, [candle(over, "1.0")])
    recording.frame(29.0, frame("candle", candle(over, "1.1")))
    recording.frame(31.4, frame("candle", candle(over, "1.2")))
    recording.frame(31.6, frame("candle", candle(open_now, "2.0")))
    recording.frame(80.0, frame("candle", candle(open_now, "2.9")))
    playback = recording.played(wall)
    answer(playback, CONTEXTS)
    wall.now += 28.5
    playback.due()
    assert [row["c"] for row in answer(playback, CANDLES)] == ["1.1"]
    wall.now += 1.6
    answer(playback, CONTEXTS)
    playback.due()
    assert [row["c"] for row in answer(playback, CANDLES)] == ["1.2"]
    wall.now += 1.0
    playback.due()
    assert [row["c"] for row in answer(playback, CANDLES)] == ["1.2", "2.0"]
