"""Worked numbers: does this machine get what papers print, what the exchange's rules say, and what peers compute?

Each check names its source. Numbers that are printed with few digits are held to those digits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from hlpairs_core._typing import FloatArray

__all__ = ["CHECKS", "Check", "Checked", "run_checks"]


@dataclass(frozen=True)
class Check:
    """One number that is known beforehand.

    Attributes
    ----------
    what : str
        What is computed.
    compute : callable
        Returns the number that hlpairs gets.
    expected : float
        What it must be; 0 for a difference from a peer that is asked on this machine.
    tolerance : float
        Largest absolute difference.
    source : str
        Where the expected number comes from.
    """

    what: str
    compute: Callable[[], float]
    expected: float
    tolerance: float
    source: str


@dataclass(frozen=True)
class Checked:
    """What came of a check.

    Attributes
    ----------
    what, source : str
        Of the check.
    ok : bool
        Whether the two numbers agree.
    text : str
        Both of them, or the error in the way.
    """

    what: str
    ok: bool
    text: str
    source: str


def run_checks(checks: Iterable[Check] | None = None) -> list[Checked]:
    """Compute every number and compare; one that cannot be computed fails and does not stop the others."""
    return [_run(check) for check in (CHECKS if checks is None else checks)]


def _run(check: Check) -> Checked:
    try:
        got = check.compute()
    except Exception as error:  # the next check may still tell something
        return Checked(check.what, False, f"{type(error).__name__}: {error}", check.source)
    ok = math.isfinite(got) and abs(got - check.expected) <= check.tolerance
    return Checked(
        check.what, ok, f"got {got:.10g}, expected {check.expected:.10g} ± {check.tolerance:.0e}", check.source
    )


# The trial of Benjamini and Hochberg (1995).
_TRIAL = (
    *(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528),
    *(0.7590, 1.0),
)


def _walks() -> FloatArray:
    """Eight seeded walks of 336 bars, four of them around one trend."""
    rng = np.random.default_rng(20250215)
    walks = np.cumsum(rng.standard_normal((336, 8)), axis=0)
    walks[:, 1:4] = walks[:, :1] * [0.5, 1.0, 2.0] + rng.standard_normal((336, 3))
    return walks


def _mackinnon() -> float:
    from hlpairs_core.stats import mackinnon_p

    return mackinnon_p(-4.0)


def _critical_value() -> float:
    from hlpairs_core.stats import mackinnon_critical_values

    return mackinnon_critical_values(100).five_percent


def _bonferroni() -> float:
    from hlpairs_core.stats import bonferroni_t

    return bonferroni_t(19_900).t_stat


def _engle_granger() -> float:
    from statsmodels.tsa.stattools import coint

    from hlpairs_core.stats import engle_granger_pairs

    walks = _walks()
    peer = [coint(walks[:, y], walks[:, x])[0] for y, x in combinations(range(8), 2)]
    return float(np.abs(engle_granger_pairs(walks)["t_stat"].to_numpy() - peer).max())


def _crude_oil() -> float:
    from arch.data import crude

    from hlpairs_core.stats import engle_granger_pairs

    prices = np.log(crude.load()[["WTI", "Brent"]])
    return float(engle_granger_pairs(prices)["t_stat"].iloc[0])


def _kendall() -> float:
    from scipy.stats import kendalltau

    from hlpairs_core.stats import dependence

    # Rounded, so that there are ties.
    moves = np.round(np.diff(_walks(), axis=0), 1)
    tau = dependence(moves, method="kendall")
    pairs = combinations(range(8), 2)
    return max(abs(float(tau[y, x] - kendalltau(moves[:, y], moves[:, x]).statistic)) for y, x in pairs)


def _benjamini_hochberg() -> float:
    from hlpairs_core.stats import benjamini_hochberg

    return float(benjamini_hochberg(_TRIAL)[3])


def _benjamini_yekutieli() -> float:
    from hlpairs_core.stats import benjamini_yekutieli

    return float(benjamini_yekutieli(_TRIAL)[3])


def _best_sharpe() -> float:
    from hlpairs_core.stats import expected_best_sharpe

    return expected_best_sharpe(100, sharpe_sd=math.sqrt(0.5 / 250))


def _probabilistic() -> float:
    from hlpairs_core.metrics import SharpeSample, probabilistic_sharpe

    return probabilistic_sharpe(SharpeSample(0.458, 24, skewness=-2.448, kurtosis=10.164))


def _deflated() -> float:
    from hlpairs_core.metrics import SharpeSample, deflated_sharpe

    best = SharpeSample(2.5 / math.sqrt(250), 1250, skewness=-3.0, kurtosis=10.0)
    return deflated_sharpe(best, n_tries=100, sharpe_sd=math.sqrt(0.5 / 250))


def _track_record() -> float:
    from hlpairs_core.metrics import SharpeSample, minimum_track_record

    return minimum_track_record(SharpeSample(2 / math.sqrt(250), 100), benchmark=1 / math.sqrt(250)) / 250


def _bertram() -> float:
    from hlpairs_core.stats import OrnsteinUhlenbeck, optimal_thresholds

    spread = OrnsteinUhlenbeck(mu=0.0, theta_per_hour=180.967, sigma_per_sqrt_hour=0.1538)
    return optimal_thresholds(spread, cost=0.001, method="bertram_return").exit


def _leung_li() -> float:
    from hlpairs_core.stats import OrnsteinUhlenbeck, optimal_thresholds

    spread = OrnsteinUhlenbeck(mu=0.71758, theta_per_hour=6.306, sigma_per_sqrt_hour=math.sqrt(0.00698))
    return optimal_thresholds(spread, cost=0.04, method="leung_li", discount_per_hour=0.05, base=0.0).exit


def _funding_rate() -> float:
    from hlpairs_core.simulation.premium import funding_rate

    return float(funding_rate(np.array([0.01]))[0])


def _funding_paid() -> float:
    from hlpairs_core.costs import funding_bps_per_hour

    bps = funding_bps_per_hour("long", 0.0011875, "short", 0.0, 1.0, 0.0)
    return 10 * 10_000 * float(bps) / 1e4


_PEERS = "statsmodels 0.15 and arch 8, computed beforehand"

CHECKS = (
    Check("MacKinnon's p of t = -4", _mackinnon, 0.00718130705505248, 1e-12, f"MacKinnon 1994; {_PEERS}"),
    Check("5 % critical value of 100 observations", _critical_value, -3.3979133, 1e-9, "MacKinnon 2010, table 2"),
    Check("t that 19,900 pairs ask for", _bonferroni, -5.91159, 5e-6, f"MacKinnon 1994, inverted; {_PEERS}"),
    Check("t of WTI and Brent oil", _crude_oil, -5.539573345785635, 1e-8, f"arch's monthly prices; {_PEERS}"),
    Check("t of 28 pairs, largest error", _engle_granger, 0.0, 1e-8, "coint of statsmodels as installed here"),
    Check("Kendall's tau of 28 pairs, largest error", _kendall, 0.0, 1e-12, "kendalltau of scipy as installed here"),
    Check("q of the 4th of 15 tests", _benjamini_hochberg, 15 * 0.0095 / 4, 1e-12, "Benjamini and Hochberg 1995"),
    Check("the same, any dependence", _benjamini_yekutieli, 0.1182119079, 1e-10, "Benjamini and Yekutieli 2001"),
    Check("best daily Sharpe of 100 without skill", _best_sharpe, 0.1132, 5e-5, "Bailey and López de Prado 2014"),
    Check("deflated Sharpe ratio", _deflated, 0.9004, 5e-5, "Bailey and López de Prado 2014"),
    Check("probabilistic Sharpe ratio", _probabilistic, 0.913, 5e-4, "Bailey and López de Prado 2012"),
    Check("minimum track record, years", _track_record, 2.73, 5e-3, "Bailey and López de Prado 2012"),
    Check(
        "best exit of a spread, by return", _bertram, 0.0047151767, 5e-10, "Bertram 2010, its example, by quadrature"
    ),
    Check("best exit of a spread, by stopping", _leung_li, 0.7443617927, 1e-8, "Leung and Li 2015, gold and miners"),
    Check("hourly funding at a premium of 1 %", _funding_rate, 0.0011875, 1e-12, "Hyperliquid's documentation"),
    Check("what a long of 10 at 10,000 then gets", _funding_paid, -118.75, 1e-9, "Hyperliquid's documentation"),
)
