"""The sentences must not contradict themselves by rounding."""

from collections.abc import Callable

import numpy as np
import pytest

from hlpairs_core.costs import CostModel
from hlpairs_core.market import Panel
from hlpairs_core.screening import ScreenSettings, screen, select_universe
from hlpairs_core.wording import by_luck, digits_to_exceed, signed, stated, told_apart

COINS = ("Y", "X")


@pytest.mark.parametrize(
    ("value", "bound", "digits", "text"),
    [
        (1.21, 2.0, 1, "1.2"),
        (1.96, 2.0, 1, "1.96"),
        (1.2499, 1.25, 1, "1.2"),
        (1.28, 1.27, 1, "1.3"),
        (0.05004, 0.05, 3, "0.05004"),
        (0.05, 0.05, 3, "0.050"),
        (9_999.7, 10_000.0, 0, "9,999.7"),
        (89.911, 90.0, 0, "89.9"),
    ],
)
def test_a_value_is_written_on_its_own_side_of_the_bound(value: float, bound: float, digits: int, text: str) -> None:
    assert told_apart(value, bound, digits) == text


@pytest.mark.parametrize(
    ("bound", "digits", "text"),
    [(2.0, 1, "2.0"), (1.25, 1, "1.25"), (0.05, 1, "0.05"), (10_000.0, 0, "10,000"), (100 * 0.29, 0, "29")],
)
def test_a_bound_is_written_as_it_was_set(bound: float, digits: int, text: str) -> None:
    assert stated(bound, digits) == text


@pytest.mark.parametrize(
    ("costs", "income", "digits"),
    [([9.0, 5.0], [13.0], 1), ([9.0, 71.44, 1.41], [81.84], 2), ([9.0, 1.0], [10.0], 1)],
)
def test_costs_are_written_so_that_they_exceed_the_income(costs: list[float], income: list[float], digits: int) -> None:
    assert digits_to_exceed(costs, income, 1) == digits


@pytest.mark.parametrize(("count", "text"), [(0.05, "0.05"), (4.55, "4.5"), (6.0, "6"), (660.15, "660"), (0.0, "0")])
def test_a_few_expected_by_luck_are_not_rounded_to_none(count: float, text: str) -> None:
    assert by_luck(count) == f"{text} or more"


@pytest.mark.parametrize(("value", "text"), [(-0.04, "0.0"), (0.04, "0.0"), (-0.06, "-0.1"), (1234.5, "+1234.5")])
def test_what_rounds_to_zero_has_no_sign(value: float, text: str) -> None:
    assert signed(value, 1) == text


def test_an_entry_of_two_decimals_is_not_said_with_one(
    make_panel: Callable[..., Panel], make_pair: Callable[..., np.ndarray]
) -> None:
    panel = make_panel(make_pair(201, last_z=1.2), coins=COINS, notional=np.array([20e6, 80e6]))
    z = abs(screen(panel, settings=ScreenSettings(window=200)).candidates.loc[0, "zscore"])
    z_in = round(float(np.ceil(10 * z) / 10 + 0.05), 2)
    said = screen(panel, settings=ScreenSettings(window=200, z_in=z_in)).candidates.loc[0, "misses"][0]
    size, needed = said.removeprefix("|z| is ").split(", entry needs ")
    assert float(size) < float(needed) == z_in


def test_the_costs_named_add_up_to_more_than_the_reversion_named(
    make_panel: Callable[..., Panel], make_pair: Callable[..., np.ndarray]
) -> None:
    panel = make_panel(make_pair(201, sigma=0.005), coins=COINS, notional=np.array([20e6, 80e6]))
    row = screen(panel, settings=ScreenSettings(window=200)).candidates.iloc[0]
    # Fees that leave the pair 0.001 bps short.
    fee = (row["gross_bps"] - row["slippage_bps"] + 0.001) / 2
    said = screen(panel, settings=ScreenSettings(window=200), costs=CostModel(taker_fee_bps=fee))
    words = said.candidates.loc[0, "misses"][0].split()
    assert words[0::3][:2] == ["fees", "slippage"]
    assert float(words[1]) + float(words[4]) > float(words[-2])


def test_a_share_just_below_the_least_is_not_rounded_up_to_it(
    make_panel: Callable[..., Panel], make_walks: Callable[..., np.ndarray]
) -> None:
    close = make_walks(337, 1, seed=1)
    volume = np.full(close.shape, 1e6)
    volume[:34] = 0.0  # 303 of 337 bars traded: 89.9 %
    table = select_universe(make_panel(close, volume=volume), ScreenSettings()).table
    assert table.loc["C0", "reason"] == "it traded in 89.9% of bars, needs 90%"


def test_a_verdict_of_few_pairs_says_what_luck_alone_would_pass(
    make_panel: Callable[..., Panel], make_walks: Callable[..., np.ndarray]
) -> None:
    result = screen(make_panel(make_walks(201, 2, seed=8)), settings=ScreenSettings(window=200))
    assert "(0.05 or more expected by luck)" in result.verdict.text
    assert "(0.05 or more expected by luck)" in result._repr_html_()


def test_a_notebook_says_which_coin_is_y_and_that_nothing_is_calibrated(
    make_panel: Callable[..., Panel], make_pair: Callable[..., np.ndarray]
) -> None:
    panel = make_panel(make_pair(201, last_z=1.2), coins=COINS, notional=np.array([20e6, 80e6]))
    html = screen(panel, settings=ScreenSettings(window=200))._repr_html_()
    assert "<td>Y / X</td>" in html
    assert "not calibrated on later data" in html
