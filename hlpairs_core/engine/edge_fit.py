"""How far the fit of the expected edge has come, and which model is in use."""

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import pandas as pd

from hlpairs_core.engine.payload import iso

__all__ = ["EdgeFit", "Stage"]

Stage: TypeAlias = Literal["waiting", "walking", "fitting", "fitted", "too short", "failed"]


@dataclass(frozen=True, kw_only=True)
class EdgeFit:
    """What people are told of the model behind the expected edges.

    Attributes
    ----------
    stage : Stage
        Of the next model: waiting for the history, walking the screen over it, fitting; else how the last try ended.
        A model of an earlier try stays in use whatever the stage.
    text : str
        The same in words.
    done, total : int
        Signal bars that were screened in this try, and how many there are; 0 before it is known.
    fitted_at : pandas.Timestamp or None
        Close of the newest bar that the model in use knows; None where there is none in use.
    span : tuple of pandas.Timestamp or None
        First signal and last exit among the trades that it was fitted on.
    """

    stage: Stage = "waiting"
    text: str = "No model yet: the fit begins when the history is complete."
    done: int = 0
    total: int = 0
    fitted_at: pd.Timestamp | None = None
    span: tuple[pd.Timestamp, pd.Timestamp] | None = None

    def status(self) -> dict[str, Any]:
        """Return the numbers and the words for ``GET /status``."""
        first, last = self.span or (None, None)
        return {
            "stage": self.stage,
            "text": self.text,
            "bars_done": self.done,
            "bars_total": self.total,
            "fitted_at": _iso(self.fitted_at),
            "first_signal": _iso(first),
            "last_exit": _iso(last),
        }


def _iso(time: pd.Timestamp | None) -> str | None:
    return None if time is None else iso(time.timestamp())
