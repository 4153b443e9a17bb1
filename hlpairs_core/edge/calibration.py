"""Did it come true? Expected against realised edges, with intervals from whole blocks of time."""

from dataclasses import asdict, dataclass

import numpy as np

from hlpairs_core._typing import FloatArray, IntArray
from hlpairs_core.edge.blocks import block_bootstrap

__all__ = ["Calibration", "calibration"]


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """How expected net edges of trades compare with what came of them; bounds are 90 %, NaN is undefined.

    Attributes
    ----------
    n : int
        Trades that something was expected of.
    n_effective : float
        As many independent trades would give the mean of ``realised - expected`` the same standard error.
    slope, slope_low, slope_high : float
        Of realised on expected, by least squares with a constant: 1 is calibrated, 0 says nothing.
    mean_expected_bps, mean_realised_bps : float
        Means.
    bias_low_bps, bias_high_bps : float
        Interval of the mean of ``realised - expected``.
    skill_vs_zero, skill_vs_mean : float
        1 less the ratio of mean squared errors, against expecting 0 and against expecting `reference` of all.
    abstained_share : float
        Share of signal bars at which nothing was expected, in [0, 1].
    """

    n: int
    n_effective: float
    slope: float
    slope_low: float
    slope_high: float
    mean_expected_bps: float
    mean_realised_bps: float
    bias_low_bps: float
    bias_high_bps: float
    skill_vs_zero: float
    skill_vs_mean: float
    abstained_share: float

    def as_dict(self) -> dict[str, float | int | None]:
        """Return the numbers with None in place of NaN, for JSON."""
        return {name: None if value != value else value for name, value in asdict(self).items()}


def calibration(
    expected_bps: FloatArray,
    realised_bps: FloatArray,
    *,
    blocks: IntArray,
    rng: np.random.Generator,
    abstained_share: float,
    reference_bps: float = 0.0,
) -> Calibration:
    """Compare expected with realised net edges.

    Parameters
    ----------
    expected_bps, realised_bps : ndarray, shape (n,)
        Of each trade; finite. May be empty: then n is 0 and all else is NaN.
    blocks : ndarray of int, shape (n,)
        Block of time of each, as of `time_blocks`: the trades of a block are resampled together.
    rng : numpy.random.Generator
    abstained_share : float
        To report.
    reference_bps : float
        What a forecaster who knows only the mean of what was fitted expects of each.

    Returns
    -------
    Calibration
        With fewer than two blocks intervals are NaN.
    """
    n = len(expected_bps)
    if n == 0:
        return Calibration(**dict.fromkeys(_NAMES[1:-1], np.nan), n=0, abstained_share=abstained_share)
    block_sums = _sums(expected_bps, realised_bps, blocks)
    slope, _ = _slope_and_bias(block_sums.sum(axis=0)[None])[0]
    low = high = np.full(2, np.nan)
    if len(block_sums) > 1:
        low, high = block_bootstrap(block_sums, _slope_and_bias, rng=rng)
    error = realised_bps - expected_bps
    return Calibration(
        n=n,
        n_effective=_n_effective(error, blocks),
        slope=float(slope),
        slope_low=float(low[0]),
        slope_high=float(high[0]),
        mean_expected_bps=float(expected_bps.mean()),
        mean_realised_bps=float(realised_bps.mean()),
        bias_low_bps=float(low[1]),
        bias_high_bps=float(high[1]),
        skill_vs_zero=_skill(error, realised_bps),
        skill_vs_mean=_skill(error, realised_bps - reference_bps),
        abstained_share=abstained_share,
    )


_NAMES = tuple(Calibration.__dataclass_fields__)


def _sums(expected: FloatArray, realised: FloatArray, blocks: IntArray) -> FloatArray:
    # Around the means: sums of squares of numbers with a large mean lose digits.
    x, y = expected - expected.mean(), realised - realised.mean()
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, realised - expected], axis=1)
    number = np.unique(blocks, return_inverse=True)[1]
    sums = np.zeros((number.max() + 1, terms.shape[1]))
    np.add.at(sums, number, terms)
    return sums


def _slope_and_bias(sums: FloatArray) -> FloatArray:
    n, x, y, xx, xy, error = sums.T
    spread = xx - x * x / n
    flat = spread <= 1e-12 * np.maximum(n, xx)
    slope = np.where(flat, np.nan, (xy - x * y / n) / np.where(flat, 1.0, spread))
    return np.stack([slope, error / n], axis=1)


def _n_effective(error: FloatArray, blocks: IntArray) -> float:
    """Variance of one over the variance of the mean, which blocks of trades share."""
    deviation = error - error.mean()
    sums = np.bincount(np.unique(blocks, return_inverse=True)[1], weights=deviation)
    together = float(np.sum(sums**2))
    if len(sums) < 2 or together == 0:
        return float("nan")
    return min(float(len(error)), len(error) * float(np.sum(deviation**2)) / together)


def _skill(error: FloatArray, other: FloatArray) -> float:
    of_other = float(np.mean(other**2))
    return 1.0 - float(np.mean(error**2)) / of_other if of_other > 0 else float("nan")
