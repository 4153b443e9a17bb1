"""Numba is optional: found when it is there, not missed when it is not, and not in need of a folder to write to."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WALKS = "import numpy as np; walks = np.cumsum(np.random.default_rng(1).normal(size=(60, 3)), axis=0)\n"
SCREEN = WALKS + "from hlpairs_core.stats import engle_granger_pairs\n"


def python(code: str, **environment: object) -> subprocess.CompletedProcess[str]:
    """Run `code` in a fresh interpreter; the first folders of its path are `path`."""
    path = os.pathsep.join([str(environment.pop("path", ROOT)), str(ROOT)])
    env = {**os.environ, "PYTHONPATH": path, **{name: str(value) for name, value in environment.items()}}
    env.pop("NUMBA_CACHE_DIR", None)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)


@pytest.fixture
def without_numba(tmp_path: Path) -> Path:
    """A folder in which an import finds a Numba that cannot be imported."""
    (tmp_path / "numba.py").write_text("raise ImportError('no numba here')")
    return tmp_path


def test_a_screen_needs_no_numba(without_numba: Path) -> None:
    done = python(SCREEN + "assert engle_granger_pairs(walks)['t_stat'].notna().all()", path=without_numba)
    assert done.returncode == 0, done.stderr


def test_asking_for_a_numba_that_is_not_there_says_how_to_get_it(without_numba: Path) -> None:
    done = python(SCREEN + "engle_granger_pairs(walks, accelerate=True)", path=without_numba)
    assert "InputError: accelerate=True needs Numba (no numba here): install hlpairs[fast]" in done.stderr


def test_numba_is_not_imported_before_it_is_used() -> None:
    code = SCREEN + "engle_granger_pairs(walks, accelerate=False)\nimport sys; sys.exit('numba' in sys.modules)"
    assert python(code).returncode == 0


COMPILE = """
import warnings; warnings.simplefilter("error")
from code_to_compile import double
assert double(21.0) == 42.0
print(type(double).__name__)
"""


@pytest.fixture
def unwritable(tmp_path: Path) -> Path:
    """A folder with a module to compile, in which no cache can be made."""
    folder = tmp_path / "installed"
    folder.mkdir()
    (folder / "__pycache__").write_text("a file where the folder should be")
    (folder / "code_to_compile.py").write_text(
        "from hlpairs_core.stats._compile import jit\n\n\n@jit\ndef double(x):\n    return 2 * x\n"
    )
    return folder


def test_an_unwritable_package_folder_moves_the_cache_to_the_user_s(unwritable: Path, tmp_path: Path) -> None:
    pytest.importorskip("numba")
    done = python(COMPILE, path=unwritable, XDG_CACHE_HOME=tmp_path / "cache", HOME=tmp_path)
    assert done.stdout == "CPUDispatcher\n", done.stderr
    assert list(tmp_path.rglob("code_to_compile.double-*.nbi"))


def test_where_nothing_can_be_written_code_is_compiled_without_a_cache(unwritable: Path) -> None:
    pytest.importorskip("numba")
    nowhere = unwritable / "__pycache__" / "below-a-file"
    done = python(COMPILE, path=unwritable, XDG_CACHE_HOME=nowhere, HOME=nowhere)
    assert done.stdout == "CPUDispatcher\n", done.stderr
    assert not list(unwritable.rglob("*.nbi"))
