"""What a statistical test says, in one shape."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from hlpairs_core.exceptions import InputError

__all__ = ["LEVELS", "Found", "HypothesisTest", "Relation", "perform"]

Relation: TypeAlias = Literal["=", "<", ">"]

LEVELS = ("1%", "5%", "10%")
_SINGULAR = "its regression is singular: the series is predicted without error"
# A t-statistic beyond this is the quotient of rounding errors.
_LARGEST = 1e6


@dataclass(frozen=True)
class HypothesisTest:
    """One test: its statistic, what it is compared with, and what it is a test of.

    Attributes
    ----------
    name : str
        The test.
    null, alternative : str
        What a small p-value speaks against, and for.
    statistic, p_value : float
        NaN where the test cannot be computed; `reason` then says why.
    p_relation : {"=", "<", ">"}
        How the true p-value stands to `p_value`: the tables of some tests end.
    critical_values : mapping of str to float
        Critical values by level ("1%", "5%", "10%").
    lags : int or None
        Lags or bandwidth used; None where the test has none.
    caution : str
        When the p-value must not be believed.
    reason : str
        Why there is no statistic; "" where there is one.
    """

    name: str
    null: str
    alternative: str
    statistic: float
    p_value: float
    p_relation: Relation = "="
    critical_values: Mapping[str, float] = field(default_factory=dict)
    lags: int | None = None
    caution: str = ""
    reason: str = ""

    def __str__(self) -> str:
        """One sentence for a reader."""
        if self.reason:
            return f"{self.name}: not computed, {self.reason}"
        return (
            f"{self.name}: statistic {self.statistic:.3f}, p {self.p_relation} {self.p_value:.3g} (null: {self.null})"
        )


class Found(NamedTuple):
    """What a library computed."""

    statistic: float
    p_value: float
    critical_values: Mapping[str, float]
    lags: int | None
    p_relation: Relation = "="


def perform(
    compute: Callable[[], Found], *, name: str, null: str, alternative: str, caution: str, n_bars: int
) -> HypothesisTest:
    """Run a library's test without its warnings; a series too degenerate for it gives NaN and the reason.

    Raises
    ------
    InputError
        If the library refuses the arguments.
    """
    found, reason = _attempt(compute, name, n_bars)
    return HypothesisTest(
        name=name,
        null=null,
        alternative=alternative,
        statistic=float(found.statistic),
        p_value=float(found.p_value),
        p_relation=found.p_relation,
        critical_values={level: float(found.critical_values[level]) for level in LEVELS if found.critical_values},
        lags=found.lags,
        caution=caution,
        reason=reason,
    )


def _attempt(compute: Callable[[], Found], name: str, n_bars: int) -> tuple[Found, str]:
    nothing = Found(math.nan, math.nan, {}, None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = compute()
        except np.linalg.LinAlgError:
            return nothing, _SINGULAR
        except ValueError as error:
            raise InputError(f"the {name} test cannot be computed from {n_bars} bars: {error}") from error
        except RuntimeError as error:  # arch's refusal of a series without variance
            return nothing, str(error)
    return (found, "") if abs(found.statistic) < _LARGEST else (nothing, _SINGULAR)
