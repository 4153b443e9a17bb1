import numpy as np
from numpy.typing import ArrayLike

from hlpairs_core._typing import FloatArray
from hlpairs_core.exceptions import InputError

__all__ = ["square_root_slippage_bps"]


def square_root_slippage_bps(
    notional_usd: ArrayLike,
    *,
    day_notional_usd: ArrayLike,
    day_volatility_bps: ArrayLike,
    half_spread_bps: ArrayLike = 1.0,
    coefficient: float = 1.0,
) -> FloatArray:
    """Return the slippage of one fill where no book is known, in bps of its notional.

    ``half_spread + Y σ_day √(Q / V_day)``: the square-root law of market impact (Almgren et al. 2005, "Direct
    estimation of equity market impact"; Tóth et al. 2011), whose coefficient Y is of order one.

    Parameters
    ----------
    notional_usd : array_like
        Q, size of the fill (USD), at least 0.
    day_notional_usd : array_like
        V, what trades in 24 hours (USD).
    day_volatility_bps : array_like
        σ, standard deviation of a day's log return (bps).
    half_spread_bps : array_like
        Half the bid-ask spread (bps of the mid); NaN where it is unknown. See `half_spread_from_candles`.
    coefficient : float
        Y.

    Returns
    -------
    ndarray
        Broadcast shape of the inputs. NaN where an input is NaN or nothing trades (V = 0): unknown, not free.

    Raises
    ------
    InputError
        For a negative notional, volume or volatility, half spread or coefficient.
    """
    given = {
        "notional_usd": np.asarray(notional_usd, dtype=np.float64),
        "day_notional_usd": np.asarray(day_notional_usd, dtype=np.float64),
        "day_volatility_bps": np.asarray(day_volatility_bps, dtype=np.float64),
        "half_spread_bps": np.asarray(half_spread_bps, dtype=np.float64),
        "coefficient": np.asarray(coefficient, dtype=np.float64),
    }
    for name, values in given.items():
        if np.any(values < 0):
            raise InputError(f"{name} is {float(np.nanmin(values))!r}: use values of at least 0")
    volume = np.where(given["day_notional_usd"] > 0, given["day_notional_usd"], np.nan)
    impact = coefficient * given["day_volatility_bps"] * np.sqrt(given["notional_usd"] / volume)
    return np.asarray(given["half_spread_bps"] + impact)
