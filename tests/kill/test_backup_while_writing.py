"""Backups of a data folder in which another process appends and merges all the time, and backups that are killed."""

import queue
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import bar_writer
import pytest
from bar_writer import MODES, StoreChecker, append_bars, open_stores
from killing import kill_at_random

from hlpairs_core.exceptions import StoreError
from hlpairs_core.store import Journal, back_up, put_back

BACKUPS = 4
WAIT_SECONDS = 60.0

BACKUP_FOR_EVER = """
import itertools, sys
from pathlib import Path
from hlpairs_core.store import back_up

for number in itertools.count():
    back_up(Path(sys.argv[1]), Path(sys.argv[2]) / f"{sys.argv[3]}-{number}")
    print("one is finished", flush=True)
"""


class Writer:
    """A process that stores bars in a folder until it is stopped."""

    def __init__(self, folder: Path, mode: str) -> None:
        command = [sys.executable, bar_writer.__file__, str(folder), mode]
        self.lines: list[str] = []
        self._said: queue.Queue[str] = queue.Queue()
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._reader = threading.Thread(target=self._listen)
        self._reader.start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._said.put(line.rstrip("\n"))

    def heard(self, more: int) -> list[str]:
        """Wait until it has said so many lines more; return all that it said so far."""
        self.lines += [self._said.get(timeout=WAIT_SECONDS) for _ in range(more)]
        while not self._said.empty():
            self.lines.append(self._said.get())
        return list(self.lines)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()


@pytest.fixture(params=MODES)
def writer(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Writer]:
    (tmp_path / "data" / "demo").mkdir(parents=True)
    process = Writer(tmp_path / "data" / "demo", request.param)
    yield process
    process.stop()


def test_every_row_that_was_stored_before_a_backup_began_is_in_it(writer: Writer, tmp_path: Path) -> None:
    for number in range(BACKUPS):
        said = writer.heard(more=6)
        target, before = tmp_path / f"saved {number}", time.time()
        done = back_up(tmp_path / "data", target)
        assert done.left_out == ()
        assert abs(done.manifest.taken_at_ms / 1000 - before) < WAIT_SECONDS
        put_back(target, tmp_path / f"new {number}")
        checker = StoreChecker(tmp_path / f"new {number}" / "demo")
        for line in said:
            checker.heard(line)
        checker.check()
    assert len(writer.heard(more=1)) > BACKUPS * 6, "the writer was held up"


def test_a_backup_that_is_killed_is_unfinished_or_whole(tmp_path: Path) -> None:
    data_dir, saved = tmp_path / "data", tmp_path / "saved"
    append_bars(open_stores(data_dir / "demo")["candles"], range(19), range(-50, 0))
    Journal(data_dir / "demo" / "journal.sqlite").close()
    rng, unfinished, whole = random.Random(5), 0, 0
    for kill in range(4):
        command = [sys.executable, "-c", BACKUP_FOR_EVER, str(data_dir), str(saved), str(kill)]
        kill_at_random(command, rng, longest=0.2)
        for folder in saved.glob(f"{kill}-*"):
            target = tmp_path / "new" / folder.name
            if (folder / "manifest.json").exists():
                put_back(folder, target)
                StoreChecker(target / "demo").check()
                whole += 1
            else:
                with pytest.raises(StoreError, match="was never finished"):
                    put_back(folder, target)
                unfinished += 1
    assert whole >= 4
    assert unfinished <= 4
