from __future__ import annotations

import numpy as np
from scipy.stats import t as student

from hlpairs_core.exceptions import InputError
from hlpairs_core.stats.hedge.method import Method
from hlpairs_core.stats.hedge.pair import Pair
from hlpairs_core.stats.hedge.result import Fit

__all__ = ["TLS"]


def _tls(pair: Pair, *, level: float) -> Fit:
    """Take the direction of the largest variance, as the angle it makes with the x axis."""
    (xx, xy), (_, yy) = np.cov(pair.x, pair.y)
    spread = np.hypot(xx - yy, 2.0 * xy)
    if spread <= 1e-12 * (xx + yy) or (xy == 0.0 and yy > xx):
        raise InputError(
            f"{pair.y_name} and {pair.x_name} have no line of closest fit that gives a hedge ratio: their covariance "
            f"is {xy:.3g}, their variances {yy:.3g} and {xx:.3g}"
        )
    angle = 0.5 * np.arctan2(2.0 * xy, xx - yy)
    beta = float(np.tan(angle))
    intercept = float(pair.y.mean() - beta * pair.x.mean())
    degrees = len(pair.x) - 2
    quantile = student.ppf(0.5 + 0.5 * level, degrees)
    sine = 2.0 * quantile * np.sqrt(max(xx * yy - xy * xy, 0.0) / degrees) / spread
    return Fit(beta, intercept, _slopes(angle, sine), {})


def _slopes(angle: float, sine: float) -> tuple[float, float] | None:
    """Turn the interval of the angle into one of the slope, unless it takes in the vertical."""
    if sine >= 1.0:
        return None
    half = 0.5 * np.arcsin(sine)
    if abs(angle) + half >= 0.5 * np.pi:
        return None
    return float(np.tan(angle - half)), float(np.tan(angle + half))


TLS = Method(
    _tls,
    assumptions=(
        "Both legs carry independent noise of the same variance, so that distances count at a right angle to the "
        "line. Swapping y and x inverts beta. It overstates beta where y alone carries the noise."
    ),
    interval_note=(
        "Creasy's, for independent normal noise; too narrow for a spread that reverts slowly, and None where no "
        "slope, or a vertical line, can be excluded."
    ),
)
