"""The regression behind an expected edge: what share of the raw expectation arrives."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hlpairs_core._typing import BoolArray, FloatArray, IntArray
from hlpairs_core.edge.features import noise_bps, terms_of

__all__ = ["BlockSums", "Design", "prior_precision", "shares"]

# One standard deviation of what is thought possible before any data, around nothing: the share of the raw gross that
# arrives for any pair, how much more for a tight one, how much a feature moves it, and the share of the funding.
_PRIOR_SD = {"all": 0.05, "funding": 0.5, "funding_week": 0.5, "tight": 0.5, "tight_record": 0.5}
_FEATURE_SD, _TIGHT_FEATURE_SD = 0.05, 0.25


@dataclass(frozen=True, eq=False)
class Design:
    """Candidates as the regression sees them: every number in units of the pair's own noise.

    Attributes
    ----------
    terms : ndarray, shape (n, k)
    income : ndarray, shape (n,)
        Realised gross and funding; empty where nothing is realised yet.
    noise_bps : ndarray, shape (n,)
        The unit.
    """

    terms: FloatArray
    income: FloatArray
    noise_bps: FloatArray

    @classmethod
    def of(cls, rows: pd.DataFrame, names: tuple[str, ...], *, horizon_hours: float) -> "Design":
        """Read candidates, with their outcomes where the columns are there."""
        noise = noise_bps(rows, horizon_hours)
        income = np.empty(0)
        if "realised_gross_bps" in rows:
            income = (rows["realised_gross_bps"] + rows["realised_funding_bps"]).to_numpy(dtype=np.float64) / noise
        return cls(terms_of(rows, names) / noise[:, None], income, noise)

    def take(self, which: BoolArray | IntArray) -> "Design":
        """Return some of the rows."""
        return Design(**{name: values[which] for name, values in vars(self).items()})


@dataclass(frozen=True, eq=False)
class BlockSums:
    """All that a fit needs to know of each block of time: what is resampled.

    Attributes
    ----------
    squares : ndarray, shape (n_blocks, k, k)
    products : ndarray, shape (n_blocks, k)
        Of terms with each other, and with the income.
    """

    squares: FloatArray
    products: FloatArray

    @classmethod
    def of(cls, design: Design, blocks: IntArray) -> "BlockSums":
        """Sum over the rows of each block."""
        n_blocks, k = int(blocks.max(initial=-1)) + 1, design.terms.shape[1]
        squares, products = np.zeros((n_blocks, k, k)), np.zeros((n_blocks, k))
        order = np.argsort(blocks, kind="stable")
        for rows in np.split(order, np.unique(blocks[order], return_index=True)[1][1:]) if len(order) else []:
            terms = design.terms[rows]
            squares[blocks[rows[0]]] = terms.T @ terms
            products[blocks[rows[0]]] = terms.T @ design.income[rows]
        return cls(squares, products)


def prior_precision(names: tuple[str, ...], design: Design, *, together: float) -> FloatArray:
    """Return how much the fit is drawn towards 0, term by term; shape (k,).

    Parameters
    ----------
    names : tuple of str
        Terms.
    design : Design
        What is fitted: the variance of its incomes is that of one row.
    together : float
        How many rows are as good as one because they share coins and hours.
    """
    sd = np.array([_prior_sd(name) for name in names])
    return np.asarray(together * float(np.mean(design.income**2)) / sd**2)


def shares(sums: BlockSums, precision: FloatArray, counts: FloatArray | None = None) -> FloatArray:
    """Return what share of each term arrives: ridge regression (Hoerl & Kennard 1970, Technometrics).

    Parameters
    ----------
    sums : BlockSums
    precision : ndarray, shape (k,)
        As of `prior_precision`.
    counts : ndarray, shape (draws, n_blocks), optional
        How often each block counts in each resample; once when None.

    Returns
    -------
    ndarray, shape (k,) or (draws, k)
    """
    if counts is None:
        return np.asarray(shares(sums, precision, np.ones((1, len(sums.products))))[0])
    squares = np.tensordot(counts, sums.squares, axes=1) + np.diag(precision)
    return np.asarray(np.linalg.solve(squares, (counts @ sums.products)[..., None])[..., 0])


def _prior_sd(name: str) -> float:
    return _PRIOR_SD.get(name, _TIGHT_FEATURE_SD if name.startswith("tight_") else _FEATURE_SD)
