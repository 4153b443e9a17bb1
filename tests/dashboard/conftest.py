import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# The engine's stand-in and its answers serve both folders of tests.
sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "widgets")]

from dashboard_process import Dashboard, run_dashboard  # noqa: E402
from engine_stand_in import EngineStandIn  # noqa: E402


@pytest.fixture(scope="session")
def engine() -> Iterator[EngineStandIn]:
    """One engine for all; a test says what it says."""
    with EngineStandIn(lambda now: None, period=0.2) as stand_in:
        yield stand_in


@pytest.fixture(scope="session")
def dashboard(engine: EngineStandIn) -> Iterator[Dashboard]:
    """One dashboard for all."""
    with run_dashboard(engine.url) as running:
        yield running
