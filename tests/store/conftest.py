from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hlpairs_core.store.files import DiskFiles

START = pd.Timestamp("2025-01-01T00:00Z")


class FaultyFiles(DiskFiles):
    """A disk whose k-th step fails: with a crash nothing works afterwards, with an error only that step fails."""

    def __init__(self, fail_at: int, error: Callable[[], BaseException], *, partial: bool = False) -> None:
        self.fail_at = fail_at
        self.error = error
        self.partial = partial
        self.steps = 0

    def _step(self) -> None:
        self.steps += 1
        error = self.error()
        if self.steps == self.fail_at or (self.steps > self.fail_at and not isinstance(error, OSError)):
            raise error

    def make_folder(self, folder: Path) -> None:
        self._step()
        super().make_folder(folder)

    def write(self, path: Path, data: bytes, mode: int) -> None:
        if self.partial and self.steps + 1 == self.fail_at:
            super().write(path, data[: len(data) // 2], mode)
        self._step()
        super().write(path, data, mode)

    def copy(self, source: Path, target: Path) -> None:
        if self.partial and self.steps + 1 == self.fail_at:
            target.write_bytes(source.read_bytes()[:10])
        self._step()
        super().copy(source, target)

    def replace(self, source: Path, target: Path) -> None:
        self._step()
        super().replace(source, target)

    def remove(self, path: Path) -> None:
        self._step()
        super().remove(path)

    def sync_folder(self, folder: Path) -> None:
        self._step()
        super().sync_folder(folder)


class Crash(BaseException):
    """The process is gone."""


@pytest.fixture
def faulty() -> type[FaultyFiles]:
    return FaultyFiles


@pytest.fixture
def crash() -> type[Crash]:
    return Crash


@pytest.fixture
def hour() -> Callable[[int], pd.Timestamp]:
    return lambda n: START + pd.Timedelta(hours=n)


@pytest.fixture
def candles() -> Callable[..., pd.DataFrame]:
    """Hourly candles of one coin; every price is the given value."""

    def make(coin: str, hours: list[int] | range, value: float = 1.0) -> pd.DataFrame:
        time = pd.DatetimeIndex([START + pd.Timedelta(hours=hour) for hour in hours], tz="UTC").as_unit("ms")
        prices = {name: np.full(len(time), value) for name in ("open", "high", "low", "close", "volume")}
        return pd.DataFrame({"coin": [coin] * len(time), "time": time, **prices})

    return make
