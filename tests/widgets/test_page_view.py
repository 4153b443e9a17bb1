import copy

import payloads
import pytest

from widgets.card_view import pair_key
from widgets.view_model import connecting_view, held_view, page_view, wrong_view

ARB = pair_key({"y": "ARB", "x": "OP", "spot_leg": ""})


def test_a_qualifying_pair_is_the_answer():
    view = page_view(payloads.payload())
    assert (view.face, view.card.role, view.headline) == ("qualifies", "answer", "")
    assert view.context == "Selected at the 13:00 UTC close of the 1h bar, 45 min ago. Last quote 13:45:02 UTC."


@pytest.mark.parametrize("kind", ["demo", "replay"])
def test_where_the_market_has_a_clock_of_its_own_each_time_says_whose_it_is(kind):
    said = payloads.payload()
    said["market"]["kind"] = kind
    assert page_view(said).context == (
        "Selected at the 13:00 UTC close of the 1h bar, 45 min ago in market time. "
        "Last quote 13:45:02 UTC in real time."
    )


def test_the_verdict_says_that_its_numbers_are_those_of_the_close():
    assert page_view(payloads.payload()).verdict.startswith("At the 13:00 UTC close: AAVE / LINK qualifies")
    assert page_view(payloads.none_qualifies()).verdict.startswith("At the 13:00 UTC close: Of 13,203 pairs")
    assert page_view(payloads.loading()).verdict == "Fetching two weeks of hourly candles."


def test_a_runner_up_that_qualifies_too_says_with_how_much_it_came_behind():
    said = payloads.payload()
    said["runners_up"][0].update(qualifies=True, misses=[], signal_net_edge_bps=19.54)
    assert page_view(said).runners[0].why == "Qualifies too: +19.5 bps at the bar’s close."


def test_without_one_the_page_says_so_and_shows_what_sinks_the_nearest_miss():
    view = page_view(payloads.none_qualifies())
    assert (view.face, view.headline, view.card.role) == ("none", "No pair qualifies now", "nearest")
    assert view.card.misses[0].startswith("q = 0.187 is above 0.05")


def test_with_nothing_near_there_is_only_the_verdict():
    view = page_view(payloads.payload(top=None, runners_up=[]))
    assert (view.face, view.card, view.headline) == ("none", None, "No pair qualifies now")


def test_an_answer_from_before_the_model_says_that_the_model_does_not_count_yet():
    """A model is fitted within a bar: until the next one the page shows both."""
    said = "The 13:00 UTC close was screened before there was this model: it counts from the next one on."
    before = {"qualifies": True, "text": "Short AAVE, long LINK.", "calibrated": False}
    assert page_view(payloads.payload(verdict=before)).belief[-1] == said
    assert said not in page_view(payloads.payload(verdict={**before, "calibrated": True})).belief
    none = {"stage": "waiting", "text": "No model yet.", "done": 0, "total": 0, "fitted_at": None, "history": []}
    assert page_view(payloads.payload(verdict=before, edge_model=none)).belief == ("No model yet.",)


def test_a_projection_of_spot_is_told_from_the_believed_edges_beside_it():
    long, short = payloads.carry()
    rows = [{**long, "believed": payloads.believed()}, short]
    calibrated = {"qualifies": True, "text": "Short AAVE, long LINK.", "calibrated": True}
    view = page_view(payloads.payload(carry=rows, verdict=calibrated))
    assert [row.edge_note for row in view.carry] == ["", "projected"]
    alone = page_view(payloads.payload(verdict={**calibrated, "calibrated": False}))
    assert [row.edge_note for row in alone.carry] == ["", ""]


def test_loading_shows_how_far_it_has_come():
    view = page_view(payloads.loading())
    assert (view.face, view.progress.done, view.progress.total) == ("loading", 142, 187)
    assert view.progress.text == "142 of 187 coins"


@pytest.mark.parametrize(("phase", "face"), [("empty", "empty"), ("error", "error")])
def test_other_phases_have_a_face_and_no_card(phase, face):
    view = page_view(payloads.payload(phase=phase))
    assert (view.face, view.card) == (face, None)
    assert view.headline


