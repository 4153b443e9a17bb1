from dataclasses import dataclass
from pathlib import Path

__all__ = ["StoreProblem"]


@dataclass(frozen=True)
class StoreProblem:
    """A file, or a part of one, that cannot be read.

    Attributes
    ----------
    path : pathlib.Path
        Where it is now.
    reason : str
        What is wrong with it and what was done.
    """

    path: Path
    reason: str

    def __str__(self) -> str:
        return f"{self.path.name} {self.reason}"
