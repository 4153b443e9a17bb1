import doctest
import importlib
import sys

import pytest

MODULES = [("ratios", 1), ("drawdown", 1), ("mean_and_tail", 1), ("sharpe_inference", 5), ("performance", 4)]


@pytest.mark.parametrize(("name", "n_examples"), MODULES)
def test_the_examples_of_the_documentation_run(name: str, n_examples: int) -> None:
    # A function of the same name hides the module in its package.
    importlib.import_module(f"hlpairs_core.metrics.{name}")
    module = sys.modules[f"hlpairs_core.metrics.{name}"]
    assert doctest.testmod(module) == doctest.TestResults(failed=0, attempted=n_examples)
