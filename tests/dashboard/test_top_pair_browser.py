import json
import os
import shutil
import signal
import sys
from collections.abc import Iterator

import payloads
import pytest
from dashboard_process import run_dashboard, wait_until

playwright_api = pytest.importorskip("playwright.sync_api")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
]  # fmt: skip

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium found (chromium, chromium-browser, google-chrome)"),
    pytest.mark.skipif(sys.platform != "linux", reason="finds the kernels in /proc"),
]


class Visit:
    """A tab on the dashboard that notes every complaint and every request to another machine."""

    def __init__(self, browser, dashboard, *, query="", width=1440, theme="light"):
        self.context = browser.new_context(viewport={"width": width, "height": 1000}, color_scheme=theme)
        self.page = self.context.new_page()
        self.dashboard, self.complaints = dashboard, []
        self.page.clock.install()
        self.page.on("console", lambda said: said.type == "error" and self.complaints.append(said.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._check)
        before = set(dashboard.kernels())
        self.page.goto(dashboard.url + query, wait_until="commit")
        self.page.wait_for_selector(".hlp-page .hlp-head", timeout=60_000)
        (self.kernel,) = set(dashboard.kernels()) - before

    def _check(self, request):
        if not request.url.startswith((self.dashboard.url, "data:", "blob:")):
            self.complaints.append(f"request to {request.url}")

    def text(self, selector):
        return self.page.inner_text(selector)

    def shows(self, selector, words):
        try:
            self.page.locator(selector, has_text=words).first.wait_for(timeout=30_000)
        except playwright_api.TimeoutError as error:
            seen = self.page.inner_text("body")[:600]
            log = self.dashboard.log.read_text()
            raise AssertionError(f"no {words!r} in {selector}: {seen!r} {self.complaints} {log}") from error

    def redrawn(self):
        """Wait until the page shows a newer answer than now."""
        self.page.wait_for_function(
            "before => document.querySelector('.hlp-context').textContent !== before", arg=self.text(".hlp-context")
        )

    def leave(self):
        """Go as a reader goes, so that the kernel ends."""
        self.page.goto("about:blank")
        self.context.close()

    def fits(self, width):
        self.page.set_viewport_size({"width": width, "height": 900})
        assert self.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]") == [width, width]


def live(now):
    said = payloads.payload(now=now)
    z = round(2.4 + (now.timestamp() * 0.37) % 0.3, 4)
    said["top"].update(zscore=z, sparkline=payloads.sparkline(z, now=now))
    return said


@pytest.fixture(scope="module")
def browser() -> Iterator:
    # Ends with this module: while it lives, Playwright keeps an event loop running in this thread.
    with playwright_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def shared_visit(browser, engine, dashboard):
    engine.say = live
    visit = Visit(browser, dashboard)
    yield visit
    visit.leave()


@pytest.fixture
def visit(shared_visit, engine):
    """The tab that all tests share, back on the answer; what it complains of, from its start on, is a failure."""
    engine.say = live
    engine.come_back()
    shared_visit.page.set_viewport_size({"width": 1440, "height": 1000})
    shared_visit.shows(".hlp-face-qualifies #hlp-pair", "AAVE / LINK")
    yield shared_visit
    complaints = shared_visit.complaints.copy()
    shared_visit.complaints.clear()
    assert complaints == []


def test_the_card_shows_the_answer_and_moves(visit):
    assert visit.text("#hlp-pair") == "AAVE / LINK"
    assert visit.page.title() == "hlpairs – top pair"
    first = visit.text(".hlp-z-value b")
    visit.page.wait_for_function("before => document.querySelector('.hlp-z-value b').textContent !== before", arg=first)
    assert visit.page.locator(".hlp-chip[data-state='fresh']").count() == 1


def test_the_chart_is_a_named_image_on_a_utc_axis(visit):
    chart = visit.page.locator(".hlp-spark svg[role=img]").first
    chart.wait_for()
    assert "z of the last 15 minutes: " in chart.get_attribute("aria-label")
    assert visit.page.locator(".hlp-spark .tick text", has_text=":").count() >= 2


def test_a_runner_up_is_one_key_press_away_and_so_is_the_way_back(visit):
    button = visit.page.get_by_role("button", name="ARB / OP")
    button.focus()
    visit.page.keyboard.press("Enter")
    visit.shows(".hlp-role", "Runner-up, not the answer")
    assert visit.text("#hlp-pair") == "ARB / OP"
    visit.redrawn()
    assert visit.text("#hlp-pair") == "ARB / OP"
    assert visit.page.evaluate("document.activeElement.textContent") == "ARB / OP"
    visit.page.get_by_role("button", name="Back to the answer").press("Enter")
    visit.shows("#hlp-pair", "AAVE / LINK")
    assert visit.page.evaluate("document.activeElement.id") == "hlp-pair"