@pytest.mark.parametrize(("age", "face"), [(9.9, "qualifies"), (10.0, "stale"), (34.0, "stale")])
def test_ten_seconds_of_silence_are_stale(age, face):
    view = page_view(payloads.payload(message_age_seconds=age))
    assert view.face == face
    assert any(notice.title == "Stale" for notice in view.notices) == (face == "stale")


@pytest.mark.parametrize(
    ("market", "label", "shape"),
    [
        ({"kind": "live", "label": "LIVE"}, "LIVE", "●"),
        ({"kind": "replay", "label": "REPLAY", "speed": 60.0}, "REPLAY 60×", "▶"),
        ({"kind": "demo", "label": "DEMO"}, "DEMO", "◆"),
        ({"kind": "demo", "label": "DEMO", "speed": 60.0}, "DEMO 60×", "◆"),
        ({"kind": "unverified", "label": "UNVERIFIED"}, "UNVERIFIED", "▲"),
    ],
)
def test_the_market_is_named_in_word_and_shape(market, label, shape):
    said = payloads.payload()
    said["market"].update(market)
    view = page_view(said)
    assert (view.market.label, view.market.shape) == (label, shape)
    assert bool(view.market.clock) == (market["kind"] != "live")


@pytest.mark.parametrize("text", ["429", "429."])
def test_a_problem_says_since_when_and_when_it_is_tried_again(text):
    problem = {"source": "exchange", "since": payloads.iso(payloads.NOW), "text": text, "retry_in_seconds": 8.0}
    (notice,) = page_view(payloads.payload(problems=[problem])).notices
    assert notice.title == "Problem with the exchange since 13:45:02 UTC"
    assert notice.text == "429. Trying again in 8 s."


def test_the_best_test_of_a_bar_stands_beside_what_luck_alone_gives():
    funnel = page_view(payloads.none_qualifies()).funnel
    assert funnel.luck_of_best == (
        "The best test of this bar has t = −5.88. Among as many pairs that only move alike, none of them cointegrated, "
        "the best one looks as good 39% of the time (500 null screens)."
    )


def test_nothing_is_said_of_luck_before_the_null_screens_are_drawn():
    funnel = page_view(payloads.payload(luck=None)).funnel
    assert funnel.luck_of_best == ""


def test_the_funnel_names_what_luck_alone_would_pass():
    funnel = page_view(payloads.none_qualifies()).funnel
    assert funnel.steps == (
        ("163", "coins"), ("13,203", "pairs"), ("640", "cointegrated"), ("41", "at entry"), ("0", "qualify"),
    )  # fmt: skip
    assert funnel.luck == "luck alone: 660 or more"


def test_the_ten_runners_up_have_sides_numbers_and_a_reason():
    view = page_view(payloads.payload())
    assert len(view.runners) == 10
    arb = next(row for row in view.runners if row.key == ARB)
    assert (arb.pair, arb.sides, arb.z, arb.edge) == ("ARB / OP", "▲ LONG / ▼ SHORT", "−1.74", "+6.2")
    assert (arb.p_value, arb.half_life) == ("0.0034", "10.2 h")
    assert arb.why == "|z| = 1.74 is inside the entry of 2.0"


def test_the_nearest_miss_is_not_listed_twice():
    said = payloads.none_qualifies()
    said["runners_up"].insert(0, said["nearest_miss"])
    keys = [row.key for row in page_view(said).runners]
    assert pair_key(said["nearest_miss"]) not in keys


def test_a_chosen_runner_up_is_shown_and_called_one():
    view = page_view(payloads.payload(), selected=ARB)
    assert (view.card.role, view.card.key) == ("runner", ARB)
    assert [row.key for row in view.runners if row.shown] == [ARB]


def test_the_choice_follows_the_pair_when_the_order_and_the_direction_change():
    said = payloads.payload()
    said["runners_up"].reverse()
    row = next(row for row in said["runners_up"] if row["y"] == "ARB")
    row["y"], row["x"] = "OP", "ARB"
    assert page_view(said, selected=ARB).card.legs[0].coin == "OP"


