"""The examples in the docstrings say what they show, and the page says what is there."""

import doctest
import re
import sys
from pathlib import Path
from typing import get_args

import pytest

import hlpairs_core.stats
from hlpairs_core.stats.half_life import HalfLifeMethod
from hlpairs_core.stats.thresholds import ThresholdMethod

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reversion.md"
MODULES = ["break_monitor", "half_life", "hurst", "ornstein_uhlenbeck_fit", "reversion", "thresholds"]


@pytest.mark.parametrize("name", MODULES)
def test_the_example_in_the_docstring_is_true(name: str) -> None:
    # By its name a module would be the function that is called the same.
    found = doctest.testmod(sys.modules[f"hlpairs_core.stats.{name}"])
    assert found.attempted > 0
    assert found.failed == 0


def test_the_page_names_what_exists_and_every_method() -> None:
    named = set(re.findall(r"`([a-z_]+)`", PAGE.read_text()))
    methods = {*get_args(ThresholdMethod), *get_args(HalfLifeMethod)}
    assert methods <= named
    assert named - methods <= {*dir(hlpairs_core.stats), "inf"}
