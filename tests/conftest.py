import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest module: where several processes share the suite, none should wait for it at the end."""
    items.sort(key=lambda item: "kill" not in item.path.parts)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of recordings and worked numbers beside the checkout."""
    folder = Path(os.environ.get("HLPAIRS_TEST_SHARED", ROOT.parent / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip(f"no recordings at {folder} (set HLPAIRS_TEST_SHARED to the folder that holds data/)")
    return folder


@pytest.fixture(scope="session")
def recordings(shared: Path) -> Path:
    """Recorded candles and funding (Parquet)."""
    return shared / "data" / "hyperliquid"


@pytest.fixture(scope="session")
def protocol(shared: Path) -> Path:
    """Recorded requests and responses (JSON)."""
    return shared / "data" / "protocol"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test sees this machine's settings, data folder or `.env`."""
    for name in list(os.environ):
        if name.startswith("HLPAIRS_") and name not in ("HLPAIRS_SOAK", "HLPAIRS_TEST_SHARED"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HLPAIRS_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
