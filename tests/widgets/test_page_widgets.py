import asyncio
import threading

import payloads
import pytest

from hlpairs_core.exceptions import EngineError, EngineUnreachable, InputError
from widgets import TopPairPage, top_pair_page


class Script:
    """A client that yields what it is told; an exception among the answers is raised."""

    def __init__(self):
        self.said = asyncio.Queue()
        self.closed = 0

    def say(self, answer):
        self.said.put_nowait(answer)

    async def subscribe(self):
        while True:
            answer = await self.said.get()
            if isinstance(answer, Exception):
                raise answer
            yield answer

    def close(self):
        self.closed += 1


class Clock:
    """Time that passes only by sleeping; whoever sleeps lets the others go first."""

    def __init__(self):
        self.now, self.slept = 1000.0, []

    def __call__(self):
        return self.now

    async def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0.001)


async def until(condition):
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it never came true")


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def page(clock):
    client = Script()
    made = TopPairPage(lambda: client, clock=clock, sleep=clock.sleep)
    made.client = client
    made.start()
    yield made
    made.close()


def html(page):
    layout = page._layout
    return "".join(
        part.html for part in (layout.masthead, layout.notices, layout.head, layout.gauge, layout.body, layout.below)
    )


async def test_the_page_is_there_before_the_first_answer(page):
    assert "Connecting to the engine" in html(page)


async def test_an_answer_moves_traits_and_never_the_tree(page):
    layout = page._layout
    before = list(page.root.children), list(layout.card.children), list(layout.chart.figure.marks)
    page.client.say(payloads.payload())
    await until(lambda: page.view.face == "qualifies")
    page.client.say(payloads.payload(top=payloads.row("LTC", "ETH")))
    await until(lambda: "LTC" in html(page))
    assert (list(page.root.children), list(layout.card.children), list(layout.chart.figure.marks)) == before
    assert 'tabindex="-1">LTC <span>/</span> ETH</h2>' in layout.head.html


async def test_answers_are_coalesced_to_the_newest(page, clock):
    drawn = []
    page._layout.head.observe(lambda change: drawn.append(change["new"]), "html")
    for number in range(40):
        page.client.say(payloads.payload(top=payloads.row(f"C{number}", "LINK")))
    await until(lambda: "C39" in html(page))
    assert len(drawn) < 10
    assert 0.5 in clock.slept


async def test_the_stamp_carries_the_age_that_the_message_had(page):
    page.client.say(payloads.payload(message_age_seconds=3.5))
    await until(lambda: page._layout.chip.stamp["age"] is not None)
    assert page._layout.chip.stamp["age"] >= 3.5


async def test_the_page_beats_while_it_lives(page):
    await until(lambda: page._layout.chip.beat > 3)


@pytest.mark.parametrize(
    "broken",
    [{}, {"phase": "ready"}, [], "nonsense", None, 7, payloads.payload(top={"y": "A"}), payloads.payload(phase="??")],
    ids=["empty", "partial", "list", "text", "null", "number", "half-a-row", "unknown-phase"],
)
async def test_a_broken_answer_shows_an_error_and_the_next_good_one_heals_it(page, broken):
    page.client.say(payloads.payload())
    await until(lambda: page.view.face == "qualifies")
    stamp = page._layout.chip.stamp
    page.client.say(broken)
    await until(lambda: page.view.face == "error")
    assert "cannot be read" in html(page)
    assert "AAVE" in page._layout.head.html
    assert page._layout.chip.stamp == stamp
    page.client.say(payloads.payload())
    await until(lambda: page.view.face == "qualifies")


@pytest.mark.parametrize("error", [EngineUnreachable("refused"), EngineError("403"), RuntimeError("boom")])
async def test_an_outage_keeps_the_last_card_and_the_page_comes_back_by_itself(page, error):
    page.client.say(payloads.payload())
    await until(lambda: page.view.face == "qualifies")
    page.client.say(error)
    await until(lambda: page.view.face == "disconnected")
    assert "AAVE" in page._layout.head.html
    assert str(error) in html(page)
    page.client.say(payloads.none_qualifies())
    await until(lambda: page.view.face == "none")


