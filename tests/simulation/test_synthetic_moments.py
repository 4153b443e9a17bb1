"""A synthetic market beside recorded ones: `python -m benchmarks simulated_market --data …` computes both alike."""

import numpy as np
import pandas as pd
import pytest

from hlpairs_core.simulation import synthetic_market

# Of 108 coins with 6,042 hours from 2024-09 to 2025-05: recorded value, and how far off the market may be (relative).
RECORDED = {
    "sd of returns, median coin": (0.0129, 0.15),
    "sd of returns, BTC": (0.00556, 0.25),
    "sd of the mean return": (0.0102, 0.2),
    "kurtosis of returns, median coin": (10.6, 0.6),
    "sd of own part, median coin": (0.00757, 0.15),
    "correlation of pairs, 5 %": (0.437, 0.25),
    "correlation of pairs, median": (0.626, 0.15),
    "correlation of pairs, 95 %": (0.757, 0.15),
    "share of own beyond 5 sd, median coin": (0.0029, 0.4),
    "share of bars that open off the last close": (0.952, 0.05),
    "mean range over mean |body|": (1.90, 0.15),
    "sd of log hourly volume, median coin": (1.26, 0.25),
    "acf of log volume, 24 h": (0.40, 0.35),
    "share of funding at the base rate": (0.62, 0.15),
}


@pytest.fixture(scope="module")
def found() -> dict[str, float]:
    market = synthetic_market(4, 250, start="2026-11-21", clock=lambda: 0.0)
    bars, funding = market.history.upto(market.clock.time_ms())
    rows = slice(bars.index(market.clock.time_ms()) - 6042, bars.index(market.clock.time_ms()))
    perps = np.flatnonzero((market.kinds == "perp") & (bars.listed < rows.start) & (bars.last >= rows.stop))
    opened, high, low, close, volume = (
        pd.DataFrame(array[rows][:, perps]) for array in (bars.open, bars.high, bars.low, bars.close, bars.volume)
    )
    returns = np.log(close).diff().iloc[1:]
    mean = returns.mean(axis=1)
    own = returns - np.outer(mean, returns.apply(lambda column: column.cov(mean) / mean.var()))
    score = (own / np.sqrt((own**2).ewm(halflife=24).mean().shift())).iloc[200:].abs()
    above = returns.corr().to_numpy()[np.triu_indices(len(perps), 1)]
    usd = np.log((volume * close).where(volume > 0))
    rate = funding.rate[1000 : rows.stop, perps]
    return {
        "sd of returns, median coin": returns.std().median(),
        "sd of returns, BTC": returns[0].std(),
        "sd of the mean return": mean.std(),
        "kurtosis of returns, median coin": returns.kurt().median(),
        "sd of own part, median coin": own.std().median(),
        "correlation of pairs, 5 %": float(np.quantile(above, 0.05)),
        "correlation of pairs, median": float(np.median(above)),
        "correlation of pairs, 95 %": float(np.quantile(above, 0.95)),
        "share of own beyond 5 sd, median coin": (score > 5).mean().median(),
        "share of bars that open off the last close": float((opened != close.shift()).iloc[1:].to_numpy().mean()),
        "mean range over mean |body|": (np.log(high / low).mean() / np.log(close / opened).abs().mean()).median(),
        "sd of log hourly volume, median coin": usd.std().median(),
        "acf of log volume, 24 h": float(np.median([usd[column].autocorr(24) for column in usd])),
        "share of funding at the base rate": float((np.abs(rate - 0.0000125) < 1e-9)[np.isfinite(rate)].mean()),
    }


@pytest.mark.parametrize("name", RECORDED)
def test_a_moment_is_near_the_recorded_one(found: dict[str, float], name: str) -> None:
    value, tolerance = RECORDED[name]
    assert found[name] == pytest.approx(value, rel=tolerance)
