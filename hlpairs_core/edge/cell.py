"""One cell of a model's grid: candidates of one kind, one horizon and one entry threshold."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hlpairs_core._typing import BoolArray, FloatArray, IntArray
from hlpairs_core.edge.blocks import block_counts, purged_folds
from hlpairs_core.edge.choice import LEVEL_Z, Arrival, arrival, best_of_bars
from hlpairs_core.edge.features import FORMS, forms_of
from hlpairs_core.edge.grid import kind_of
from hlpairs_core.edge.holds import longest_hold
from hlpairs_core.edge.income import BlockSums, Design, prior_precision, shares
from hlpairs_core.edge.outcomes import OutcomeShape
from hlpairs_core.edge.unlike import share_variance, unlike_pairs

__all__ = ["Cell", "Expected", "fit_cell"]

_FOLDS, _DRAWS = 5, 400
# By so many standard errors a richer form must be better: several are tried.
_ERRORS = 2.0


@dataclass(frozen=True, eq=False)
class Expected:
    """Of N candidates: mean income and its standard error, the share of the raw gross expected, the spread's noise.

    ``gross_bps`` and ``funding_bps`` are the parts of the income. The standard error is NaN where nothing is known of
    the income, and the mean is 0 there.
    """

    income_bps: FloatArray
    gross_bps: FloatArray
    funding_bps: FloatArray
    standard_error_bps: FloatArray
    share: FloatArray
    noise_bps: FloatArray

    def net_bps(self, rows: pd.DataFrame) -> FloatArray:
        """Return the mean less the costs, which are known."""
        return np.asarray(self.income_bps - rows["expected_fee_bps"] - rows["expected_slippage_bps"], dtype=np.float64)


@dataclass(frozen=True, eq=False, kw_only=True)
class Cell:
    """A fitted regression, its uncertainty, and what became of its choices.

    Attributes
    ----------
    form : str
        Name of the set of terms.
    weights : ndarray, shape (k,)
        Share of each term that arrives.
    covariance : ndarray, shape (k, k)
        Of the weights over resampled blocks.
    arrival : Arrival
        Of the choices out of fold.
    unlike : float
        How much pairs of the same expected share differ, from 0 (not at all) to 1 (each delivers all or nothing).
    shape : OutcomeShape
        How outcomes lie around their means.
    tried : dict of str to float
        Each form's gain out of fold: how much less the sum of squares (in units of noise) is than of expecting nothing.
    n_rows, n_unknown : int
        Candidates fitted, and those left out because a number was unknown.
    mean_net_bps : float
        What all fitted candidates realised on average.
    """

    form: str
    weights: FloatArray
    covariance: FloatArray
    arrival: Arrival
    unlike: float
    shape: OutcomeShape
    tried: dict[str, float]
    n_rows: int
    n_unknown: int
    mean_net_bps: float

    def expected(self, rows: pd.DataFrame, *, horizon_hours: float) -> Expected:
        """Return what candidates are expected to bring; NaN where an input is unknown."""
        design = Design.of(rows, FORMS[self.form], horizon_hours=horizon_hours)
        return _expected(rows, design, FORMS[self.form], self.weights, self.covariance, self.arrival, self.unlike)


def fit_cell(
    rows: pd.DataFrame, blocks: IntArray, *, horizon_hours: float, bar_hours: float, rng: np.random.Generator
) -> Cell:
    """Choose the simplest form that predicts, fit it, and see out of fold what its choices would have brought."""
    kind = kind_of(rows)
    designs = {name: Design.of(rows, terms, horizon_hours=horizon_hours) for name, terms in forms_of(kind).items()}
    usable, known = _usable(designs)
    kept = rows[known]
    designs = {name: designs[name].take(known) for name in usable}
    numbers = np.unique(blocks[known], return_inverse=True)[1]
    hold = longest_hold(horizon_hours=horizon_hours, bar_hours=bar_hours)
    folds = list(purged_folds(kept, blocks=numbers, n_folds=_FOLDS, hold=hold, embargo_hours=horizon_hours))
    together = len(kept) / kept["signal_time"].nunique()
    trials = {
        name: _trial(kept, design, FORMS[name], numbers, folds, together, rng) for name, design in designs.items()
    }
    form, tried = _simplest(trials, numbers)
    design, trial = designs[form], trials[form]
    weights, covariance = _fitted(design, FORMS[form], numbers, together, rng)
    # There is little to choose among few coins: the best of every bar counts, whether it would have paid or not.
    chosen = trial.judged if kind == "spot_perp" else trial.qualifies
    came = _arrived(kept, design, trial, chosen, numbers, rng)
    outcome = design.income - came.share * trial.income
    return Cell(
        form=form,
        weights=weights,
        covariance=covariance,
        arrival=came,
        unlike=unlike_pairs(kept[trial.judged], *_seen(kept, design, trial)),
        shape=OutcomeShape.of(outcome[trial.judged], came.share * trial.share[trial.judged]),
        tried=tried,
        n_rows=len(kept),
        n_unknown=len(rows) - len(kept),
        mean_net_bps=float(kept["realised_net_bps"].mean()),
    )


@dataclass(frozen=True, eq=False)
class _Trial:
    """A form's expectations out of fold: income in units of noise, and what would have qualified."""

    income: FloatArray
    share: FloatArray
    net_bps: FloatArray
    qualifies: BoolArray
    judged: BoolArray
    gain: FloatArray


