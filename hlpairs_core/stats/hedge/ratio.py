from __future__ import annotations

from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from hlpairs_core._typing import HedgeMethod
from hlpairs_core.exceptions import InputError
from hlpairs_core.stats.hedge.cointegration import DOLS, FMOLS, JOHANSEN
from hlpairs_core.stats.hedge.kalman import KALMAN
from hlpairs_core.stats.hedge.least_squares import OLS, ROLLING_OLS
from hlpairs_core.stats.hedge.mean_reversion import MIN_HALF_LIFE
from hlpairs_core.stats.hedge.orthogonal import TLS
from hlpairs_core.stats.hedge.pair import read_pair
from hlpairs_core.stats.hedge.result import HedgeRatio
from hlpairs_core.stats.hedge.robust import HUBER, THEIL_SEN

__all__ = ["METHODS", "hedge_ratio"]

METHODS = MappingProxyType(
    {
        "ols": OLS,
        "rolling_ols": ROLLING_OLS,
        "tls": TLS,
        "huber": HUBER,
        "theil_sen": THEIL_SEN,
        "kalman": KALMAN,
        "johansen": JOHANSEN,
        "dols": DOLS,
        "fmols": FMOLS,
        "min_half_life": MIN_HALF_LIFE,
    }
)


def hedge_ratio(
    y: pd.Series | ArrayLike,
    x: pd.Series | ArrayLike,
    *,
    method: HedgeMethod = "ols",
    level: float = 0.95,
    **options: Any,
) -> HedgeRatio:
    """Estimate how much of x hedges one unit of y: beta in the spread ``y - alpha - beta x``.

    Parameters
    ----------
    y, x : Series or array_like, shape (T,)
        Log prices on one common clock, oldest bar first; at least 10 bars.
    method : str, default "ols"
        In brackets the method's options:

        * "ols": least squares
        * "rolling_ols" (window): least squares over the last `window` bars; beta moves
        * "tls": least orthogonal distances; swapping y and x inverts beta
        * "huber" (threshold=1.345): least squares that makes light of large spreads
        * "theil_sen": median slope of all pairs of bars
        * "kalman" (observation_noise, level_noise, beta_noise): random-walk level and beta; beta moves. Variances
          per bar, all three or none; by default by maximum likelihood. `kalman_pairs` explains the model
        * "johansen" (lags=1): first cointegrating vector; swapping y and x inverts beta
        * "dols" (leads, lags): dynamic least squares, by default with as many leads and lags as BIC wants
        * "fmols": fully modified least squares
        * "min_half_life" (bounds): the spread with the shortest AR(1) half-life; bounds on beta are optional.
          Swapping y and x inverts beta, unless bounds hold
    level : float, default 0.95
        Confidence level of the interval.
    **options
        The method's own, see above.

    Returns
    -------
    HedgeRatio
        Its ``assumptions`` say what the method takes for granted and when it misleads.

    Raises
    ------
    InputError
        If the method or an option is unknown; y and x differ in length or in their bars; bars are unsorted or
        duplicated; there are too few; a value is missing or infinite; or a series is constant. Gaps are refused
        rather than filled. Methods that need a spread refuse one asset twice.

    See Also
    --------
    kalman_pairs : the moving hedge ratio of all pairs at once.
    engle_granger_pairs : whether there is anything to hedge with.

    Notes
    -----
    All but the paths of "rolling_ols" and "kalman" are in-sample: the residuals of a fit know the whole sample, and
    look better than those of bars to come. A change of the units of a price, which shifts its logarithm, changes
    alpha only.

    "min_half_life" needs no search: the AR(1) coefficient of the spread is a ratio of two quadratics in beta, whose
    only minimum solves a quadratic equation (G. E. P. Box and G. C. Tiao, "A Canonical Analysis of Multiple Time
    Series", *Biometrika* 64 (1977), 355-365, for more than two series).

    The interval of "tls" is that of M. A. Creasy, "Confidence Limits for the Gradient in the Linear Functional
    Relationship", *Journal of the Royal Statistical Society B* 18 (1956), 65-69. For "dols" see J. H. Stock and
    M. W. Watson, "A Simple Estimator of Cointegrating Vectors in Higher Order Integrated Systems", *Econometrica*
    61 (1993), 783-820; for "fmols" P. C. B. Phillips and B. E. Hansen, "Statistical Inference in Instrumental
    Variables Regression with I(1) Processes", *Review of Economic Studies* 57 (1990), 99-125.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(7)
    >>> x = 4.0 + np.cumsum(0.01 * rng.normal(size=500))
    >>> y = 1.0 + 0.8 * x + 0.004 * rng.normal(size=500)
    >>> found = hedge_ratio(y, x, method="dols")
    >>> round(found.beta, 2)
    0.8
    >>> found.interval[0] < 0.8 < found.interval[1]
    True
    """
    if not isinstance(method, str) or method not in METHODS:
        raise InputError(f"method must be one of {', '.join(map(repr, METHODS))}, got {method!r}")
    if not (isinstance(level, float) and 0.0 < level < 1.0):
        raise InputError(f"level must be a number between 0 and 1, got {level!r}")
    chosen = METHODS[method]
    chosen.check_options(method, options)
    pair = read_pair(y, x)
    try:
        with np.errstate(divide="raise", over="raise", invalid="raise"):
            fit = chosen.estimate(pair, level=level, **options)
    except InputError:
        raise
    except (ArithmeticError, ValueError, UserWarning) as error:
        # Singular matrices and zero variances, from series that hardly move.
        raise InputError(f"method {method!r} finds no line for {pair.y_name} and {pair.x_name}: {error}") from error
    return HedgeRatio.of(
        fit, pair, method=method, level=level, interval_note=chosen.interval_note, assumptions=chosen.assumptions
    )
