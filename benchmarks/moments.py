"""Moments of an hourly market, computed alike from recordings and from a synthetic market."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

BASE_RATE = 0.0000125


@dataclass(frozen=True)
class HourlyMarket:
    """Hourly bars and funding: one column a coin, one row an hour; NaN before a coin's listing."""

    open: pd.DataFrame
    high: pd.DataFrame
    low: pd.DataFrame
    close: pd.DataFrame
    volume: pd.DataFrame
    funding: pd.DataFrame


def moments(market: HourlyMarket) -> dict[str, float]:
    """Name and value of each moment; returns are of logs, funding is a fraction an hour."""
    whole = market.close.columns[market.close.notna().mean() > 0.98]
    returns = np.log(market.close[whole]).diff().iloc[1:].fillna(0.0)
    return (
        _of_returns(returns)
        | _of_volatility(returns)
        | _of_bars(market, whole)
        | _of_volume(market, whole)
        | _of_funding(market.funding)
    )


def basis_moments(spot: pd.Series, perp: pd.Series) -> dict[str, float]:
    """Of the logs of a perp's hourly closes over its spot pair's, in bps: spread, and memory of it and its changes."""
    basis = 1e4 * (np.log(perp) - np.log(spot)).dropna()
    change = basis.diff()
    return {
        "robust sd (bps)": 1.4826 * (basis - basis.median()).abs().median(),
        "acf 1 h": basis.autocorr(1),
        "acf 24 h": basis.autocorr(24),
        "acf 1 h of changes": change.autocorr(1),
    }


def _of_returns(returns: pd.DataFrame) -> dict[str, float]:
    market = returns.mean(axis=1)
    beta = returns.apply(lambda column: column.cov(market) / market.var())
    own = returns - np.outer(market, beta)
    correlation = returns.corr().to_numpy()
    above = correlation[np.triu_indices(len(correlation), 1)]
    eigen = np.linalg.eigvalsh(own.corr().to_numpy())[::-1] / own.shape[1]
    return {
        "sd of returns, median coin": returns.std().median(),
        "sd of returns, BTC": returns["BTC"].std(),
        "sd of the mean return": market.std(),
        "kurtosis of returns, median coin": returns.kurt().median(),
        "kurtosis of the mean return": market.kurt(),
        "beta, 5 % of coins": beta.quantile(0.05),
        "beta, 95 % of coins": beta.quantile(0.95),
        "beta, BTC": beta["BTC"],
        "sd of own part, 5 % of coins": own.std().quantile(0.05),
        "sd of own part, median coin": own.std().median(),
        "sd of own part, 95 % of coins": own.std().quantile(0.95),
        "correlation of pairs, 5 %": float(np.quantile(above, 0.05)),
        "correlation of pairs, median": float(np.median(above)),
        "correlation of pairs, 95 %": float(np.quantile(above, 0.95)),
        "own parts: share of 1st component": float(eigen[0]),
        "own parts: share of 4th component": float(eigen[3]),
    }


def _of_volatility(returns: pd.DataFrame) -> dict[str, float]:
    market = returns.mean(axis=1)
    beta = returns.apply(lambda column: column.cov(market) / market.var())
    own = returns - np.outer(market, beta)
    size = np.log(own.abs() + 1e-4)
    shared = size.mean(axis=1)
    apart = size.sub(shared, axis=0)
    usual = np.sqrt((own**2).ewm(halflife=24).mean().shift())
    score = (own / usual).iloc[200:].abs()
    found = {f"acf of |mean return|, {lag} h": market.abs().autocorr(lag) for lag in (1, 24, 168)}
    found |= {f"acf of mean log |own|, {lag} h": shared.autocorr(lag) for lag in (1, 24, 168)}
    found |= {f"acf of log |own| less mean, {lag} h": _median_acf(apart, lag) for lag in (1, 24, 168)}
    found |= {f"share of own beyond {sds} sd, median coin": (score > sds).mean().median() for sds in (3, 5, 8)}
    return found


def _of_bars(market: HourlyMarket, whole: pd.Index) -> dict[str, float]:
    opened, close = market.open[whole], market.close[whole]
    gap = (np.log(opened) - np.log(close.shift())).iloc[1:]
    body = np.log(close) - np.log(opened)
    reach = np.log(market.high[whole]) - np.log(market.low[whole])
    usd = (market.volume[whole] * close).median()
    small, large = usd <= usd.quantile(0.33), usd >= usd.quantile(0.67)
    known = close.notna() & close.shift().notna()
    return {
        "share of bars that open off the last close": float((opened != close.shift())[known].stack().mean()),
        "sd of gaps, third of least volume": gap.loc[:, small].std().median(),
        "sd of gaps, third of most volume": gap.loc[:, large].std().median(),
        "gap and body, correlation": float(np.median([gap[coin].corr(body[coin]) for coin in whole])),
        "mean range over mean |body|": float((reach.mean() / body.abs().mean()).median()),
    }


def _of_volume(market: HourlyMarket, whole: pd.Index) -> dict[str, float]:
    usd = (market.volume[whole] * market.close[whole]).where(market.volume[whole] > 0)
    log_usd = np.log(usd)
    move = np.log(np.log(market.close[whole]).diff().abs() + 1e-4)
    shared = log_usd.sub(log_usd.mean()).mean(axis=1)
    return {
        "sd of log hourly volume, median coin": log_usd.std().median(),
        "sd of its mean over coins": shared.std(),
        "acf of log volume, 1 h": _median_acf(log_usd, 1),
        "acf of log volume, 24 h": _median_acf(log_usd, 24),
        "acf of log volume, 168 h": _median_acf(log_usd, 168),
        "log volume and log |return|, correlation": float(np.median([log_usd[k].corr(move[k]) for k in whole])),
    }


def _of_funding(funding: pd.DataFrame) -> dict[str, float]:
    rates = funding.stack().dropna()
    base = (funding - BASE_RATE).abs() < 1e-9
    stays = {
        f"still the base rate after {lag} h": float((base & base.shift(-lag, fill_value=False)).to_numpy().sum())
        / float(base.iloc[:-lag].to_numpy().sum())
        for lag in (1, 24, 168)
    }
    return (
        {
            "share of funding at the base rate": float(((rates - BASE_RATE).abs() < 1e-9).mean()),
            "share of funding above": float((rates > BASE_RATE + 1e-9).mean()),
            "share of funding below 0": float((rates < 0).mean()),
            "mean funding": float(rates.mean()),
        }
        | {
            f"funding, {100 * level:g} %": float(rates.quantile(level))
            for level in (0.001, 0.01, 0.1, 0.9, 0.99, 0.999)
        }
        | stays
    )


def _median_acf(frame: pd.DataFrame, lag: int) -> float:
    return float(np.median([frame[column].autocorr(lag) for column in frame]))