def test_a_pair_chosen_at_the_foot_of_a_phone_s_page_comes_into_view(visit):
    visit.page.set_viewport_size({"width": 390, "height": 844})
    visit.page.get_by_role("button", name="MKR / SNX").click()
    visit.shows("#hlp-pair", "MKR / SNX")
    visit.page.wait_for_function(
        "() => { const at = document.querySelector('#hlp-pair').getBoundingClientRect(); "
        "return at.top >= 0 && at.bottom <= window.innerHeight; }"
    )
    visit.page.get_by_role("button", name="Back to the answer").click()
    visit.shows("#hlp-pair", "AAVE / LINK")


def test_an_answer_that_arrives_while_the_browser_builds_the_page_is_not_lost(browser, engine, dashboard):
    engine.say = lambda now: None
    context = browser.new_context()
    page = context.new_page()
    sockets, held, released = [], [], []

    def hold(route):
        # Once the kernel's socket is open the widgets' states are known; these modules are what they then wait for.
        if sockets and not released:
            held.append(route)
        else:
            route.continue_()

    page.on("websocket", lambda socket: sockets.append(socket))
    page.route("**/labextensions/bqplot/static/*", hold)
    page.goto(dashboard.url, wait_until="commit")
    while not held:
        page.wait_for_timeout(20)
    with sockets[0].expect_event("framereceived", lambda frame: b"hlp-face-qualifies" in frame):
        engine.say = lambda now: payloads.payload()
    released.append(True)
    for route in held:
        route.continue_()
    page.locator(".hlp-face-qualifies #hlp-pair", has_text="AAVE").wait_for()
    page.goto("about:blank")
    context.close()


@pytest.mark.parametrize(
    ("say", "face", "words"),
    [
        (payloads.none_qualifies, "none", "No pair qualifies now"),
        (payloads.loading, "loading", "142 of 187 coins"),
        (lambda now: payloads.payload(now=now, phase="empty", top=None), "empty", "No coin passes"),
        (lambda now: payloads.payload(now=now, phase="error", top=None), "error", "cannot answer"),
        (lambda now: payloads.payload(now=now, message_age_seconds=34.0), "stale", "AAVE"),
        (lambda now: {"phase": "ready"}, "error", "AAVE"),
    ],
    ids=["none", "loading", "empty", "error", "stale", "malformed"],
)
def test_every_face_fits_a_phone_and_a_desk(visit, engine, say, face, words):
    engine.say = say
    visit.shows(f".hlp-face-{face}", words)
    visit.fits(390)
    visit.fits(1440)


def wide(now):
    said = payloads.payload(
        now=now,
        top=payloads.row(
            "ABCDEFGHIJKLMNOPQRST", "<b>WWWWWWWWWWWWWWWW", now=now, side_x="short", same_side=True, beta=-1e-5,
            net_edge_bps=-98_765_432.1, net_edge_usd=-1e300, gross_bps=1e9, slippage_bps=1.1e9, capacity_usd=1e11,
        ),
    )  # fmt: skip
    for row in said["runners_up"]:
        row.update(y="ABCDEFGHIJKLMNOPQR" + row["y"], x="W" * 20, net_edge_bps=-1_234_567.8, misses=["x" * 300])
    said["market"].update(name="n" * 80, fallback="f" * 300)
    said["verdict"]["text"] = "v" * 300
    return said


@pytest.mark.parametrize("width", [390, 768, 1440])
def test_long_names_and_huge_numbers_stay_on_the_page(visit, engine, width):
    engine.say = wide
    visit.shows("#hlp-pair", "ABCDEFGHIJKLMNOPQRST / <b>WWWWWWWWWWWWWWWW")
    visit.fits(width)
    card = visit.page.locator(".hlp-card").bounding_box()
    for value in visit.page.locator(".hlp-card dd").all():
        box = value.bounding_box()
        assert card["x"] <= box["x"]
        assert box["x"] + box["width"] <= card["x"] + card["width"]


def test_the_answer_fits_a_phone(visit):
    visit.fits(390)
    assert visit.page.locator(".hlp-spark svg").first.bounding_box()["width"] <= 390


def test_stale_data_are_red_in_word_and_shape_and_mark_the_card(visit, engine):
    engine.say = lambda now: payloads.payload(now=now, message_age_seconds=34.0)
    visit.shows(".hlp-chip[data-state='stale']", "Stale")
    assert "■" in visit.text(".hlp-chip")
    assert visit.page.locator(".hlp-page.hlp-is-stale .hlp-card").count() == 1
    assert visit.text(".hlp-said") == "Data are stale"


def test_a_silent_engine_ages_in_the_browser(visit, engine):
    last_words = iter([payloads.payload(top=payloads.row("ATOM", "INJ"))])
    engine.say = lambda now: next(last_words, None)
    visit.shows("#hlp-pair", "ATOM / INJ")
    visit.page.clock.fast_forward(5_000)
    visit.shows(".hlp-chip[data-state='delayed']", "Delayed")
    visit.page.clock.fast_forward(6_000)
    visit.shows(".hlp-chip[data-state='stale']", "Stale")


