from itertools import pairwise

import payloads
import pytest

from widgets.card_view import card_view, pair_key

SETTINGS = payloads.payload()["settings"]


def view(**changes):
    role = changes.pop("role", "answer")
    return card_view(payloads.row(**changes), SETTINGS, role=role)


def test_each_leg_says_its_side_in_word_and_shape_with_its_own_notional():
    first, second = view().legs
    assert (first.shape, first.word, first.coin, first.notional) == ("▼", "SHORT", "AAVE", "$5,162")
    assert (second.shape, second.word, second.coin, second.notional) == ("▲", "LONG", "LINK", "$4,838")


def test_the_edge_is_in_basis_points_and_dollars_with_its_sign():
    card = view(net_edge_bps=-4.26, net_edge_usd=-4.26)
    assert (card.edge, card.edge_usd, card.edge_kind) == ("−4.3", "−$4.26", "loss")
    assert view().edge_context == "on $10,000 gross, held 9.4 h"


def test_costs_fall_from_the_reversion_to_the_net_edge():
    steps = view().steps
    assert [step.label for step in steps] == ["Reversion", "Fees", "Slippage", "Funding", "Net edge"]
    assert [step.value for step in steps] == ["+51.3", "−9.0", "−6.1", "+0.9", "+37.0"]
    for before, after in pairwise(steps[1:4]):
        assert after.start == pytest.approx(before.stop)
    assert (steps[0].start, steps[0].stop, steps[1].start) == (0.0, 51.3, 51.3)
    assert steps[3].stop == pytest.approx(51.3 - 9.0 - 6.14 + 0.86)
    assert [step.kind for step in steps] == ["total", "cost", "cost", "gain", "net"]


def test_a_cost_that_is_unknown_breaks_the_fall_and_shows_a_dash():
    steps = view(slippage_bps=None, net_edge_bps=None).steps
    assert [step.value for step in steps] == ["+51.3", "−9.0", "—", "+0.9", "—"]
    assert steps[2].stop is None
    assert steps[3].start is None
    assert steps[4].stop is None


@pytest.mark.parametrize(("source", "note"), [("book", "from the order book"), ("model", "from the model")])
def test_the_source_of_the_slippage_is_named(source, note):
    assert view(slippage_source=source).steps[2].note == note


def test_every_fact_has_its_unit():
    facts = {fact.label: fact.value for fact in view().facts}
    assert facts == {
        "Hedge ratio β": "0.937",
        "Half-life": "6.4 h",
        "Expected hold": "9.4 h",
        "p value": "0.0031",
        "q value": "0.1874",
        "Correlation": "+0.81",
        "Funding": "+0.09 bps/h",
        "Capacity": "$182,400",
        "Pays up to": "$310,000",
        "Break-even |z|": "1.12",
        "Resting orders": "+51.0 bps, 7% unfilled",
        "Capital": "$10,000",
        "Liquidation": "+95% / −100%",
    }


def test_what_is_unknown_is_a_dash_everywhere():
    card = view(
        zscore=None, half_life_hours=None, hold_hours=None, gross_bps=None, slippage_bps=None, funding_bps=None,
        funding_bps_per_hour=None, net_edge_bps=None, net_edge_usd=None, signal_net_edge_bps=None,
        capacity_usd=None, mark_state="unknown",
    )  # fmt: skip
    assert (card.edge, card.edge_usd, card.edge_kind, card.axis.value) == ("—", "—", "unknown", "—")
    unknown = {fact.label for fact in card.facts if fact.value == "—"}
    assert unknown == {"Half-life", "Expected hold", "Funding", "Capacity", "Resting orders"}
    assert card.axis.state == "no mid price for a leg"


@pytest.mark.parametrize(("z", "limit"), [(2.4, 4.0), (-3.5, 4.0), (3.8, 5.0), (-6.2, 6.0), (40.0, 6.0)])
def test_the_scale_of_z_stands_still_until_z_outgrows_it_and_never_crowds_the_thresholds(z, limit):
    assert view(zscore=z).axis.limit == limit


def test_the_sparkline_is_summed_up_in_words():
    line = {"t": ["2026-11-20T13:30:00Z", "2026-11-20T13:37:00Z", "2026-11-20T13:45:00Z"], "z": [2.0, 3.1, 2.4]}
    assert view(sparkline=line).sparkline.summary == "+2.00 → +2.40, low +2.00, high +3.10"


