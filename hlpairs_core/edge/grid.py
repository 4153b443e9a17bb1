"""Which candidates a model was made for, and the refusal of others."""

from dataclasses import dataclass

import pandas as pd

from hlpairs_core.edge.features import NEEDED
from hlpairs_core.exceptions import InputError
from hlpairs_core.screening import ScreenSettings

__all__ = ["OUTCOMES_NEEDED", "Grid", "check_columns", "kind_of"]

OUTCOMES_NEEDED = ("realised_gross_bps", "realised_funding_bps", "realised_net_bps", "exit_time", "exit_reason")
_SHAPING = ("interval", "window", "z_out", "lag_rule", "max_lag")


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Settings that shape candidates and trades; those of size, cost and filters apply after a model.

    Attributes
    ----------
    kind : str
        Of pair.
    shaping : dict
        Of the settings: interval, window, z_out and the rule of the test's lags.
    horizon_hours, z_in : tuple of float
        Time stops and entry thresholds that were fitted, each with each.
    p_max : float
        Largest p among the fitted; NaN where the kind has no test.
    """

    kind: str
    shaping: dict[str, str | int | float | None]
    horizon_hours: tuple[float, ...]
    z_in: tuple[float, ...]
    p_max: float

    @staticmethod
    def shaped_by(settings: ScreenSettings) -> dict[str, str | int | float | None]:
        """Return what of the settings shapes candidates."""
        return {name: getattr(settings, name) for name in _SHAPING}

    def check_settings(self, settings: ScreenSettings) -> None:
        """Refuse settings outside the grid."""
        for name, value in self.shaped_by(settings).items():
            if value != self.shaping[name]:
                raise InputError(
                    f"the model was fitted with {name} {self.shaping[name]!r} and the settings say {value!r}: "
                    "use the model's, or fit one for these settings"
                )
        for name in ("horizon_hours", "z_in"):
            value, fitted = getattr(settings, name), getattr(self, name)
            if value not in fitted:
                known = ", ".join(f"{one:g}" for one in fitted)
                raise InputError(f"{name} {value:g} is outside the model's grid ({known}): use one of these, or fit it")

    def check_rows(self, rows: pd.DataFrame, z_in: float) -> None:
        """Refuse candidates unlike those that were fitted."""
        check_columns(rows, NEEDED)
        if len(rows) and kind_of(rows) != self.kind:
            raise InputError(
                f"the model is of {self.kind} pairs, these candidates are {kind_of(rows)}: use their model"
            )
        if "p_value" in rows:
            _refuse(rows, rows["p_value"] > self.p_max, "p_value", f"at most {self.p_max:g}")
        _refuse(rows, rows["zscore"].abs() < z_in, "zscore", f"of at least {z_in:g} either way")


def check_columns(rows: pd.DataFrame, names: tuple[str, ...]) -> None:
    """Refuse a table without these columns."""
    missing = [name for name in names if name not in rows]
    if missing:
        raise InputError(f"the candidates have no column {missing[0]!r}: use rows of walk_forward, or all of {names}")


def kind_of(rows: pd.DataFrame) -> str:
    """Return the one kind of pair of a table; refuse several."""
    kinds = sorted({str(kind) for kind in rows["kind"].unique()})
    if len(kinds) != 1:
        raise InputError(f"candidates of {len(kinds)} kinds ({', '.join(kinds)}): a model is of one kind, split them")
    return kinds[0]


def _refuse(rows: pd.DataFrame, wrong: pd.Series, column: str, allowed: str) -> None:
    if wrong.any():
        row = rows[wrong].iloc[0]
        raise InputError(
            f"{row['y']}/{row['x']} has {column} {row[column]:g}; the model knows pairs with one {allowed}: "
            "leave out the others"
        )