def test_a_chosen_pair_that_disappears_gives_way_to_the_answer_with_a_notice():
    said = payloads.payload()
    said["runners_up"] = [row for row in said["runners_up"] if row["y"] != "ARB"]
    view = page_view(said, selected=ARB)
    assert (view.card.role, view.selection_lost) == ("answer", True)
    assert any(notice.title == "Back to the answer" for notice in view.notices)


def test_a_chosen_pair_that_becomes_the_answer_is_simply_the_answer():
    said = payloads.payload(top=payloads.row("ARB", "OP"))
    view = page_view(said, selected=ARB)
    assert (view.card.role, view.selection_lost) == ("answer", False)


def leaves(node, path=()):
    if isinstance(node, dict):
        for key, value in node.items():
            yield from leaves(value, (*path, key))
    elif isinstance(node, list) and node and not isinstance(node[0], float | str):
        yield from leaves(node[0], (*path, 0))
    else:
        yield path


_UNREAD = {
    "baseA", "baseB", "sideA", "sideB", "beta", "zscore", "expected_edge_bps", "funding_bps_h", "fee_bps",
    "slippage_bps", "spreadSparkline", "loading",
}  # fmt: skip
_UNREAD_BELOW = {
    "address", "refit_seconds", "coins", "time", "coins_listed", "pairs_dependent", "pairs_positive_edge", "qualifies",
    "stage", "done", "total", "fitted_at", "carry_pairs", "carry_qualifying",
}  # fmt: skip
_UNREAD_OF_SPOT = {
    "beta", "p_value", "q_value", "correlation", "half_life_hours", "break_even_z", "largest_size_usd",
    "maker_cost_bps", "maker_unfilled",
}  # fmt: skip
_UNREAD_OF_RECORD = {
    "as_of", "abstained", "marked", "unknown", "early", "weeks", "slope", "slope_low", "slope_high", "first_closed_at",
}  # fmt: skip
_READ = [
    path
    for path in leaves(payloads.payload())
    if not (
        path[0] in _UNREAD
        or path[-1] in _UNREAD_BELOW
        or path == ("bar", "pairs")
        or (path[0] == "carry" and path[-1] in _UNREAD_OF_SPOT)
        or (path[0] != "carry" and path[-1] == "spot_token")
        or (path[0] == "track_record" and (path[-1] in _UNREAD_OF_RECORD or "every" in path))
    )
]


@pytest.mark.parametrize("path", _READ, ids=lambda path: ".".join(map(str, path)))
def test_a_missing_field_is_an_error_and_not_a_guess(path):
    said = copy.deepcopy(payloads.payload())
    node = said
    for key in path[:-1]:
        node = node[key]
    del node[path[-1]]
    # What only the card of a runner-up shows is read when it is chosen.
    chosen = pair_key(payloads.payload()[path[0]][0]) if path[0] in ("runners_up", "carry") else None
    with pytest.raises((KeyError, TypeError, ValueError)):
        page_view(said, selected=chosen)


def test_before_the_first_answer_an_outage_is_a_face_of_its_own():
    view = held_view(connecting_view(), "refused", 4.0)
    assert (view.face, view.card, view.headline) == ("disconnected", None, "The engine does not answer")
    assert view.notices[0].details == "refused"


def test_after_it_the_last_card_stays_and_is_marked():
    last = page_view(payloads.payload())
    view = held_view(last, "refused", 4.0)
    assert (view.face, view.card) == ("disconnected", last.card)
    assert "not being updated" in view.notices[0].text


def test_an_answer_that_cannot_be_read_keeps_the_last_card_and_says_why():
    last = page_view(payloads.payload())
    view = wrong_view(last, "KeyError: 'z'")
    assert (view.face, view.card, view.notices[0].details) == ("error", last.card, "KeyError: 'z'")
    assert wrong_view(connecting_view(), "x").headline == "The engine's answer cannot be read"


@pytest.mark.parametrize(("kind", "said"), [("demo", "all made up"), ("replay", "order books are made up")])
def test_a_simulated_market_says_what_of_it_is_made_up(kind, said):
    payload = payloads.payload()
    payload["market"]["kind"] = kind
    assert said in page_view(payload).footnotes[0]
    payload["market"]["kind"] = "live"
    assert not any("made up" in note for note in page_view(payload).footnotes)
