from pathlib import Path

from hlpairs_core.exceptions import EngineError

__all__ = ["TEMPLATES", "notebook_path"]

TEMPLATES = Path(__file__).parent / "templates"

_PACKAGE = Path(__file__).resolve().parents[1]


def notebook_path(name: str = "top_pair.ipynb") -> Path:
    """Return where a bundled notebook is: inside the installed package, or beside it in a checkout.

    Raises
    ------
    EngineError
        When it is in neither place; names both.
    """
    candidates = (_PACKAGE / "notebooks" / name, _PACKAGE.parent / "notebooks" / name)
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    places = " nor at ".join(str(candidate) for candidate in candidates)
    raise EngineError(f"the notebook {name} is missing: neither at {places}; install hlpairs again")
