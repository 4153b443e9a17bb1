import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hlpairs_core.exceptions import StoreError, StoreNotWritable
from hlpairs_core.store import RuntimeFile
from hlpairs_core.store.files import DiskFiles


class Watching(DiskFiles):
    """Notes the permissions of the temporary file before it becomes the real one."""

    def __init__(self) -> None:
        self.modes: list[int] = []

    def replace(self, source: Path, target: Path) -> None:
        self.modes.append(stat.S_IMODE(source.stat().st_mode))
        super().replace(source, target)


@pytest.fixture
def no_umask() -> Iterator[None]:
    old = os.umask(0)
    yield
    os.umask(old)


@pytest.mark.usefixtures("no_umask")
def test_only_the_owner_can_ever_read_it_even_without_a_umask(tmp_path: Path) -> None:
    files = Watching()
    runtime = RuntimeFile(tmp_path / "engine.json", files=files)
    runtime.write({"url": "http://127.0.0.1:1", "admin_token": "secret"})
    assert files.modes == [0o600]
    assert stat.S_IMODE(runtime.path.stat().st_mode) == 0o600


@pytest.mark.usefixtures("no_umask")
def test_the_file_is_private_from_the_call_that_makes_it(tmp_path: Path) -> None:
    opened: list[int] = []

    class Spying(DiskFiles):
        def write(self, path: Path, data: bytes, mode: int) -> None:
            super().write(path, b"", mode)
            opened.append(stat.S_IMODE(path.stat().st_mode))
            path.unlink()
            super().write(path, data, mode)

    RuntimeFile(tmp_path / "engine.json", files=Spying()).write({"a": 1})
    assert opened == [0o600]


def test_it_is_written_read_replaced_and_removed(tmp_path: Path) -> None:
    runtime = RuntimeFile(tmp_path / "new folder" / "engine.json")
    assert runtime.read() is None
    runtime.write({"port": 1})
    runtime.write({"port": 2})
    assert runtime.read() == {"port": 2}
    assert [path.name for path in runtime.path.parent.iterdir()] == ["engine.json"]
    runtime.remove()
    runtime.remove()
    assert runtime.read() is None


@pytest.mark.parametrize("content", [b"", b"{", b"[1, 2]", b"\xff\xfe", b"null"])
def test_a_file_that_makes_no_sense_is_passed_over_with_a_warning(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    runtime = RuntimeFile(tmp_path / "engine.json")
    runtime.path.write_bytes(content)
    assert runtime.read() is None
    assert "is passed over" in caplog.text


def test_a_failed_write_leaves_the_old_content(tmp_path: Path, faulty: Callable) -> None:
    path = tmp_path / "engine.json"
    RuntimeFile(path).write({"port": 1})
    for step in (2, 3):
        files = faulty(step, lambda: OSError(errno.ENOSPC, "No space left on device"), partial=True)
        with pytest.raises(StoreNotWritable, match="no space left on device"):
            RuntimeFile(path, files=files).write({"port": 2})
        assert RuntimeFile(path).read() == {"port": 1}
        assert [one.name for one in tmp_path.iterdir()] == ["engine.json"]


def test_a_folder_in_its_place_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot read"):
        RuntimeFile(tmp_path).read()
    with pytest.raises(StoreError, match="cannot use"):
        RuntimeFile(tmp_path).remove()
