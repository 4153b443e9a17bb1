from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from textwrap import fill

import numpy as np
import pandas as pd

from hlpairs_core._typing import FloatArray
from hlpairs_core.stats.hedge.pair import Pair

__all__ = ["Fit", "HedgeRatio"]


@dataclass(frozen=True, eq=False)
class Fit:
    """What a method found for a `Pair`, in its moves: ``y = intercept + beta x``.

    Attributes
    ----------
    beta, intercept : float
        The line (at the last bar, if it moves).
    interval : tuple of float, optional
        Interval of beta.
    params : mapping
        What else was estimated.
    beta_path, intercept_path : ndarray, shape (T,), optional
        The line after each bar, if it moves.
    """

    beta: float
    intercept: float
    interval: tuple[float, float] | None = None
    params: Mapping[str, float] = field(default_factory=dict)
    beta_path: FloatArray | None = None
    intercept_path: FloatArray | None = None


@dataclass(frozen=True, eq=False, repr=False)
class HedgeRatio:
    """A hedge ratio and what can be said for it: the spread is ``y - alpha - beta x``.

    Attributes
    ----------
    method : str
        How it was estimated.
    beta, alpha : float
        The hedge ratio and the intercept; at the last bar, where they move.
    interval : tuple of float, optional
        Low and high end of beta's interval at `level`; None where the method has none.
    level : float
        Confidence level of the interval.
    interval_note : str
        What the interval rests on, or why there is none.
    path, alpha_path : Series, optional
        Beta and alpha after each bar, for the methods in which they move, else None. *Filtered, never smoothed*:
        a bar's value knows no later bar. NaN at the bars before there is one.
    residuals : Series
        ``y_t - alpha - beta x_t``; where the coefficients move, those after bar t, which know y_t.
    innovations : Series, optional
        ``y_t - alpha_{t-1} - beta_{t-1} x_t``, which a trader sees at bar t; for the methods with a path.
    assumptions : str
        What the method takes for granted, and when it misleads.
    n_obs : int
        Number of bars T.
    params : mapping
        What else was estimated, by name.
    """

    method: str
    beta: float
    alpha: float
    interval: tuple[float, float] | None
    level: float
    interval_note: str
    path: pd.Series | None
    alpha_path: pd.Series | None
    residuals: pd.Series
    innovations: pd.Series | None
    assumptions: str
    n_obs: int
    params: Mapping[str, float]

    @classmethod
    def of(cls, fit: Fit, pair: Pair, *, method: str, level: float, interval_note: str, assumptions: str) -> HedgeRatio:
        """Turn a fit of moves into one of log prices."""
        path = alpha_path = innovations = None
        residuals = pair.y - fit.intercept - fit.beta * pair.x
        if fit.beta_path is not None and fit.intercept_path is not None:
            residuals = pair.y - fit.intercept_path - fit.beta_path * pair.x
            known = np.roll(np.stack([fit.intercept_path, fit.beta_path]), 1, axis=1)
            known[:, 0] = np.nan
            innovations = pd.Series(pair.y - known[0] - known[1] * pair.x, pair.index, name="innovation")
            path = pd.Series(fit.beta_path, pair.index, name="beta")
            alpha = pair.y_first + fit.intercept_path - fit.beta_path * pair.x_first
            alpha_path = pd.Series(alpha, pair.index, name="alpha")
        return cls(
            method=method,
            beta=fit.beta,
            alpha=pair.y_first + fit.intercept - fit.beta * pair.x_first,
            interval=fit.interval,
            level=level,
            interval_note=interval_note,
            path=path,
            alpha_path=alpha_path,
            residuals=pd.Series(residuals, pair.index, name="residual"),
            innovations=innovations,
            assumptions=assumptions,
            n_obs=len(pair.index),
            params=dict(fit.params),
        )

    def summary(self) -> str:
        """Say everything but the series in a few lines."""
        spread = self.residuals
        rows = [
            ("beta", f"{self.beta:.6g}   {self._interval()}"),
            ("alpha", f"{self.alpha:.6g}"),
            ("spread", f"last {spread.iloc[-1]:+.3g}, standard deviation {spread.std():.3g}"),
            *((name, f"{value:.6g}") for name, value in self.params.items()),
        ]
        width = max(len(name) for name, _ in rows)
        where = "at the last of" if self.path is not None else "over"
        lines = [f"Hedge ratio by {self.method}, {where} {self.n_obs} bars"]
        lines += [f"  {name:<{width}}  {value}" for name, value in rows]
        lines += [fill(text, 100, initial_indent="  ", subsequent_indent="  ") for text in self._notes()]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return self.summary()

    def _interval(self) -> str:
        if self.interval is None:
            return "no interval"
        return f"{100 * self.level:g} % interval {self.interval[0]:.6g} to {self.interval[1]:.6g}"

    def _notes(self) -> tuple[str, str]:
        return f"Interval: {self.interval_note}", f"Assumes: {self.assumptions}"
