from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from hlpairs_core.screening import ScreenSettings


@pytest.fixture(scope="session")
def settings() -> ScreenSettings:
    return ScreenSettings()


@pytest.fixture(scope="session")
def candidates() -> Callable[..., pd.DataFrame]:
    """Make candidates of pairs that deliver a share of the raw expectation, and of pairs that deliver nothing."""

    def make(
        seed: int, *, share: float, n_pairs: int = 8, n_days: int = 240, noise: float = 0.5, kind: str = "perp_perp"
    ) -> pd.DataFrame:
        rng = np.random.default_rng(seed)
        n = n_pairs * n_days
        pair = np.tile(np.arange(n_pairs), n_days)
        pulled = pair < n_pairs // 2
        day = np.repeat(np.arange(n_days), n_pairs)
        spread_vol = rng.uniform(10.0, 20.0, n)
        unit = spread_vol * np.sqrt(48.0)
        raw = unit * rng.uniform(0.5, 1.5, n)
        gross = np.where(pulled, share, 0.0) * raw + noise * unit * rng.normal(size=n)
        fee, slippage = np.full(n, 9.0), rng.uniform(1.0, 20.0, n)
        signal = pd.Timestamp("2025-01-01", tz="UTC") + pd.to_timedelta(day, unit="D")
        hold = rng.integers(2, 40, n)
        return pd.DataFrame(
            {
                "kind": kind,
                "signal_time": signal,
                "y": [f"Y{number}" for number in pair],
                "x": [f"X{number}" for number in pair],
                "beta": 1.0,
                "zscore": rng.choice([-1.0, 1.0], n) * rng.uniform(2.0, 3.0, n),
                "p_value": rng.uniform(0.0, 0.1, n),
                "half_life_hours": rng.uniform(5.0, 20.0, n),
                "crossings": rng.integers(10, 60, n).astype(float),
                "beta_drift": rng.normal(size=n),
                "spread_vol_bps": spread_vol,
                "vol_y_bps": np.where(pulled, 10.0, 1.5) * spread_vol,
                "vol_x_bps": np.where(pulled, 10.0, 1.5) * spread_vol,
                "market_beta_y": 1.0,
                "market_beta_x": 0.9,
                "signal_age_bars": rng.integers(0, 20, n).astype(float),
                "expected_gross_bps": raw,
                "expected_fee_bps": fee,
                "expected_slippage_bps": slippage,
                "expected_funding_bps": rng.normal(size=n),
                "realised_gross_bps": gross,
                "realised_funding_bps": 0.0,
                "realised_net_bps": gross - fee - slippage,
                "exit_time": signal + pd.to_timedelta(hold, unit="h"),
                "exit_reason": "reverted",
            }
        )

    return make