def test_an_engine_that_goes_keeps_its_last_card_and_comes_back(visit, engine):
    engine.go_away()
    visit.shows(".hlp-notice-bad", "Disconnected from the engine")
    assert visit.text("#hlp-pair") == "AAVE / LINK"
    engine.come_back()
    visit.shows(".hlp-face-qualifies", "AAVE")


def test_a_fallback_market_is_loud(visit, engine):
    def demo(now):
        said = live(now)
        said["market"].update(kind="demo", label="DEMO", name="demo-seed7", fallback="Hyperliquid did not answer.")
        return said

    engine.say = demo
    visit.shows(".hlp-fallback", "Not the market you asked for: DEMO")
    assert "◆ DEMO" in visit.text(".hlp-badge")


def test_open_details_stay_open_while_the_page_moves(visit, engine):
    numbers = iter(range(10**6))
    engine.say = lambda now: payloads.payload(now=now, phase=f"unheard of {next(numbers)}")
    visit.shows(".hlp-notice-bad", "cannot be read")
    visit.page.locator(".hlp-notice summary").click()
    details = visit.page.locator(".hlp-notice details[open] p")
    before = details.inner_text()
    visit.page.wait_for_function(
        "before => document.querySelector('.hlp-notice details[open] p').textContent !== before", arg=before
    )
    assert "unheard of" in details.inner_text()


def test_the_dark_theme_is_dark_to_the_edge_and_its_kernel_ends_with_the_page(browser, engine, dashboard):
    engine.say = live
    visit = Visit(browser, dashboard, query="?theme=dark", theme="dark")
    visit.shows("#hlp-pair", "AAVE / LINK")
    colour = "getComputedStyle(document.querySelector('{}')).{}"
    assert visit.page.evaluate(colour.format(".hlp-card", "backgroundColor")) == "rgb(22, 26, 32)"
    assert visit.page.evaluate(colour.format("body", "backgroundColor")) == "rgb(13, 16, 20)"
    assert visit.page.evaluate(colour.format("#hlp-pair", "color")) == "rgb(237, 240, 244)"
    visit.page.wait_for_selector(".hlp-spark .bqplot path.line", state="attached")
    visit.page.wait_for_load_state("networkidle")
    assert visit.complaints == []
    visit.leave()
    wait_until(lambda: visit.kernel not in dashboard.kernels(), 10)


def test_a_dead_kernel_turns_the_page_red_and_offers_to_reload(browser, engine, dashboard):
    engine.say = live
    visit = Visit(browser, dashboard)
    visit.shows(".hlp-chip[data-state='fresh']", "Fresh")
    os.kill(visit.kernel, signal.SIGKILL)
    wait_until(lambda: visit.kernel not in dashboard.kernels(), 10)
    visit.page.clock.fast_forward(11_000)
    visit.shows(".hlp-chip[data-state='stale']", "Stale")
    visit.page.clock.fast_forward(6_000)
    visit.shows(".hlp-lost", "lost its connection")
    with visit.page.expect_navigation(wait_until="commit"):
        visit.page.get_by_role("button", name="Reload the page").click()
    visit.shows(".hlp-face-qualifies", "AAVE")
    visit.leave()


def test_a_program_that_fails_shows_an_error_and_no_traceback(browser, engine, tmp_path):
    broken = {
        "cells": [
            {"cell_type": "code", "id": "a", "metadata": {}, "outputs": [], "execution_count": None,
             "source": "raise RuntimeError('secret-detail')"}
        ],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        "nbformat": 4, "nbformat_minor": 5,
    }  # fmt: skip
    notebook = tmp_path / "broken.ipynb"
    notebook.write_text(json.dumps(broken))
    with run_dashboard(engine.url, notebook=notebook) as dashboard:
        context = browser.new_context()
        page = context.new_page()
        page.goto(dashboard.url)
        page.locator(".boot-failed", has_text="The page could not start").wait_for()
        assert page.get_by_role("button", name="Reload the page").is_visible()
        assert "secret-detail" not in page.content()
        context.close()


def test_a_dashboard_that_dies_while_the_page_loads_is_said(browser, engine):
    with run_dashboard(engine.url) as dashboard:
        context = browser.new_context()
        page = context.new_page()
        page.clock.install()
        page.goto(dashboard.url, wait_until="commit")
        page.wait_for_selector("#boot-title")
        os.kill(dashboard.process.pid, signal.SIGKILL)
        page.clock.fast_forward(46_000)
        page.locator(".boot-failed", has_text="Is the dashboard still running?").wait_for()
        for kernel in dashboard.kernels():
            os.kill(kernel, signal.SIGKILL)
        context.close()