async def test_retries_wait_longer_each_time_but_not_for_ever(clock):
    tried = []

    def connect():
        tried.append(clock())
        raise EngineUnreachable("nobody there")

    page = TopPairPage(connect, clock=clock, sleep=clock.sleep, beat_seconds=0.0, draw_seconds=0.0)
    page.start()
    await until(lambda: len(tried) > 7)
    page.close()
    waits = [seconds for seconds in clock.slept if seconds]
    assert waits[:7] == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0, 10.0]


async def test_a_click_on_a_runner_up_shows_it_and_back_returns(page):
    page.client.say(payloads.payload())
    await until(lambda: page.view.face == "qualifies")
    click = page._layout.below._handle_custom_msg
    threading.Thread(target=click, args=({"action": "select", "value": "ARB|OP"}, [])).start()
    await until(lambda: page.view.card.role == "runner")
    page.client.say(payloads.payload(message_age_seconds=1.5))
    await until(lambda: page.view.message_age == 1.5)
    assert page.view.card.key == "ARB|OP"
    page._layout.head._handle_custom_msg({"action": "back", "value": ""}, [])
    await until(lambda: page.view.card.role == "answer")


@pytest.mark.parametrize(
    "content",
    [{"action": "select", "value": "EVIL|PAIR"}, {"action": "rm"}, {"action": ["select"], "value": 3}, "text", None],
)
async def test_a_forged_click_changes_nothing(page, content):
    page.client.say(payloads.payload())
    await until(lambda: page.view.face == "qualifies")
    page._layout.below._handle_custom_msg(content, [])
    page.client.say(payloads.payload(message_age_seconds=1.5))
    await until(lambda: page.view.message_age == 1.5)
    assert page.view.card.role == "answer"


async def test_the_notice_of_a_lost_pair_goes_after_half_a_minute(page):
    page.client.say(payloads.payload())
    await until(lambda: page.view.face == "qualifies")
    page._act("select", "ARB|OP")
    said = payloads.payload()
    said["runners_up"] = said["runners_up"][:2]
    page.client.say(said)
    await until(lambda: page.view.selection_lost)
    assert "no longer a candidate" in html(page)
    page._clock.now += 31
    page.client.say(said)
    await until(lambda: page._selected is None)
    page.client.say(said)
    await until(lambda: "no longer a candidate" not in html(page))


async def test_a_hidden_page_is_not_redrawn_until_it_is_seen_again(page):
    page.client.say(payloads.payload())
    await until(lambda: page.view.face == "qualifies")
    page._layout.chip.visible = False
    page.client.say(payloads.none_qualifies())
    await until(lambda: page.view.face == "none")
    assert "No pair qualifies" not in html(page)
    page._layout.chip.visible = True
    await until(lambda: "No pair qualifies" in html(page))


async def test_closing_twice_is_closing_once(page):
    page.close()
    page.close()
    assert page.root.comm is None
    with pytest.raises(InputError, match="this page is closed"):
        page.start()
    await until(lambda: page._task.cancelled())


async def test_a_client_of_its_own_is_closed_and_one_that_was_handed_over_is_not():
    for owns in (True, False):
        client = Script()
        page = TopPairPage(lambda client=client: client, owns_client=owns)
        page.start()
        client.say(EngineUnreachable("gone"))
        await until(lambda page=page: page.view.face == "disconnected")
        page.close()
        assert bool(client.closed) is owns


async def test_calling_the_entry_again_closes_the_page_before():
    first = top_pair_page(Script())
    second = top_pair_page(Script())
    assert first._closed
    assert not second._closed
    assert "application/vnd.jupyter.widget-view+json" in second._repr_mimebundle_()
    second.close()


def test_outside_a_notebook_it_says_what_to_do():
    with pytest.raises(InputError, match="call it in a notebook"):
        top_pair_page(Script())
