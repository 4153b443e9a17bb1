import math
from collections.abc import Callable

import numpy as np
import pytest

from hlpairs_core.exceptions import InputError
from hlpairs_core.market import Panel
from hlpairs_core.screening import ScreenSettings, screen


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("interval", "7m"),
        ("interval", None),
        ("window", 29),
        ("window", 336.0),
        ("window", True),
        ("window", 10**6),
        ("horizon_hours", 0.0),
        ("horizon_hours", 0.5),
        ("horizon_hours", math.inf),
        ("horizon_hours", math.nan),
        ("z_in", 0.0),
        ("z_in", math.nan),
        ("z_in", "2"),
        ("z_out", -0.1),
        ("z_out", 2.0),
        ("z_out", 3.0),
        ("p_max", 0.0),
        ("p_max", 1.1),
        ("p_max", math.nan),
        ("rho_min", -0.4),
        ("rho_min", 1.5),
        ("dependence", "negative"),
        ("dependence", None),
        ("dependence_method", "cosine"),
        ("lag_rule", "hqic"),
        ("lag_rule", -1),
        ("lag_rule", 168),
        ("lag_rule", 2.5),
        ("max_lag", -1),
        ("max_lag", 168),
        ("notional_usd", 0.0),
        ("notional_usd", math.inf),
        ("notional_usd", math.nan),
        ("min_day_notional_usd", -1.0),
        ("min_traded_share", 1.1),
        ("min_traded_share", math.nan),
        ("max_day_volume_share", 0.0),
        ("max_day_volume_share", 2.0),
        ("max_book_share", 0.0),
        ("max_book_share", 1.01),
        ("leverage", 0.0),
        ("leverage", -3.0),
        ("leverage", math.nan),
    ],
)
def test_a_setting_that_cannot_be_is_refused_by_name_value_and_range(field: str, value: object) -> None:
    with pytest.raises(InputError, match=field) as caught:
        ScreenSettings(**{field: value})  # type: ignore[arg-type]
    assert repr(value) in str(caught.value)
    assert "use" in str(caught.value)


@pytest.mark.parametrize("window", [30, 31])
@pytest.mark.parametrize("field", ["lag_rule", "max_lag"])
def test_settings_take_the_lags_that_the_window_bears_and_no_more(
    field: str, window: int, make_panel: Callable[..., Panel], make_walks: Callable[..., np.ndarray]
) -> None:
    most = {30: 13, 31: 14}[window]
    settings = ScreenSettings(window=window, **{field: most})  # type: ignore[arg-type]
    panel = make_panel(make_walks(window + 1, 2, seed=3))
    assert screen(panel, settings=settings).candidates["p_value"].notna().all()
    with pytest.raises(InputError, match=f"{field} is {most + 1}"):
        ScreenSettings(window=window, **{field: most + 1})  # type: ignore[arg-type]


def test_fixed_lags_need_no_bound_of_a_search() -> None:
    with pytest.raises(InputError, match="max_lag is 3 and lag_rule 2: fix the lags or bound a search"):
        ScreenSettings(lag_rule=2, max_lag=3)


def test_the_defaults_are_those_of_the_product() -> None:
    settings = ScreenSettings()
    assert (settings.interval, settings.window, settings.horizon_hours) == ("1h", 336, 48.0)
    assert (settings.z_in, settings.z_out, settings.p_max, settings.notional_usd) == (2.0, 0.5, 0.05, 10_000.0)


@pytest.mark.parametrize(("interval", "hours"), [("5m", 1 / 12), ("1h", 1.0), ("4h", 4.0)])
def test_a_bar_knows_its_hours(interval: str, hours: float) -> None:
    assert ScreenSettings(interval=interval).bar_hours == pytest.approx(hours)
