"""The examples in the docstrings say what they show, and the page says what is there."""

import doctest
import re
import sys
from pathlib import Path

import pytest

import hlpairs_core.stats

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reversion.md"
MODULES = ["break_monitor", "half_life", "hurst", "ornstein_uhlenbeck_fit", "reversion", "thresholds"]


@pytest.mark.parametrize("name", MODULES)
def test_the_example_in_the_docstring_is_true(name: str) -> None:
    # By its name a module would be the function that is called the same.
    found = doctest.testmod(sys.modules[f"hlpairs_core.stats.{name}"])
    assert found.attempted > 0
    assert found.failed == 0


def test_every_function_that_the_page_names_exists() -> None:
    named = set(re.findall(r"`([a-z_]+)`", PAGE.read_text()))
    assert {"half_life", "break_monitor", "johansen_test"} <= named
    assert named <= {*dir(hlpairs_core.stats), *dir(hlpairs_core.stats.HalfLife), "inf"}
