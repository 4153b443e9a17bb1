import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

VERSIONS = ("numpy", "scipy", "pandas", "statsmodels", "arch", "numba")


@dataclass(frozen=True)
class Report:
    """What a benchmark found: rows for a reader and the same numbers for a program."""

    name: str
    rows: list[tuple[str, str]]
    numbers: dict[str, float | int | str] = field(default_factory=dict)

    def __str__(self) -> str:
        width = max(len(label) for label, _ in self.rows)
        lines = [f"  {label:<{width}}  {value}".rstrip() for label, value in self.rows]
        return "\n".join([f"\n{self.name}", *lines, json.dumps({"benchmark": self.name, **self.numbers})])


def processor_seconds(work: Callable[[], object]) -> float:
    """Return the processor's time for `work`: what a single thread takes, however busy the machine is."""
    start = time.process_time()
    work()
    return time.process_time() - start


def machine() -> str:
    """Say on what the numbers were measured."""
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    versions = ", ".join(f"{name} {version(name)}" for name in VERSIONS if find_spec(name))
    return (
        f"{_processor()}, {os.cpu_count()} cores{load}, one BLAS thread\n"
        f"{platform.system()} {platform.machine()}, Python {platform.python_version()}, {versions}"
    )


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
