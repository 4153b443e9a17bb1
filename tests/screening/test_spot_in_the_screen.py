"""Spot against perpetuals among the candidates of a screen."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hlpairs_core.costs import CostModel
from hlpairs_core.market import MarketState, Panel, SpotMatch
from hlpairs_core.screening import ScreenSettings, SpotMarket, mark, screen, screen_carry
from hlpairs_core.screening.carry_gates import CarryAccount
from hlpairs_core.screening.forecast import FORECASTS

SETTINGS = ScreenSettings(window=200, p_max=1e-9, min_day_notional_usd=0.0, horizon_hours=168.0)
MATCHES = (SpotMatch(coin="@7", token="UC0", perp="C0"), SpotMatch(coin="@8", token="UC1", perp="C1"))


class Believes:
    """Believes pairs of perpetuals nothing, and spot a given mean with a standard error of 2 bps."""

    def __init__(self, mean: float) -> None:
        self.mean, self.kinds = mean, set()

    def predict(self, rows: pd.DataFrame, *, settings: ScreenSettings) -> pd.DataFrame:
        self.kinds |= set(rows["kind"])
        said = pd.DataFrame(0.5, index=rows.index, columns=list(FORECASTS))
        mean = np.where(rows["kind"] == "spot_perp", self.mean, -20.0)
        costs = rows["expected_fee_bps"] + rows["expected_slippage_bps"]
        share = (mean + costs) / np.where(rows["expected_funding_bps"] == 0, np.nan, rows["expected_funding_bps"])
        return said.assign(mean_net_bps=mean, lower_net_bps=mean - 1.2816 * 2, gross_share=0.0, funding_share=share)


@pytest.fixture(scope="module")
def perps(make_panel: Callable[..., Panel], make_walks: Callable[..., np.ndarray]) -> Panel:
    """C0 pays 20 bps a day in funding, C1 receives a little."""
    funding = np.array([2e-4 / 2.4, -1e-5, *[0.0] * 4])
    return make_panel(make_walks(201, 6, seed=3), funding=funding, notional=5e7)


@pytest.fixture(scope="module")
def spot(perps: Panel, make_panel: Callable[..., Panel]) -> SpotMarket:
    noise = np.random.default_rng(1).normal(0, 2e-4, (201, 2))
    return SpotMarket(make_panel(perps.close[:, :2] * np.exp(noise), coins=("@7", "@8"), notional=5e7), MATCHES)


def of_spot(candidates: pd.DataFrame) -> pd.DataFrame:
    return candidates[candidates["kind"] == "spot_perp"].set_index(["y", "x"])


def test_both_directions_are_candidates_with_the_numbers_of_the_carry_screen(perps: Panel, spot: SpotMarket) -> None:
    result = screen(perps, settings=SETTINGS, spot=spot)
    table = of_spot(result.candidates)
    assert set(table.index) == {("@7", "C0"), ("C0", "@7"), ("@8", "C1"), ("C1", "@8")}
    assert set(table["side_y"]) == {"long"}
    carried = screen_carry(perps, spot.panel, MATCHES, settings=SETTINGS, costs=CostModel())
    one = carried[(carried["y"] == "@7") & (carried["side_y"] == "long")].iloc[0]
    ours = result.candidate("@7", "C0")
    assert ours.net_edge_bps == one["expected_net_bps"]
    assert ours.funding_bps == one["expected_funding_bps"] > 40
    assert (ours.capital_usd, ours.margin_usd) == (one["capital_usd"], one["margin_usd"])
    assert ours.funding_bps_per_hour == pytest.approx(ours.funding_bps / 167, rel=1e-9)
    assert ours.liquidation_distance_y == np.inf
    assert result.candidate("C0", "@7").gates_failed[0] == "borrow"
    assert result.candidate("C0", "@7").funding_bps == pytest.approx(-ours.funding_bps)


def test_the_best_of_both_kinds_is_the_answer_on_one_scale(perps: Panel, spot: SpotMarket) -> None:
    result = screen(perps, settings=SETTINGS, spot=spot)
    assert (result.top.kind, result.top.y, result.top.name_y, result.top.name_x) == (
        "spot_perp",
        "@7",
        "UC0 spot",
        "C0",
    )
    assert result.raw_top == ("@7", "C0")
    assert result.verdict.text.startswith("Long UC0 spot, short C0: expected net edge")
    assert (result.funnel.carry_pairs, result.funnel.carry_qualifying) == (2, 1)
    assert result.funnel.pairs_qualifying == int((result.candidates["qualifies"]).sum()) - 1
    alone = screen(perps, settings=SETTINGS)
    assert alone.funnel.carry_pairs == 0
    pd.testing.assert_frame_equal(
        alone.candidates,
        result.candidates[result.candidates["kind"] == "perp_perp"].reset_index(drop=True),
        check_dtype=False,
    )


def test_a_model_judges_both_kinds(perps: Panel, spot: SpotMarket) -> None:
    model = Believes(9.0)
    result = screen(perps, settings=replace(SETTINGS, p_max=0.9, z_in=0.2, z_out=0.1), spot=spot, edge=model)
    assert model.kinds == {"perp_perp", "spot_perp"}
    assert (result.top.y, result.top.calibrated, result.top.mean_net_bps) == ("@7", True, 9.0)
    doubted = screen(perps, settings=SETTINGS, spot=spot, edge=Believes(2.0))
    assert doubted.top is None
    one = doubted.candidate("@7", "C0")
    assert one.gates_failed == ("edge",)
    assert "of the projected funding is expected to arrive: net 2.0 bps, above -0.6 with 90 %" in one.misses[0]
    assert "nor does any of 2 spot pairs against their perpetuals" in doubted.verdict.text
    # What can only pay is not asked about, and keeps its projection.
    assert not doubted.candidate("C0", "@7").calibrated


def test_signals_of_both_kinds_are_in_one_table(perps: Panel, spot: SpotMarket) -> None:
    settings = replace(SETTINGS, p_max=0.9, z_in=0.2, z_out=0.1)
    result = screen(perps, settings=settings, spot=spot)
    kinds = result.signals["kind"].value_counts().to_dict()
    assert kinds["spot_perp"] == 1
    assert kinds["perp_perp"] == result.funnel.pairs_at_entry > 0
    of_carry = result.signals[result.signals["kind"] == "spot_perp"].iloc[0]
    assert np.isfinite(of_carry["funding_week_bps"])


def test_no_price_moves_the_edge_of_spot(perps: Panel, spot: SpotMarket) -> None:
    result = screen(perps, settings=SETTINGS, spot=spot)
    row = mark(result, {"@7": 1.0, "C0": 500.0}, pairs=[("@7", "C0")]).iloc[0]
    assert row["mark_state"] == "held"
    assert np.isnan(row["zscore"])
    assert row["net_edge_bps"] == result.top.net_edge_bps
    assert row["hold_hours"] == 168.0


def test_what_is_believed_of_spot_stays_too_where_it_is_no_share_of_the_projection(
    perps: Panel, spot: SpotMarket
) -> None:
    """A model may read other funding than the projection's: of none, its share is not defined."""

    class Unrelated(Believes):
        def predict(self, rows: pd.DataFrame, *, settings: ScreenSettings) -> pd.DataFrame:
            return super().predict(rows, settings=settings).assign(funding_share=np.nan)

    result = screen(perps, settings=SETTINGS, spot=spot, edge=Unrelated(9.0))
    row = mark(result, {"@7": 1.0, "C0": 500.0}, pairs=[("@7", "C0")]).iloc[0]
    assert (row["mean_net_bps"], row["lower_net_bps"]) == (9.0, pytest.approx(9.0 - 1.2816 * 2))


