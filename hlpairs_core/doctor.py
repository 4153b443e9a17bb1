"""``hlpairs doctor``: what this machine has, what it lacks, and whether it counts right."""

import asyncio
import importlib.metadata
import os
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hlpairs_core.engine import find
from hlpairs_core.exceptions import HlpairsError
from hlpairs_core.settings import Settings

__all__ = ["Finding", "examine", "examine_numbers"]

PACKAGES = ("numpy", "pandas", "scipy", "statsmodels", "arch", "httpx", "pyarrow", "tornado", "voila", "bqplot")
EXTENSIONS = ("bqplot", "anywidget", "@jupyter-widgets/jupyterlab-manager")
LEAST_FREE_MB = 500


@dataclass(frozen=True)
class Finding:
    """One check: ``ok``, ``note`` (works, but worth knowing) or ``FAIL`` (something will not work)."""

    mark: Literal["ok  ", "note", "FAIL"]
    what: str
    text: str


def examine(settings: Settings) -> list[Finding]:
    """Check Python, packages, data folder, engine and exchange; nothing is changed but a probe file."""
    return [
        _python(sys.version_info),
        *_packages(PACKAGES),
        *_extensions(EXTENSIONS, Path(sys.prefix) / "share" / "jupyter" / "labextensions"),
        _folder(settings.data_dir),
        _engine(settings.data_dir),
        _exchange(settings.market),
    ]


def examine_numbers() -> list[Finding]:
    """Compute numbers that are known beforehand; each says where it comes from."""
    from hlpairs_core.doctor_numbers import run_checks

    return [Finding("ok  " if one.ok else "FAIL", one.what, f"{one.text} ({one.source})") for one in run_checks()]


def _python(version: tuple[int | str, ...]) -> Finding:
    text = ".".join(map(str, version[:3]))
    if tuple(version[:2]) >= (3, 11):
        return Finding("ok  ", "Python", text)
    return Finding("FAIL", "Python", f"{text}: 3.11 or newer is needed")


def _packages(names: Iterable[str]) -> list[Finding]:
    findings = []
    for name in names:
        try:
            findings.append(Finding("ok  ", name, importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            findings.append(Finding("FAIL", name, "not installed: run `make install` or `pip install hlpairs`"))
    return findings


def _extensions(names: Iterable[str], folder: Path) -> list[Finding]:
    missing = [name for name in names if not (folder / name / "package.json").is_file()]
    if missing:
        text = f"{', '.join(missing)} not found in {folder}: the page would stay blank; reinstall these packages"
        return [Finding("FAIL", "page assets", text)]
    return [Finding("ok  ", "page assets", f"found in {folder}")]


def _folder(folder: Path) -> Finding:
    probe = folder / f".probe-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"x")
        probe.unlink()
        free = shutil.disk_usage(folder).free // 2**20
    except OSError as error:
        return Finding("FAIL", "data folder", f"{folder} cannot be written ({error.strerror}): set HLPAIRS_DATA_DIR")
    if free < LEAST_FREE_MB:
        return Finding("note", "data folder", f"{folder}: only {free:,} MB free; a full history takes about 100 MB")
    return Finding("ok  ", "data folder", f"{folder}, {free:,} MB free")


def _engine(folder: Path) -> Finding:
    try:
        engine = find(folder)
    except HlpairsError as error:
        return Finding("FAIL", "engine", str(error))
    if engine is None:
        return Finding("ok  ", "engine", "none running; one is started on demand")
    return Finding("ok  ", "engine", f"running at {engine.url} (pid {engine.pid}, market {engine.market})")


def _exchange(market: str) -> Finding:
    from hlpairs_core.engine.venue import answers
    from hlpairs_core.exchange import MAINNET_URL, TESTNET_URL

    if market == "demo":
        return Finding("ok  ", "exchange", "none is needed: the market is the simulated demo")
    url = {"auto": MAINNET_URL, "mainnet": MAINNET_URL, "testnet": TESTNET_URL}.get(market, market)
    trouble = asyncio.run(answers(url.split(",")))
    if trouble is None:
        return Finding("ok  ", "exchange", f"{url} answers")
    if market == "auto":
        trouble += "; the market `auto` falls back to the simulated demo"
    return Finding("note", "exchange", trouble)
