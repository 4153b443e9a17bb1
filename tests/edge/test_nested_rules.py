"""Rules that pick a candidate a bar, and choosing among them nested in time."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hlpairs_core.backtest import realise, walk_forward
from hlpairs_core.costs import CostModel
from hlpairs_core.edge.nested import choose_nested, nested_optimisation
from hlpairs_core.edge.nested_result import NestedOptimisation
from hlpairs_core.edge.rules import TradeRule, rule_grid
from hlpairs_core.edge.search import trades_of_rules
from hlpairs_core.exceptions import InputError
from hlpairs_core.screening import ScreenSettings
from hlpairs_core.simulation import market_panel, synthetic_market

START = pd.Timestamp("2025-01-01", tz="UTC")
RULES = rule_grid(TradeRule(horizon_hours=24.0), z_in=(2.0, 2.5, 3.0, 3.5), rank=("net", "p", "z"))
COST = 15.0


def bars_of(n_weeks: int, *, a_day: int = 4) -> pd.Series:
    return pd.Series(pd.date_range(START, periods=n_weeks * 7 * a_day, freq=f"{24 // a_day}h"))


def table(bars: pd.Series, net: Any, *, hours: float = 10.0) -> pd.DataFrame:
    return pd.DataFrame(
        {"signal_time": bars, "exit_time": bars + pd.Timedelta(hours=hours), "realised_net_bps": np.asarray(net)}
    )


def luck(seed: int, bars: pd.Series, edges: Mapping[TradeRule, float] | None = None) -> dict[TradeRule, pd.DataFrame]:
    """Every rule trades every bar for the costs and noise; some earn more."""
    rng = np.random.default_rng(seed)
    edges = {} if edges is None else edges
    return {rule: table(bars, rng.normal(edges.get(rule, 0.0) - COST, 200.0, len(bars))) for rule in RULES}


def choose(trades: dict[TradeRule, pd.DataFrame], bars: pd.Series, **changes: Any) -> NestedOptimisation:
    given = {"n_folds": 6, "first_blocks": 8, "embargo_hours": 24.0} | changes
    end = bars.iloc[-1] + pd.Timedelta(days=30)
    return choose_nested(trades, bars=bars, end=end, rng=np.random.default_rng(1), **given)


def test_of_noise_the_search_promises_more_than_comes_and_says_so() -> None:
    bars = bars_of(32)
    found = [choose(luck(seed, bars), bars) for seed in range(30)]
    traded = [one for one in found if one.realised.n]
    nets = np.array([one.realised.mean for one in traded])
    # One mean of hundreds of trades is known to 200 / sqrt(n); over 30 markets that leaves about 2 bps.
    assert nets.mean() == pytest.approx(-COST, abs=4.0)
    promised = [fold.promised.mean for one in traded for fold in one.folds if fold.rule is not None]
    assert min(promised) > 0
    assert np.mean([one.hindsight.mean - one.realised.mean for one in traded]) > 5.0
    assert np.mean([one.deflated_sharpe for one in found]) < 0.2
    assert np.mean([one.overfitting.probability for one in found if one.overfitting]) == pytest.approx(0.5, abs=0.15)
    assert np.mean([one.out_of_sample_confidence for one in traded]) < 0.3


def test_what_is_entered_late_is_over_late_and_the_past_ends_as_much_earlier() -> None:
    """Holds of 49 hours and an embargo of 24 leave 7 of 8 weeks; 100 bars of delay more leave 6."""
    bars, good = bars_of(32), RULES[7]
    trades = luck(4, bars, {good: 80.0})
    assert choose(trades, bars).folds[0].promised.n == 7 * 28
    assert choose(trades, bars, delay_bars=100).folds[0].promised.n == 6 * 28


def test_a_planted_edge_is_chosen_and_realised() -> None:
    bars, good = bars_of(32), RULES[7]
    found = choose(luck(4, bars, {good: 80.0}), bars)
    assert [fold.rule for fold in found.folds] == [good] * 6
    assert (found.chosen, found.hindsight_rule, found.n_tried, found.none_share) == (good, good, 12, 0.0)
    assert found.low_bps < 80.0 - COST < found.high_bps
    assert found.realised.mean == pytest.approx(80.0 - COST, abs=20.0)
    assert found.deflated_sharpe > 0.95
    assert found.overfitting is not None
    assert found.overfitting.probability < 0.02
    assert found.table.loc[found.table["sharpe"].idxmax(), "rule"] == good


def test_a_market_where_every_rule_has_lost_is_not_traded() -> None:
    bars = bars_of(20)
    found = choose({rule: table(bars, -10.0 - np.arange(len(bars)) % 3) for rule in RULES}, bars)
    assert all(fold.rule is None for fold in found.folds)
    assert (found.best is None, found.chosen) == (False, None)
    assert found.none_share == 1.0
    assert np.isnan(found.realised.mean)
    assert found.realised.n == 0


def test_a_small_example_by_hand() -> None:
    """Four weeks of two bars: A earns 10 and 30 a week, then 0 and -8; B the other way round."""
    bars = pd.Series(START + pd.to_timedelta([0, 1, 7, 8, 14, 15, 21, 22, 28], unit="D"))
    a, b = rule_grid(TradeRule(horizon_hours=24.0), rank=("net", "p"))
    early, late = [10, 10, 30, 30], [0, 0, -8, -8]
    trades = {a: table(bars, [*early, *late, 0]), b: table(bars, [*late, *early, 0])}
    # The week before a stretch has not ended a hold and an embargo before it, so three weeks come first.
    found = choose(trades, bars, n_folds=1, first_blocks=3, least_trades=1, embargo_hours=0.0)
    assert [fold.rule for fold in found.folds] == [a]
    fold = found.folds[0]
    assert (fold.start, fold.stop) == (START + pd.Timedelta(days=21), START + pd.Timedelta(days=28))
    assert (fold.promised.mean, fold.promised.worst_mean, fold.promised.n) == (20.0, 10.0, 4)
    assert (fold.realised.mean, fold.realised.n) == (-8.0, 2)
    assert (found.hindsight_rule, found.hindsight.mean) == (None, pytest.approx(np.nan, nan_ok=True))
    # Weeks of A: 10, 30, 0, -8 (mean 8, standard deviation 16.65); of B the same in another order.
    assert found.table["sharpe"].tolist() == pytest.approx([8 / np.std([10, 30, 0, -8], ddof=1)] * 2)
    assert found.chosen == a
    assert found.table["net_bps"].tolist() == [8.0, 8.0]


@pytest.mark.parametrize("fold", [1, 2, 4])
def test_what_ended_after_a_stretch_began_changes_no_choice_up_to_it(fold: int) -> None:
    bars = bars_of(32)
    trades = luck(6, bars, {RULES[2]: 25.0, RULES[5]: 20.0, RULES[9]: 22.0})
    before = choose(trades, bars)
    begins = before.folds[fold].start
    rng = np.random.default_rng(7)
    other = {
        rule: one.assign(
            realised_net_bps=np.where(
                one["exit_time"] >= begins, rng.normal(500.0, 900.0, len(one)), one["realised_net_bps"]
            )
        )
        for rule, one in trades.items()
    }
    after = choose(other, bars)
    assert [one.rule for one in after.folds[: fold + 1]] == [one.rule for one in before.folds[: fold + 1]]
    assert [one.promised for one in after.folds[: fold + 1]] == [one.promised for one in before.folds[: fold + 1]]
    assert all(
        one.realised != other.realised for one, other in zip(after.folds[fold:], before.folds[fold:], strict=True)
    )
    assert after.best_sharpe > before.best_sharpe


def test_a_trade_that_is_still_open_when_a_stretch_begins_is_not_known_to_its_choice() -> None:
    bars = bars_of(12)
    good, bad = RULES[:2]
    noise = np.random.default_rng(1).normal(0.0, 1.0, len(bars))
    trades = {good: table(bars, 5.0 + noise), bad: table(bars, noise - 5.0)}
    # A coin stood still: what was bought in the first week was sold long after, for a fortune.
    trades[good].loc[3, ["exit_time", "realised_net_bps"]] = [START + pd.Timedelta(days=80), 1e6]
    found = choose(trades, bars, n_folds=2, first_blocks=6)
    assert [fold.rule for fold in found.folds] == [good, good]
    # Six weeks less the one whose trades would not all be over a hold and an embargo before, and less that trade.
    assert [fold.promised.n for fold in found.folds] == [5 * 28 - 1, 7 * 28 - 1]
    assert max(fold.promised.mean for fold in found.folds) < 6.0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"first_blocks": 28}, r"span 31 blocks of 168 hours.* 28 before the first of 6 stretches need 34: 3 are"),
        ({"block_hours": 24.0}, "block_hours is 24 and the longest hold 49 hours"),
        ({"n_folds": 0}, "n_folds"),
        ({"least_trades": 0}, "least_trades"),
        ({"embargo_hours": -1.0}, "embargo_hours"),
    ],
)
def test_what_cannot_be_nested_is_refused(changes: dict[str, Any], said: str) -> None:
    bars = bars_of(32)
    with pytest.raises(InputError, match=said):
        choose(luck(1, bars), bars, **changes)


def test_a_rule_takes_one_candidate_a_bar_that_passes_all_it_asks_for(candidates: Callable[..., pd.DataFrame]) -> None:
    rows = candidates(3, share=0.5).assign(day_notional_y_usd=2e6, day_notional_x_usd=1e6, record_share=0.3)
    rows["expected_net_bps"] = rows["expected_gross_bps"] - rows["expected_fee_bps"] - rows["expected_slippage_bps"]
    rule = TradeRule(z_in=2.5, p_max=0.05, max_half_life_hours=12.0, min_tightness=0.5, rank="p")
    taken = rows.iloc[rule.choose(rows)]
    assert taken["signal_time"].is_unique
    passing = rows[
        (rows["zscore"].abs() >= 2.5) & (rows["p_value"] < 0.05) & (rows["half_life_hours"] <= 12.0)
        & rows["y"].isin(["Y0", "Y1", "Y2", "Y3"])
    ]  # fmt: skip
    assert taken["p_value"].tolist() == passing.groupby("signal_time")["p_value"].min().tolist()
    assert len(TradeRule(min_day_notional_usd=1e6).choose(rows)) > 0
    assert len(TradeRule(min_day_notional_usd=1.1e6).choose(rows)) == 0
    assert len(TradeRule(min_record_share=0.31).choose(rows)) == 0
    assert len(TradeRule(min_record_share=0.3).choose(rows)) > 0
    unknown = rows.assign(half_life_hours=np.nan)
    assert len(TradeRule(max_half_life_hours=1e6).choose(unknown)) == 0


def test_rules_refuse_what_cannot_be() -> None:
    with pytest.raises(InputError, match="no field 'z'"):
        rule_grid(z=(1.0,))
    with pytest.raises(InputError, match="z_in has no values"):
        rule_grid(z_in=())
    with pytest.raises(InputError, match="z_out"):
        TradeRule(z_in=1.0, z_out=2.0)
    with pytest.raises(InputError, match="rank"):
        TradeRule(rank="best")  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def walked() -> tuple[pd.DataFrame, Any]:
    panel = market_panel(synthetic_market(3, 16, start="2025-06-01T00:00Z", clock=lambda: 0.0), hours=1500)
    return walk_forward(panel, every=12).rows, panel


def test_rules_trade_as_realise_does_at_their_own_horizon_and_delay(walked: tuple[pd.DataFrame, Any]) -> None:
    rows, panel = walked
    settings, costs = ScreenSettings(), CostModel()
    rules = rule_grid(horizon_hours=(12.0, 48.0), z_in=(2.0, 2.2))
    trades = trades_of_rules(rows, panel, rules=rules, settings=settings, costs=costs, delay_bars=1)
    assert list(trades) == list(rules)
    for rule, told in trades.items():
        own = rule.applied_to(settings)
        alone = realise(rows.iloc[rule.choose(rows)], panel, settings=own, costs=costs, delay_bars=1)
        pd.testing.assert_frame_equal(told[alone.columns], alone)
    with pytest.raises(InputError, match="each once"):
        trades_of_rules(rows, panel, rules=[rules[0], rules[0]], settings=settings, costs=costs)


def test_of_a_walk_forward_the_whole_search_is_made_at_once(walked: tuple[pd.DataFrame, Any]) -> None:
    rows, panel = walked
    found = nested_optimisation(
        rows,
        panel,
        rules=rule_grid(horizon_hours=(12.0, 24.0), z_in=(2.0, 2.5)),
        settings=ScreenSettings(),
        costs=CostModel(),
        rng=np.random.default_rng(1),
        n_folds=2,
        first_blocks=3,
        least_trades=1,
    )
    assert found.n_tried == 4
    assert found.folds[-1].stop + pd.Timedelta(hours=49) <= panel.closed_at
    assert "4 rules tried; out of sample" in str(found)
    with pytest.raises(InputError, match="asks for a record"):
        nested_optimisation(
            rows, panel, rules=[TradeRule(min_record_share=0.2)], settings=ScreenSettings(), costs=CostModel(),
            rng=np.random.default_rng(1),
        )  # fmt: skip