def test_a_young_sparkline_says_so():
    line = {"t": ["2026-11-20T13:30:00Z"], "z": [2.0]}
    assert view(sparkline=line).sparkline.summary == "The first minutes are being collected."


def test_a_sparkline_of_unequal_lengths_is_refused():
    with pytest.raises(ValueError, match="zip"):
        view(sparkline={"t": ["2026-11-20T13:30:00Z"], "z": [1.0, 2.0]})


def test_a_side_that_is_neither_is_refused():
    with pytest.raises(ValueError, match="side_y must be long or short, got 'flat'"):
        view(side_y="flat")


def test_a_pair_keeps_its_name_when_the_regression_turns_round():
    assert pair_key(payloads.row("AAVE", "LINK")) == pair_key(payloads.row("LINK", "AAVE"))


def test_a_believed_edge_goes_before_the_projection_with_its_bound_and_the_fall_ends_there():
    card = view(believed=payloads.believed())
    assert (card.edge, card.edge_usd, card.signal_edge) == ("+10.5", "+$10.51", "+12.6")
    assert card.bound == "above +3.4 bps with 90 %"
    assert card.calibrated
    assert [step.value for step in card.steps] == ["+25.6", "−9.0", "−6.1", "0.0", "+10.5"]
    assert card.steps[0].note == "50% of 51 bps"
    assert card.steps[3].note == "0.0% of 0.9 bps", (
        "the fall shows what is counted on, a fact beside it the rate of now"
    )
    assert card.steps[-2].stop == pytest.approx(card.steps[-1].stop)


def test_the_risk_of_one_trade_stands_beside_a_believed_mean():
    facts = {fact.label: fact.value for fact in view(believed=payloads.believed()).facts}
    assert facts["One trade, 90 %"] == "−48.2 to +66.1"
    assert facts["Chance of a gain"] == "63%"
    assert facts["Worst 5 %, mean"] == "−71.9"
    assert facts["Deviation"] == "36.4"
    assert "Worst 5 %, mean" not in {fact.label for fact in view().facts}


def test_where_nothing_was_learned_the_bound_says_so():
    nothing = payloads.believed(lower_net_bps=None, mean_net_bps=-15.1, gross_share=0.0)
    card = view(believed=nothing)
    assert card.bound == "no bound: nothing has been learned that would give one"
    assert card.edge_kind == "loss"
    assert card.steps[0].value == "0.0"


def test_what_the_trade_ties_up_and_what_ends_it_stand_beside_the_edge():
    facts = {fact.label: fact.value for fact in view().facts}
    assert facts["Resting orders"] == f"+{37.02 + 9.0 + 6.14 - 1.2:.1f} bps, 7% unfilled"
    carried = {fact.label: fact.value for fact in view(margin_usd=5_000.0).facts}
    assert carried["Capital"] == "$10,000, margin $5,000"
    unknown = {fact.label: fact.value for fact in view(maker_cost_bps=None, liquidation_distance_x=None).facts}
    assert unknown["Resting orders"] == "—"
    assert unknown["Liquidation"] == "+95% / —"


def test_a_card_of_spot_says_nothing_that_only_a_test_has():
    long, short = (card_view(row, SETTINGS, role="runner") for row in payloads.carry())
    assert (long.legs[0].coin, long.legs[1].coin) == ("UBTC spot", "BTC")
    assert (short.legs[0].coin, short.legs[1].coin) == ("BTC", "UBTC spot")
    assert long.key != short.key
    facts = {fact.label: fact.value for fact in long.facts}
    assert set(facts) == {"Expected hold", "Funding", "Capacity", "Capital", "Liquidation"}
    assert facts["Liquidation"] == "never / +98%"
    assert facts["Capital"] == "$10,000, margin $5,000"
    assert {fact.label: fact.value for fact in short.facts}["Liquidation"] == "−100% / —"
    assert [step.label for step in long.steps] == ["Basis", "Fees", "Slippage", "Funding", "Net edge"]
    assert [step.value for step in long.steps] == ["0.0", "−11.5", "−2.1", "+9.3", "−4.3"]
    assert long.steps[3].note == "projected, over the hold"
    assert long.axis.state == "spot is held for its funding, whatever the prices do"