def _usable(designs: dict[str, Design]) -> tuple[list[str], BoolArray]:
    """Return the forms whose terms are nearly always known, and the rows in which all of theirs are."""
    known = {name: np.isfinite(one.terms).all(axis=1) & np.isfinite(one.income) for name, one in designs.items()}
    of_income = known["nothing arrives"].sum()
    usable = [name for name in designs if known[name].sum() >= 0.9 * of_income]
    return usable, np.logical_and.reduce([known[name] for name in usable])


def _fitted(
    design: Design, terms: tuple[str, ...], blocks: IntArray, together: float, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    number = np.unique(blocks, return_inverse=True)[1]
    sums = BlockSums.of(design, number)
    precision = prior_precision(terms, design, together=together)
    draws = shares(sums, precision, block_counts(int(number.max()) + 1, _DRAWS, rng))
    return shares(sums, precision), np.atleast_2d(np.cov(draws, rowvar=False)) if terms else np.empty((0, 0))


def _trial(
    rows: pd.DataFrame,
    design: Design,
    terms: tuple[str, ...],
    blocks: IntArray,
    folds: list[tuple[BoolArray, BoolArray]],
    together: float,
    rng: np.random.Generator,
) -> _Trial:
    income, share, net, bound = (np.full(len(rows), np.nan) for _ in range(4))
    seen = np.zeros(len(rows), dtype=bool)
    for fitted, judged in folds:
        weights, covariance = _fitted(design.take(fitted), terms, blocks[fitted], together, rng)
        part = rows[judged]
        guess = design.take(fitted)
        unlike = _unlike(rows[fitted], guess, terms, weights)
        found = _expected(part, design.take(judged), terms, weights, covariance, None, unlike)
        income[judged], share[judged] = found.income_bps / design.noise_bps[judged], found.share
        net[judged] = found.net_bps(part)
        bound[judged] = net[judged] - LEVEL_Z * found.standard_error_bps
        seen |= judged
    gain = design.income**2 - (design.income - income) ** 2
    return _Trial(income, share, net, bound > 0, seen, gain)


def _expected(
    rows: pd.DataFrame,
    design: Design,
    terms: tuple[str, ...],
    weights: FloatArray,
    covariance: FloatArray,
    arrived: Arrival | None,
    unlike: float,
) -> Expected:
    """Return mean and error: of the weights, of what arrives, and of how this pair differs from its like."""
    factor, factor_error = (1.0, 0.0) if arrived is None else (arrived.share, arrived.standard_error)
    income = design.terms @ weights
    of_weights = np.einsum("nk,kl,nl->n", design.terms, covariance, design.terms)
    raw = _raw(rows, design)
    share = factor * _share(design, terms, weights, raw)
    lot = unlike * raw**2 * share_variance(share)
    of_factor = (income * (factor_error if factor > 0 else 0.0)) ** 2
    variance = factor**2 * of_weights + of_factor + lot
    # No variance is no certainty: nothing was learned, so nothing is known of how wrong the mean is.
    error = np.sqrt(np.where(variance > 0, variance, np.nan))
    noise = design.noise_bps
    of_funding = _are_funding(terms)
    # Each by itself: their difference from the whole would be rounding where there is nothing.
    gross, funding = (design.terms[:, of_it] @ weights[of_it] for of_it in (~of_funding, of_funding))
    return Expected(
        factor * income * noise, factor * gross * noise, factor * funding * noise, error * noise, share, noise
    )


def _are_funding(terms: tuple[str, ...]) -> BoolArray:
    return np.array([name.startswith("funding") for name in terms], dtype=bool)


def _raw(rows: pd.DataFrame, design: Design) -> FloatArray:
    return np.asarray(rows["expected_gross_bps"].to_numpy(dtype=np.float64) / design.noise_bps)


def _share(design: Design, terms: tuple[str, ...], weights: FloatArray, raw: FloatArray) -> FloatArray:
    """Return the share of the raw gross that is expected, within 0 and 1."""
    of_gross = ~_are_funding(terms)
    pulled = design.terms[:, of_gross] @ weights[of_gross]
    return np.asarray(np.clip(np.divide(pulled, raw, out=np.zeros_like(raw), where=raw > 0), 0.0, 1.0))


def _unlike(rows: pd.DataFrame, design: Design, terms: tuple[str, ...], weights: FloatArray) -> float:
    raw = _raw(rows, design)
    return unlike_pairs(rows, design.income - design.terms @ weights, raw, _share(design, terms, weights, raw))


def _seen(rows: pd.DataFrame, design: Design, trial: _Trial) -> tuple[FloatArray, FloatArray, FloatArray]:
    miss = design.income - trial.income
    return miss[trial.judged], _raw(rows, design)[trial.judged], trial.share[trial.judged]


def _simplest(trials: dict[str, _Trial], blocks: IntArray) -> tuple[str, dict[str, float]]:
    """Return the simplest form that no richer one beats by more than two standard errors, and what each gained."""
    gains = {name: np.bincount(blocks, weights=np.nan_to_num(trial.gain)) for name, trial in trials.items()}
    chosen = next(iter(gains))
    for name, gain in gains.items():
        more = gain - gains[chosen]
        if more.sum() > _ERRORS * np.std(more, ddof=1) * np.sqrt(len(more)):
            chosen = name
    return chosen, {name: float(gain.sum()) for name, gain in gains.items()}


def _arrived(
    rows: pd.DataFrame,
    design: Design,
    trial: _Trial,
    allowed: BoolArray,
    blocks: IntArray,
    rng: np.random.Generator,
) -> Arrival:
    chosen = best_of_bars(rows["signal_time"], trial.net_bps, allowed)
    return arrival(trial.income[chosen], design.income[chosen], blocks[chosen], rng=rng, draws=_DRAWS)
