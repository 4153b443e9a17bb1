import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCK = (ROOT / "requirements.lock").read_text()


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=;\[ ]", one, maxsplit=1)[0].lower().replace("_", "-") for one in requirements}


def conda_requirements(path: str) -> dict[str, str]:
    lines = re.findall(r"^  - ([A-Za-z0-9_-]+)(\S*)$", (ROOT / path).read_text(), flags=re.MULTILINE)
    return {name.lower().replace("_", "-"): spec for name, spec in lines}


def test_binder_installs_what_environment_yml_says():
    assert (ROOT / "binder/environment.yml").read_text() == (ROOT / "environment.yml").read_text()


def test_environment_yml_lists_every_runtime_dependency_with_the_same_range():
    conda = conda_requirements("environment.yml")
    for requirement in PROJECT["project"]["dependencies"]:
        name, spec = re.fullmatch(r"([A-Za-z0-9_-]+)(.*)", requirement).groups()
        assert conda.get(name.lower()) == spec, requirement


@pytest.mark.parametrize("script", ["binder/postBuild", "binder/start", ".ci/run"])
def test_scripts_are_executable_and_parse(script):
    path = ROOT / script
    assert path.stat().st_mode & 0o111
    subprocess.run(["bash", "-n", str(path)], check=True)


def test_the_lock_holds_every_declared_package_with_hashes_and_names_no_index():
    locked = set(re.findall(r"^([a-z0-9.-]+)==", LOCK, flags=re.MULTILINE))
    extras = [one for group in PROJECT["project"]["optional-dependencies"].values() for one in group]
    groups = [one for group in PROJECT["dependency-groups"].values() for one in group]
    wanted = names(PROJECT["project"]["dependencies"] + extras + groups + PROJECT["build-system"]["requires"])
    assert wanted <= locked
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links", LOCK)
    blocks = re.split(r"^(?=[a-z0-9.-]+==)", LOCK, flags=re.MULTILINE)[1:]
    assert all("--hash=sha256:" in block for block in blocks)


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_every_make_command_that_is_documented_exists(document):
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    assert set(re.findall(r"(?:`|\$ )make ([a-z]+)\b", (ROOT / document).read_text())) <= targets


def test_the_readme_shows_the_files_it_links_to():
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", (ROOT / "README.md").read_text()):
        assert (ROOT / target).exists(), target


def test_no_file_of_the_project_names_a_path_of_one_machine():
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    pattern = re.compile(r"/(?:home|root|Users)/\w+")
    offenders = [
        name
        for name in files
        if Path(name).suffix in (".py", ".md", ".ipynb", ".toml", ".yml", ".js", ".css", ".html", "")
        and name != "requirements.lock"
        and pattern.search((ROOT / name).read_text(errors="replace"))
    ]
    assert offenders == []


def test_a_wheel_carries_the_notebook_the_template_and_the_page_s_assets(tmp_path):
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("hlpairs-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {
        "hlpairs_core/notebooks/top_pair.ipynb",
        "hlpairs_core/dashboard/templates/index.html.j2",
        "widgets/static/freshness.js",
        "widgets/static/page.css",
        "hlpairs_core/py.typed",
    } <= names
    assert not any(name.startswith(("tests/", "benchmarks/")) for name in names)
