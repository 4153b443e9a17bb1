"""Filtered historical simulation: past shocks at the volatility expected next."""

from __future__ import annotations

import warnings

import numpy as np

from hlpairs_core._typing import FloatArray

__all__ = ["next_bar_returns"]

_LEAST_BARS = 250
_NOTHING = np.empty(0)


def next_bar_returns(values: FloatArray) -> tuple[FloatArray, str]:
    """Return what the next bar would bring with each shock that there was, or none and the reason.

    A GARCH(1, 1) with a constant mean and normal quasi-likelihood; its standardised residuals are the shocks.
    """
    if len(values) < _LEAST_BARS:
        return _NOTHING, f"a GARCH model needs {_LEAST_BARS} bars, there are {len(values)}"
    n_flat = int((values == 0.0).sum())
    if 2 * n_flat > len(values):
        return _NOTHING, f"{n_flat} of {len(values)} bars are flat: there is no volatility to follow between them"
    from arch import arch_model

    # The optimiser likes numbers near 1.
    unit = float(values.std())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = arch_model(values / unit, mean="Constant", vol="GARCH", rescale=False).fit(disp="off", show_warning=False)
        forecast = fit.forecast(horizon=1, reindex=False)
    if fit.convergence_flag:
        return _NOTHING, "the GARCH model did not converge"
    next_sd = np.sqrt(float(forecast.variance.iloc[-1, 0]))
    simulated = unit * (float(forecast.mean.iloc[-1, 0]) + next_sd * np.asarray(fit.std_resid))
    return (simulated, "") if np.isfinite(simulated).all() else (_NOTHING, "the GARCH model's volatility vanishes")
