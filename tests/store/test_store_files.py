import os
import subprocess
import sys
from pathlib import Path

import pytest

from hlpairs_core.exceptions import StoreNotWritable
from hlpairs_core.store import RuntimeFile
from hlpairs_core.store.files import DISK, ReadOnlyFiles, remove_left_over, write_atomically


@pytest.fixture
def dead_pid() -> int:
    """Id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_temporary_files_of_writers_that_are_gone_are_removed_and_others_stay(tmp_path: Path, dead_pid: int) -> None:
    gone = [f"a.parquet.{dead_pid}-0123abcd.tmp", f"a.parquet.{os.getpid()}-0123abcd.tmp", "a.parquet.0123abcd.tmp"]
    stay = [f"a.parquet.{os.getppid()}-0123abcd.tmp", "mine.tmp", "a.parquet", "a.parquet.0123abcd.tmp.txt"]
    for name in (*gone, *stay):
        (tmp_path / name).write_bytes(b"")
    remove_left_over(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(stay)


def test_the_next_engine_removes_the_tokens_that_a_killed_one_was_writing(tmp_path: Path, dead_pid: int) -> None:
    (tmp_path / f"engine.json.{dead_pid}-0123abcd.tmp").write_text('{"admin_token": "secret"}')
    RuntimeFile(tmp_path / "engine.json").write({"admin_token": "new"})
    assert [path.name for path in tmp_path.iterdir()] == ["engine.json"]


@pytest.mark.parametrize(("size", "end"), [(0, b""), (3, b"789"), (9, b"123456789"), (99, b"123456789")])
def test_the_end_of_a_file_is_read_without_the_rest(tmp_path: Path, size: int, end: bytes) -> None:
    (tmp_path / "file").write_bytes(b"123456789")
    assert DISK.read_end(tmp_path / "file", size) == end


def test_a_look_changes_nothing(tmp_path: Path) -> None:
    looking = ReadOnlyFiles()
    (tmp_path / "file").write_bytes(b"as it was")
    assert looking.read(tmp_path / "file") == b"as it was"
    with pytest.raises(StoreNotWritable, match=f"cannot write to {tmp_path}: opened for reading only"):
        write_atomically(tmp_path / "file", b"other", files=looking)
    for refused in (looking.replace, looking.remove, looking.make_folder, looking.write):
        with pytest.raises(OSError, match="opened for reading only"):
            refused(tmp_path / "file", tmp_path / "other", 0)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"as it was"]