def test_a_pair_that_is_in_one_panel_only_is_no_candidate(perps: Panel, spot: SpotMarket) -> None:
    stranger = SpotMatch(coin="@9", token="UX", perp="X")
    result = screen(perps, settings=SETTINGS, spot=replace(spot, matches=(*MATCHES, stranger)))
    assert result.funnel.carry_pairs == 2
    assert screen(perps, settings=SETTINGS, spot=replace(spot, matches=(stranger,))).funnel.carry_pairs == 0


def test_spot_of_a_perpetual_that_the_exchange_no_longer_lists_is_no_candidate(
    perps: Panel, spot: SpotMarket, make_market: Callable[..., MarketState]
) -> None:
    """Its last bar may still be there; a trade on it could not be entered."""
    gone = [coin == "C0" for coin in perps.coins]
    delisted = make_market(perps.coins, is_delisted=gone)
    absent = make_market(perps.coins[1:])
    assert screen(perps, settings=SETTINGS, spot=spot, market=make_market(perps.coins)).top.x == "C0"
    for market in (delisted, absent):
        result = screen(perps, settings=SETTINGS, spot=spot, market=market)
        assert set(of_spot(result.candidates).index) == {("@8", "C1"), ("C1", "@8")}
        assert result.top is None


def test_an_unknown_capacity_is_called_unknown(perps: Panel, spot: SpotMarket) -> None:
    late = replace(spot, panel=spot.panel.rows(0, 200))
    one = screen(perps, settings=SETTINGS, spot=late).candidate("@7", "C0")
    assert "capacity" in one.gates_failed
    assert "its capacity is unknown" in one.misses
    assert not any("nan" in text for text in one.misses)


def test_where_spot_can_be_borrowed_the_other_direction_may_be_the_answer(
    make_panel: Callable[..., Panel], make_walks: Callable[..., np.ndarray], make_market: Callable[..., MarketState]
) -> None:
    walks = make_walks(201, 3, seed=3)
    perps = make_panel(walks, funding=np.array([-1e-4, 0.0, 0.0]), notional=5e7)
    panel = make_panel(walks[:, :1], coins=("@7",), notional=5e7)
    short = SpotMarket(panel, MATCHES[:1], CarryAccount(spot_short=True))
    top = screen(perps, settings=SETTINGS, spot=short).top
    assert (top.y, top.side_y, top.x, top.side_x, top.spot_leg) == ("C0", "long", "@7", "short", "x")
    assert screen(perps, settings=SETTINGS, spot=replace(short, account=CarryAccount())).top is None
    market = make_market(perps.coins, max_leverage=[5, 10, 10])
    listed = screen(perps, settings=SETTINGS, spot=short, market=market).candidate("C0", "@7")
    assert listed.liquidation_distance_y == pytest.approx(-1.0)
