import numpy as np
import pandas as pd
import pytest

from hlpairs_core.screening import ScreenSettings, expected_edge, leg_weights, spread_zscore

ENTRY = pd.Timestamp("2025-01-01T10:00Z")


def edge_of(distance: float, half_life: float, *, settings: ScreenSettings, funding: float = 0.0) -> dict[str, float]:
    got = expected_edge(
        np.array([distance]),
        sigma=np.array([0.02]),
        beta=np.array([-0.6]),
        half_life_hours=np.array([half_life]),
        fee_bps=np.array([9.0]),
        slippage_bps=np.array([3.0]),
        funding_bps_per_hour=np.array([funding]),
        entry_time=ENTRY,
        settings=settings,
    )
    return {name: float(getattr(got, name)[0]) for name in ("hold_hours", "gross_bps", "funding_bps", "net_edge_bps")}


def test_a_full_decay_to_the_exit_earns_the_way_from_z_to_z_out() -> None:
    # |z| 4 to 0.5 is three half-lives of 6 h; the way is 0.02 x 3.5 = 700 bps of y, worth 1/1.6 of it on gross.
    got = edge_of(4.0, 6.0, settings=ScreenSettings(), funding=-0.1)
    assert got["hold_hours"] == pytest.approx(18.0)
    assert got["gross_bps"] == pytest.approx(700 / 1.6)
    assert got["funding_bps"] == pytest.approx(-1.7)  # 17 stamps inside 18 hours from a full hour
    assert got["net_edge_bps"] == pytest.approx(700 / 1.6 - 9 - 3 - 1.7)


def test_the_horizon_cuts_a_slow_decay() -> None:
    got = edge_of(4.0, 48.0, settings=ScreenSettings(horizon_hours=48.0))
    assert got["hold_hours"] == 48.0
    assert got["gross_bps"] == pytest.approx(1e4 * 0.02 * 4 * 0.5 / 1.6)


def test_a_hold_lasts_at_least_one_bar() -> None:
    assert edge_of(0.6, 0.5, settings=ScreenSettings())["hold_hours"] == 1.0
    assert edge_of(0.0, 6.0, settings=ScreenSettings())["hold_hours"] == 1.0


def test_an_exit_at_the_mean_holds_to_the_horizon() -> None:
    got = edge_of(4.0, 6.0, settings=ScreenSettings(z_out=0.0, horizon_hours=12.0))
    assert got["hold_hours"] == 12.0
    assert got["gross_bps"] == pytest.approx(1e4 * 0.02 * 4 * 0.75 / 1.6)


@pytest.mark.parametrize("half_life", [np.nan, np.inf, 0.0, -3.0])
@pytest.mark.parametrize("z_out", [0.0, 0.5])
def test_without_a_half_life_nothing_is_expected(half_life: float, z_out: float) -> None:
    got = edge_of(4.0, half_life, settings=ScreenSettings(z_out=z_out))
    assert np.isnan([got["hold_hours"], got["gross_bps"], got["net_edge_bps"]]).all()


def test_beyond_the_mean_the_sides_lose_what_is_left() -> None:
    gains, loses = (edge_of(z, 6.0, settings=ScreenSettings())["gross_bps"] for z in (1.0, -1.0))
    assert loses == pytest.approx(-gains)


def test_the_weights_are_shares_of_gross_whatever_the_sign_of_beta() -> None:
    y, x = leg_weights(np.array([3.0, -3.0, 0.0]))
    np.testing.assert_allclose(y, [0.25, 0.25, 1.0])
    np.testing.assert_allclose(x, [0.75, 0.75, 0.0])


def test_a_spread_without_width_has_no_z() -> None:
    z = spread_zscore(
        np.array([np.e, np.e]), np.array([1.0, 1.0]), alpha=0.0, beta=1.0, mean=0.5, sigma=np.array([0.25, 0.0])
    )
    assert z[0] == pytest.approx(2.0)
    assert np.isnan(z[1])
