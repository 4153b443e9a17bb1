import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlpairs_core.exceptions import InputError, StoreError, StoreNotWritable
from hlpairs_core.session import SessionWriter, is_session, read_session

BODY = {"type": "allMids"}


def written(folder: Path, **options) -> SessionWriter:
    return SessionWriter(folder, address="http://127.0.0.1:1", started_at=1000.0, **options)


def answer(writer: SessionWriter, at: float, reply: bytes, status: int | None = 200) -> None:
    headers = {"x-hlpairs-time": "1735689600000", "set-cookie": "secret"}
    writer.answered(BODY, sent_at=at - 0.1, received_at=at, status=status, headers=headers, reply=reply)


def test_what_is_written_is_read_back_in_order(tmp_path: Path) -> None:
    writer = written(tmp_path / "s")
    answer(writer, 1000.2, b'{"BTC":"1.0"}')
    writer.opened(1, at=1000.3)
    writer.sent(1, '{"method":"ping"}', at=1000.4)
    writer.received(1, '{"channel":"pong"}', at=1000.5)
    writer.closed(1, "1006", at=1000.6)
    writer.close()
    writer.close()
    session = read_session(tmp_path / "s")
    events = list(session.events())
    assert [event.kind for event in events] == ["answered", "opened", "sent", "received", "closed"]
    assert [event.at for event in events] == [1000.2, 1000.3, 1000.4, 1000.5, 1000.6]
    assert events[0].reply == b'{"BTC":"1.0"}'
    assert events[0].sent_at == pytest.approx(1000.1)
    assert events[4].text == "1006"
    assert is_session(tmp_path / "s")
    assert not is_session(tmp_path)
    assert session.address == "http://127.0.0.1:1"


def test_only_the_headers_that_name_the_market_are_kept(tmp_path: Path) -> None:
    writer = written(tmp_path / "s")
    answer(writer, 1000.2, b"null")
    writer.close()
    (event,) = read_session(tmp_path / "s").events()
    assert dict(event.headers) == {"x-hlpairs-time": "1735689600000"}


def test_what_was_asked_about_an_account_is_not_kept(tmp_path: Path) -> None:
    writer = written(tmp_path / "s")
    told = {"sent_at": 1000.1, "received_at": 1000.2, "status": 200, "headers": {}, "reply": b'{"dailyUserVlm":[]}'}
    writer.answered({"type": "userFees", "user": "0x" + "5a" * 20}, **told)
    writer.answered(BODY, **told)
    writer.close()
    assert [event.body for event in read_session(tmp_path / "s").events()] == [BODY]


@given(frames=st.lists(st.text(max_size=40), max_size=30), replies=st.lists(st.binary(max_size=40), max_size=5))
def test_any_text_and_any_bytes_come_back_unchanged(tmp_path_factory, frames, replies) -> None:
    folder = tmp_path_factory.mktemp("session") / "s"
    writer = written(folder, file_bytes=200)
    for reply in replies:
        answer(writer, 1001.0, reply)
    for frame in frames:
        writer.received(1, frame, at=1002.0)
    writer.close()
    events = list(read_session(folder).events())
    assert [event.reply for event in events if event.kind == "answered"] == replies
    assert [event.text for event in events if event.kind == "received"] == frames


def test_a_recording_that_was_cut_off_is_read_as_far_as_it_was_flushed(tmp_path: Path) -> None:
    writer = written(tmp_path / "s")
    for second in range(5):
        writer.received(1, "x" * 50, at=1002.0 + 2 * second)  # each comes later than a flush is due
    path = tmp_path / "s" / "events-000001.jsonl.gz"
    data = path.read_bytes()  # what a process that is killed now leaves behind
    writer.close()
    path.write_bytes(data)
    assert len(list(read_session(tmp_path / "s").events())) == 5
    path.write_bytes(data[:-3])
    assert 4 <= len(list(read_session(tmp_path / "s").events())) <= 5


def test_a_folder_that_holds_something_is_refused(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(StoreError, match="is not empty: a session needs a folder of its own"):
        written(tmp_path)


def test_a_folder_that_cannot_be_made_is_an_error_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreNotWritable, match=r"cannot record to .*file"):
        written(tmp_path / "file" / "s")


def test_a_full_disk_ends_the_recording_and_nothing_else(tmp_path: Path) -> None:
    writer = written(tmp_path / "s")

    class Full:
        def write(self, data: bytes) -> int:
            raise OSError(28, "No space left on device")

    writer._file.close()
    writer._file = Full()
    writer.received(1, "x", at=1001.0)
    writer.received(1, "y", at=1002.0)
    assert "ended after 0 events: No space left on device" in writer.trouble
    writer.close()


@pytest.mark.parametrize("manifest", ["", "[]", "{}", '{"version": 1}'])
def test_a_folder_without_a_manifest_is_no_session(tmp_path: Path, manifest: str) -> None:
    (tmp_path / "session.json").write_text(manifest)
    with pytest.raises(InputError, match="holds no recorded session"):
        read_session(tmp_path)


def test_another_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "session.json").write_text(json.dumps({"version": 9, "address": "", "started_at": 0}))
    with pytest.raises(InputError, match="version 9: this program reads version 1"):
        read_session(tmp_path)


def test_a_line_that_is_no_event_is_named(tmp_path: Path) -> None:
    import gzip

    written(tmp_path / "s").close()
    (tmp_path / "s" / "events-000001.jsonl.gz").write_bytes(gzip.compress(b'{"e":"sent"}\n'))
    with pytest.raises(InputError, match=r"events-000001.jsonl.gz:1 is no event"):
        list(read_session(tmp_path / "s").events())
