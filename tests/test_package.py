import subprocess
import sys
from pathlib import Path

import hlpairs_core

ROOT = Path(__file__).resolve().parents[1]


def test_every_exported_name_loads_and_the_list_is_complete_and_sorted():
    assert sorted(hlpairs_core.__all__, key=lambda name: (not name.isupper(), not name[0].isupper(), name)) == list(
        hlpairs_core.__all__
    )
    assert set(hlpairs_core.__all__) == set(hlpairs_core._HOME)
    for name in hlpairs_core.__all__:
        assert getattr(hlpairs_core, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    assert not hasattr(hlpairs_core, "nothing_of_the_kind")


def test_what_a_visitor_s_kernel_imports_loads_no_heavy_library():
    code = (
        "import sys, hlpairs_core, hlpairs_core.engine, widgets\n"
        "loaded = {'scipy', 'statsmodels', 'arch', 'numba'} & set(sys.modules)\n"
        "sys.exit(f'loaded {sorted(loaded)}' if loaded else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_the_core_never_imports_the_widgets():
    offenders = [
        path.name
        for path in (ROOT / "hlpairs_core").rglob("*.py")
        if any(line.strip().startswith(("import widgets", "from widgets")) for line in path.read_text().splitlines())
    ]
    assert offenders == []
