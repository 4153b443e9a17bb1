"""Fitted models with the records that they read: what a screen needs to say what can be believed."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from hlpairs_core.edge.market_record import READ_OF_RECORDS
from hlpairs_core.edge.model import EdgeModel
from hlpairs_core.edge.prediction import PREDICTED
from hlpairs_core.exceptions import InputError
from hlpairs_core.screening import ScreenSettings

__all__ = ["CalibratedEdge"]

_RECORDS = (
    "kind", "signal_time", "y", "x", "exit_time", "expected_gross_bps", "realised_gross_bps", "realised_funding_bps",
    "spread_vol_bps", *READ_OF_RECORDS,
)  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class CalibratedEdge:
    """A model of each kind of pair, and the earlier candidates from which pairs' records are taken.

    Give it to `screen` as `edge`. A kind without a model is not believed.

    Attributes
    ----------
    models : mapping of str to EdgeModel
        By kind.
    past : DataFrame
        Candidates with outcomes, at about the cadence of the fit: of `walk_forward`. Only the columns that records
        are made of are kept. Empty where there are none.
    """

    models: Mapping[str, EdgeModel]
    past: pd.DataFrame = field(default_factory=pd.DataFrame)

    def __post_init__(self) -> None:
        object.__setattr__(self, "past", self.past.reindex(columns=list(_RECORDS)))

    def __repr__(self) -> str:
        return (
            f"<CalibratedEdge: {', '.join(map(repr, self.models.values()))}; {len(self.past):,} candidates of record>"
        )

    def check(self, settings: ScreenSettings) -> None:
        """Refuse settings that a model was not fitted for, or that let pass what it does not know.

        Raises
        ------
        InputError
            Says which one differs.
        """
        for model in self.models.values():
            model.grid.check_settings(settings)
            if settings.p_max > model.grid.p_max:  # NaN, of a kind without a test, is no limit
                raise InputError(
                    f"it knows pairs with p of at most {model.grid.p_max:g} and the settings' p_max is "
                    f"{settings.p_max:g}: lower it, or fit a model on pairs up to there"
                )

    def predict(self, rows: pd.DataFrame, *, settings: ScreenSettings) -> pd.DataFrame:
        """Say what candidates are expected to bring, as `EdgeModel.predict`; unknown (NaN) for a kind without a model.

        Raises
        ------
        InputError
            As `EdgeModel.predict`.
        """
        said = pd.DataFrame(np.nan, index=rows.index, columns=list(PREDICTED)).assign(qualifies=False)
        for kind, model in self.models.items():
            mine = (rows["kind"] == kind).to_numpy()
            if mine.any():
                past = self.past[(self.past["kind"] == kind).to_numpy()]
                said[mine] = model.predict(rows[mine], settings=settings, past=past)
        return said
