import re
from html.parser import HTMLParser

import payloads
import pytest

from widgets.markup import below_html, body_html, gauge_html, head_html, masthead_html, notices_html, spark_html
from widgets.view_model import connecting_view, held_view, page_view

VOID = {"br", "img", "input", "meta", "link"}


class Balance(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.tags, self.said = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.said.append(data)


def parsed(html):
    parser = Balance()
    parser.feed(html)
    parser.close()
    assert parser.open == []
    return parser


def whole_page(view):
    html = masthead_html(view) + notices_html(view) + head_html(view) + below_html(view)
    if view.card is not None:
        html += gauge_html(view.card) + spark_html(view.card.sparkline) + body_html(view.card)
    return html


def words(html):
    return re.sub(r"\s+", " ", " ".join(parsed(html).said)).strip()


VIEWS = {
    "qualifies": page_view(payloads.payload()),
    "none": page_view(payloads.none_qualifies()),
    "loading": page_view(payloads.loading()),
    "connecting": connecting_view(),
    "disconnected": held_view(page_view(payloads.payload()), "refused", 2.0),
    "runner": page_view(payloads.payload(), selected="ARB|OP"),
}


@pytest.mark.parametrize("name", VIEWS)
def test_every_face_is_well_formed_html(name):
    assert words(whole_page(VIEWS[name]))


def test_a_hostile_coin_name_is_text_and_nothing_else():
    evil = "<img src=x onerror=alert(1)>\"'&"
    said = payloads.none_qualifies()
    said["runners_up"][0].update(y=evil, misses=[evil])
    said["nearest_miss"].update(x=evil, misses=[evil])
    said["market"].update(name=evil, fallback=evil, label=evil)
    said["verdict"]["text"] = evil
    said["problems"] = [{"source": evil, "since": payloads.iso(payloads.NOW), "text": evil, "retry_in_seconds": None}]
    page = parsed(whole_page(page_view(said)))
    assert "img" not in {tag for tag, _ in page.tags}
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert evil in "".join(page.said)


@pytest.mark.parametrize("name", ["qualifies", "none", "runner"])
def test_every_drawing_has_a_role_and_a_name(name):
    view = VIEWS[name]
    html = gauge_html(view.card) + body_html(view.card)
    drawings = [attributes for tag, attributes in parsed(html).tags if tag == "svg" and "role" in attributes]
    assert [d["role"] for d in drawings] == ["img", "img"]
    assert "z-score" in drawings[0]["aria-label"]
    assert "Net edge" in drawings[1]["aria-label"]


def test_every_region_is_named_by_a_heading_that_exists():
    page = parsed(whole_page(VIEWS["runner"]))
    ids = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    named = {attributes["aria-labelledby"] for _, attributes in page.tags if "aria-labelledby" in attributes}
    assert named
    assert named <= ids


def test_each_runner_up_and_each_carry_pair_is_one_native_button():
    page = parsed(below_html(VIEWS["runner"]))
    buttons = [attributes for tag, attributes in page.tags if tag == "button"]
    assert len(buttons) == 10 + 2
    assert {button["data-action"] for button in buttons} == {"select"}
    assert [b["data-value"] for b in buttons if b["aria-pressed"] == "true"] == ["ARB|OP"]


def test_beside_believed_edges_a_projection_is_called_one():
    said = payloads.payload()
    assert "projected" not in words(below_html(page_view(said)))
    said["verdict"]["calibrated"] = True
    said["runners_up"][0]["believed"] = payloads.believed()
    rows = words(below_html(page_view(said)))
    assert "+10.5 0.0121" in rows
    assert "+11.9 projected 0.0187" in rows


def test_spot_against_its_perpetual_is_shown_in_both_directions_with_what_speaks_against_each():
    said = words(below_html(page_view(payloads.payload())))
    assert "Spot against its perpetual" in said
    assert "UBTC spot / BTC ▲ LONG / ▼ SHORT +9.3 13.6 −4.3 — fees 11.5 + slippage 2.1 bps exceed" in said
    assert "BTC / UBTC spot ▲ LONG / ▼ SHORT −9.3 13.6 −22.9 — spot cannot be sold short" in said
    assert "Spot against" not in words(below_html(page_view(payloads.payload(carry=[]))))


def test_all_that_was_said_stands_beside_what_came_of_it_and_the_model_s_own_history():
    said = words(below_html(page_view(payloads.payload())))
    assert "Can it be believed? Calibrated on 3,204 trades that were over by 2026-11-18." in said
    assert "The 214 that it would have named unseen brought 0.91 ± 0.08 of what was expected of them." in said
    assert "Calibrated answers 100 31 3 12 +22.4 +19.8 −61.5 58%" in said
    assert "Projections taken at their word 100 97 3 12 +412.5 −8.1 −944.0 58%" in said
    nothing = payloads.payload(track_record=None)
    nothing["edge_model"]["history"][0] |= {"choices": 0, "arrived": None, "form": "nothing arrives"}
    said = words(below_html(page_view(nothing)))
    assert "3,204 past trades: nothing of what the screen projects was found to arrive (nothing arrives)." in said
    assert "Said here" not in said


def test_a_chosen_pair_says_that_it_is_not_the_answer_and_offers_the_way_back():
    said = words(head_html(VIEWS["runner"]))
    assert "Runner-up, not the answer" in said
    assert "Back to the answer" in said
    assert "Back to the answer" not in words(head_html(VIEWS["qualifies"]))


def test_the_funnel_reads_as_one_line():
    assert "163 coins → 13,203 pairs → 640 cointegrated (luck alone: 660 or more) → 41 at entry → 0 qualify" in words(
        below_html(VIEWS["none"])
    )


def test_a_fallback_market_is_said_in_its_own_region():
    said = payloads.payload()
    said["market"].update(kind="demo", label="DEMO", fallback="Hyperliquid did not answer.")
    html = notices_html(page_view(said))
    assert "hlp-fallback" in html
    assert "Not the market you asked for: DEMO" in words(html)
    assert notices_html(VIEWS["qualifies"]) == ""


@pytest.mark.parametrize("calibrated", [True, False])
def test_an_uncalibrated_edge_is_tagged_and_explained_in_a_sentence(calibrated):
    said = payloads.payload()
    said["top"]["believed"] = payloads.believed() if calibrated else None
    view = page_view(said)
    assert ("uncalibrated" in words(head_html(view))) is not calibrated
    assert ("Uncalibrated. The edge takes the fitted reversion at its word" in words(head_html(view))) is not calibrated


@pytest.mark.parametrize("name", ["qualifies", "none", "runner"])
def test_no_card_shows_an_uncalibrated_edge_without_the_caveat(name):
    assert "not been checked against what such pairs really earned" in words(head_html(VIEWS[name]))


def test_both_legs_on_one_side_are_called_out():
    view = page_view(payloads.payload(top=payloads.row(same_side=True, side_x="short", beta=-0.4)))
    assert "not market-neutral" in words(head_html(view))


def test_progress_is_a_progress_bar_with_its_numbers():
    (bar,) = [a for _, a in parsed(head_html(VIEWS["loading"])).tags if a.get("role") == "progressbar"]
    assert (bar["aria-valuenow"], bar["aria-valuemax"]) == ("142", "187")


@pytest.mark.parametrize("z", [-30.0, -4.0, 0.0, 4.0, 30.0, None])
def test_marks_never_leave_the_gauge(z):
    html = gauge_html(page_view(payloads.payload(top=payloads.row(zscore=z, sparkline=payloads.sparkline(0.0)))).card)
    places = [float(place) for place in re.findall(r'(?:x|x1|x2)="(-?[\d.]+)%"', html)]
    assert places
    assert all(0 <= place <= 100 for place in places)


@pytest.mark.parametrize("net", [37.02, -25.0])
def test_bars_never_leave_the_waterfall(net):
    card = page_view(payloads.payload(top=payloads.row(gross_bps=net + 14.28, net_edge_bps=net))).card
    html = body_html(card)
    bars = re.findall(r'x="([\d.]+)%" width="([\d.]+)%"', html)
    assert len(bars) == 5
    assert all(float(x) >= 0 and float(x) + float(width) <= 100.1 for x, width in bars)
