import http.server
import os
import threading

import httpx
import pytest
from engine_processes import gone

from hlpairs_core.engine import connect, find, start
from hlpairs_core.exceptions import EngineError, StoreNotWritable
from hlpairs_core.store import FolderLock, RuntimeFile


class Stranger(http.server.BaseHTTPRequestHandler):
    """Some other program that got the port of an engine that was killed."""

    answer = (404, b"not found")
    seen: list

    def do_GET(self):
        self.seen.append(dict(self.headers))
        status, body = self.answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def stranger():
    handler = type("Handler", (Stranger,), {"seen": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield handler, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def left_behind(folder, **content):
    folder.mkdir()
    known = {"url": "http://127.0.0.1:9", "read_token": "sesame", "market": "demo", "pid": 4_000_000}
    RuntimeFile(folder / "engine.json").write({**known, **content})
    return folder


@pytest.mark.parametrize(
    "answer",
    [
        (404, b"not found"),
        (200, b"<html>"),
        (200, b"[]"),
        (200, b'{"ok": true}'),
        (200, b'{"ok": true, "pid": 5}'),
        (503, b"null"),
    ],
)
def test_another_program_on_the_port_of_a_killed_engine_is_not_taken_for_it_and_gets_no_token(
    tmp_path, stranger, answer
):
    handler, url = stranger
    handler.answer = answer
    assert find(left_behind(tmp_path / "d", url=url)) is None
    assert len(handler.seen) == 1
    assert "sesame" not in str(handler.seen)


@pytest.mark.parametrize("content", [{}, {"url": 5}, {"url": "x"}, {"pid": None}])
def test_what_a_killed_engine_left_behind_is_passed_over(tmp_path, content):
    assert find(left_behind(tmp_path / "d", **content)) is None


def test_an_empty_folder_has_no_engine(tmp_path):
    assert find(tmp_path / "nowhere") is None


def test_an_engine_that_holds_the_folder_but_does_not_answer_is_named_in_the_end(tmp_path):
    with FolderLock(tmp_path, "engine") as lock:
        lock.note(url="http://127.0.0.1:9")
        times = iter([0.0, *[1.0] * 200])
        clock = {"ended": False}

        def now():
            return 1e9 if clock["ended"] else next(times)

        def sleep(_):
            process_ended.wait(0.1)
            clock["ended"] = "already has its engine" in (tmp_path / "engine.log").read_text()

        process_ended = threading.Event()
        with pytest.raises(EngineError, match=rf"already has its engine: process {os.getpid()} at"):
            start(tmp_path, ["--market", "demo"], detach=True, clock=now, sleep=sleep)


def test_two_that_ask_for_an_engine_at_once_get_the_same_one(tmp_path, exchange):
    found: list = []

    def ask():
        with connect(tmp_path / "d", market=exchange) as client:
            found.append(client.url)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    said = RuntimeFile(tmp_path / "d" / "engine.json").read()
    httpx.post(said["url"] + "/stop", headers={"Authorization": f"Bearer {said['admin_token']}"}, trust_env=False)
    assert found == [said["url"]] * 2
    assert gone(said["pid"])


def test_a_folder_that_cannot_be_made_is_refused_in_words(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreNotWritable, match=r"file/d: not a directory"):
        start(tmp_path / "file" / "d", ["--market", "demo"], detach=True)
