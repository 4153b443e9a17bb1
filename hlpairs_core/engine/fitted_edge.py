"""What a fit of the expected edge has brought: a model of each kind of pair, or why there is none."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pandas as pd

from hlpairs_core.edge import CalibratedEdge, EdgeModel
from hlpairs_core.exceptions import InputError
from hlpairs_core.screening import ScreenSettings

__all__ = ["KINDS", "FittedEdge"]

KINDS = {"perp_perp": "pairs", "spot_perp": "spot against perpetuals"}
"""Kinds of pairs that a model is fitted of, in words."""


@dataclass(frozen=True, eq=False)
class FittedEdge:
    """Models with their records, and the close of the newest bar that they know.

    Attributes
    ----------
    edge : CalibratedEdge
        Of the kinds that could be fitted; of none where all history is too short.
    closed_at : pandas.Timestamp
        Close of that bar.
    short : mapping of str to str
        By kind without a model: what is missing to fit one.
    refused : mapping of str to str
        By kind: why the model that there was is not used.
    """

    edge: CalibratedEdge
    closed_at: pd.Timestamp
    short: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)

    def usable(self, settings: ScreenSettings) -> "FittedEdge":
        """Leave out models that a screen of these settings must not ask: it would fail at a pair they do not know."""
        models, refused = {}, dict(self.refused)
        for kind, model in self.edge.models.items():
            try:
                CalibratedEdge({kind: model}).check(settings)
                models[kind] = model
            except InputError as error:
                refused[kind] = str(error)
        return replace(self, edge=replace(self.edge, models=models), refused=refused)

    @property
    def why_not(self) -> str:
        """Why kinds have no model, in words; empty where each has one."""
        missing = {**self.short, **self.refused}
        if len(set(missing.values())) == 1 and not self.edge.models:
            return next(iter(missing.values()))
        return "; ".join(f"{KINDS[kind]}: {missing[kind]}" for kind in KINDS if kind in missing)

    @property
    def text(self) -> str:
        """Which models there are, and why others are not."""
        fits = [f"{KINDS[kind]} was fitted {_trades(model)}" for kind, model in self.edge.models.items()]
        told = "; ".join([f"The model of {'; that of '.join(fits)}", *filter(None, [self.why_not])]).removesuffix(".")
        n_unknown = sum(cell.n_unknown for model in self.edge.models.values() for cell in model.cells.values())
        unknown = f" Trades left out because a number of theirs is unknown: {n_unknown:,}." if n_unknown else ""
        return f"{told}.{unknown}"


def _trades(model: EdgeModel) -> str:
    first, last = (f"{time:%Y-%m-%d}" for time in model.span)
    return f"on {sum(cell.n_rows for cell in model.cells.values()):,} trades from {first} to {last}"
