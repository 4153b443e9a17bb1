import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hlpairs_core.exceptions import EngineRunning, InputError, StoreError, StoreNotWritable
from hlpairs_core.store import FolderLock

HOLDER = """
import sys
from pathlib import Path
from hlpairs_core.store import FolderLock
lock = FolderLock(Path(sys.argv[1]), "engine")
lock.acquire()
lock.note(url="http://127.0.0.1:4321")
sys.stdout.write("held\\n")
sys.stdout.flush()
sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path: Path) -> Iterator[subprocess.Popen]:
    """Another process that holds the lock until it is told or killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_second_process_is_refused_and_told_who_works_there(tmp_path: Path, other: subprocess.Popen) -> None:
    lock = FolderLock(tmp_path, "engine")
    with pytest.raises(EngineRunning, match=f"process {other.pid} at http://127.0.0.1:4321"):
        lock.acquire()
    assert not lock.held


def test_a_killed_holder_leaves_the_lock_to_the_next(tmp_path: Path, other: subprocess.Popen) -> None:
    other.send_signal(signal.SIGKILL)
    other.wait()
    with FolderLock(tmp_path, "engine") as lock:
        assert lock.holder() == {"pid": os.getpid(), "role": "engine"}


def test_two_objects_in_one_process_exclude_each_other_too(tmp_path: Path) -> None:
    with FolderLock(tmp_path) as first:
        first.note(url="http://127.0.0.1:1")
        with pytest.raises(EngineRunning, match=f"{tmp_path} already has its engine: process {os.getpid()} at http"):
            FolderLock(tmp_path).acquire()
        with FolderLock(tmp_path, "simulator") as other_role:
            assert other_role.held
    with FolderLock(tmp_path) as second:
        assert second.held


def test_acquire_and_release_may_be_repeated(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path / "made" / "for it")
    lock.release()
    lock.acquire()
    lock.acquire()
    assert lock.held
    lock.release()
    lock.release()
    assert not lock.held


def test_a_holder_that_has_not_written_its_note_is_still_respected(tmp_path: Path) -> None:
    with FolderLock(tmp_path) as first:
        first.path.write_text("")
        with pytest.raises(EngineRunning, match="a process that has not said which yet"):
            FolderLock(tmp_path).acquire()


@pytest.mark.parametrize("text", ["", "[1]", "{", '{"pid": ' + "9" * 5000 + "}"])
def test_a_strange_note_is_no_holder(tmp_path: Path, text: str) -> None:
    lock = FolderLock(tmp_path)
    lock.path.write_text(text)
    assert lock.holder() is None


def test_a_shorter_note_replaces_a_longer_one_whole(tmp_path: Path) -> None:
    with FolderLock(tmp_path) as lock:
        lock.note(url="http://127.0.0.1:12345/with/a/long/path")
        lock.note(url="http://x")
        assert json.loads(lock.path.read_text()) == {"pid": os.getpid(), "role": "engine", "url": "http://x"}


def test_a_note_without_the_lock_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is not held: acquire it first"):
        FolderLock(tmp_path).note(url="http://x")


def test_a_role_is_a_word_and_no_path(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="give a plain word"):
        FolderLock(tmp_path, "../engine")


def test_a_file_where_the_folder_should_be_is_named(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(StoreNotWritable, match=r"cannot write to .*file"):
        FolderLock(blocked).acquire()
