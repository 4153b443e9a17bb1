"""The notebook of the edge: it runs headless, and says in a sentence what it lacks."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / "notebooks" / "edge.ipynb"


@pytest.fixture
def notebook() -> nbformat.NotebookNode:
    return nbformat.read(NOTEBOOK, as_version=4)


def run(notebook: nbformat.NotebookNode, **parameters: str) -> list[str]:
    """Execute with parameters put in after their cell, as papermill does; return what the cells show."""
    place = next(n for n, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", []))
    source = "\n".join(f"{name} = {value!r}" for name, value in parameters.items())
    notebook.cells.insert(place + 1, nbformat.v4.new_code_cell(source))
    NotebookClient(notebook, timeout=60, resources={"metadata": {"path": str(ROOT)}}).execute()
    outputs = [one for cell in notebook.cells if cell.cell_type == "code" for one in cell.outputs]
    assert all(one.output_type == "execute_result" for one in outputs), outputs
    return [one.data["text/plain"] for one in outputs]


def test_without_recordings_every_answer_is_the_sentence_that_says_so(
    notebook: nbformat.NotebookNode, tmp_path: Path
) -> None:
    shown = run(notebook, DATA=str(tmp_path / "nowhere"))
    asked = sum("study." in cell.source for cell in notebook.cells)
    sentence = (
        f"There are no recordings at {tmp_path / 'nowhere'} (candles_1h.parquet is missing), so nothing is shown."
    )
    assert shown == [sentence] * asked


def test_it_is_committed_without_outputs_and_begins_with_its_parameters(notebook: nbformat.NotebookNode) -> None:
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in code)
    assert code[0].metadata["tags"] == ["parameters"]
    assert all(len(cell.source.splitlines()) <= 4 for cell in code)
