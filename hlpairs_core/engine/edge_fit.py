"""How far the fit of the expected edge has come, and which model is in use."""

from collections.abc import Mapping
from dataclasses import dataclass, field
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
        Close of the newest bar that the models in use know; None where there is none in use.
    spans : mapping of str to (pandas.Timestamp, pandas.Timestamp)
        By kind of pair with a model: first signal and last exit among the trades that it was fitted on.
    """

    stage: Stage = "waiting"
    text: str = "No model yet: the fit begins when the history is complete."
    done: int = 0
    total: int = 0
    fitted_at: pd.Timestamp | None = None
    spans: Mapping[str, tuple[pd.Timestamp, pd.Timestamp]] = field(default_factory=dict)

    def status(self) -> dict[str, Any]:
        """Return the numbers and the words for ``GET /status``."""
        return {
            "stage": self.stage,
            "text": self.text,
            "bars_done": self.done,
            "bars_total": self.total,
            "fitted_at": _iso(self.fitted_at),
            "models": {
                kind: {"first_signal": _iso(first), "last_exit": _iso(last)}
                for kind, (first, last) in self.spans.items()
            },
        }


def _iso(time: pd.Timestamp | None) -> str | None:
    return None if time is None else iso(time.timestamp())
