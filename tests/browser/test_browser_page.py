"""The emulator's page in a browser: numbers, keyboard, labels, contrast, narrow screens, what comes by itself."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from target import TargetClient
from target.emulator import Emulator, running
from tests.kit.processes import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

AXE = ROOT / "build" / "browser" / "node_modules" / "axe-core" / "axe.min.js"
_INSTALL_S = 120

Open = Callable[..., "Page"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("there is no Chromium: make browsers")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def axe() -> str:
    if not AXE.exists() and shutil.which("npm") is not None:
        install = ["npm", "install", "--prefix", str(ROOT / "build" / "browser"), "--no-audit", "--no-fund"]
        subprocess.run([*install, "axe-core@4.14.1"], check=False, capture_output=True, timeout=_INSTALL_S)
    if not AXE.exists():
        pytest.skip("npm cannot fetch axe-core: make browsers")
    return AXE.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """The sample shop after a morning."""
    with running() as served:
        visit(served, 80)
        yield served


def visit(emulator: Emulator, visitors: int, session: str = "v") -> None:
    """So many visitors look at two mboxes; every third clicks."""
    with TargetClient.create(
        client="acmeclient",
        organization_id="1234567890@AdobeOrg",
        server_domain=emulator.server_domain,
        secure=False,
        edge_routing=False,
    ) as client:
        for number in range(visitors):
            ask = {"mboxes": [{"name": "home"}, {"name": "prices"}]}
            result = client.get_offers(request={"id": {"tntId": f"{session}{number}"}, "execute": ask})
            if number % 3 == 0:
                client.notify(result, clicked=["home"])


@pytest.fixture
def open_page(browser: Browser, emulator: Emulator) -> Iterator[Open]:
    contexts: list[Any] = []

    def open_(path: str = "/", **settings: Any) -> Page:
        context = browser.new_context(**settings)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(emulator.url + path, wait_until="load")
        return page

    problems: list[str] = []
    yield open_
    for context in contexts:
        context.close()
    assert problems == []


def violations(page: Page, axe: str) -> list[str]:
    # The page lets no script be written into it: the browser's tools do it past that.
    page.evaluate(axe)
    found = page.evaluate("() => axe.run()")
    return [
        f"{each['id']}: {node['html'][:120]} {node['any'][0]['message'] if node['any'] else ''}"
        for each in found["violations"]
        for node in each["nodes"]
    ]


def test_the_numbers_are_those_of_the_api(open_page: Open, emulator: Emulator) -> None:
    page = open_page()
    for activity in emulator.counts():
        for experience in activity.experiences:
            row = page.locator(f'tr[data-activity="{activity.id}"][data-experience="{experience.id}"]')
            assert row.locator(".visitors").inner_text() == str(experience.visitors)
            assert row.locator(".impressions").inner_text() == str(experience.impressions)
    bars = page.locator("svg.chart").first
    [first, *_] = emulator.counts()[0].experiences
    share = first.visitors / sum(each.visitors for each in emulator.counts()[0].experiences)
    assert f"{share * 100:.1f} %" in str(bars.text_content())
    assert float(str(bars.locator("rect.seen").first.get_attribute("width"))) == pytest.approx(share * 300, abs=0.1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/", "/?mboxes=greeting,home&parameters=membership%3Dgold", "/?said=no&bad=1"])
def test_axe_finds_nothing(open_page: Open, axe: str, scheme: Any, path: str) -> None:
    page = open_page(path, color_scheme=scheme, bypass_csp=True)
    assert violations(page, axe) == []


@pytest.mark.parametrize("width", [360, 768])
def test_a_narrow_screen_needs_no_sideways_scrolling(open_page: Open, width: int) -> None:
    page = open_page("/?mboxes=greeting,home", viewport={"width": width, "height": 800})
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    # Letters of the charts, which shrink with it, can be read all the same.
    heights = "() => [...document.querySelectorAll('svg text')].map(text => text.getBoundingClientRect().height)"
    assert min(page.evaluate(heights)) >= 11


def test_boxes_are_seen_and_ticked(open_page: Open) -> None:
    page = open_page()
    for label in ("page load", "all views"):
        box = page.get_by_label(label)
        size = box.bounding_box()
        assert size is not None
        assert min(size["width"], size["height"]) >= 15
        box.focus()
        page.keyboard.press("Space")
        assert box.is_checked()


def test_everything_is_reached_by_keyboard(open_page: Open) -> None:
    page = open_page()
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.textContent") == "Skip to the content"
    assert page.locator(".skip").bounding_box()["x"] >= 0  # it is seen when it has the focus
    reached = set()
    for _ in range(150):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("() => document.activeElement.name || document.activeElement.textContent.trim()"))
    assert {"mboxes", "visitor", "Decide", "experience", "Force", "fault", "Let them fail", "Set the clock"} <= reached


def test_a_decision_is_tried_by_keyboard_alone(open_page: Open) -> None:
    page = open_page()
    page.get_by_label("Mboxes, with commas").focus()
    page.keyboard.type("greeting")
    page.get_by_label("Parameters, one name=value a line").fill("membership=gold")
    page.get_by_label("Mboxes, with commas").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".tried")
    assert "a gold member sees Greeting of members" in page.locator(".tried").inner_text()


def test_it_is_read_and_used_without_javascript(open_page: Open, emulator: Emulator) -> None:
    page = open_page(java_script_enabled=False)
    assert "Summer sale on the home page" in page.locator("#activities").inner_text()
    assert page.locator("#rows tr").count() > 10
    page.get_by_label("At this mbox alone").fill("home")
    page.get_by_role("button", name="Force").click()
    assert emulator.forced[0]["mbox"] == "home"
    assert "The experience is forced" in page.get_by_role("status").inner_text()
    page.get_by_role("button", name="Release").click()
    assert emulator.forced == []


def test_requests_and_counts_come_by_themselves(open_page: Open, emulator: Emulator) -> None:
    page = open_page()
    with page.expect_response("**/_/live*"):  # from when on it hears of everything
        page.reload()
    visit(emulator, 3, session="live")
    page.wait_for_function("() => document.querySelector('#rows tr').innerText.includes('home')", timeout=20_000)
    counted = sum(each.visitors for each in emulator.counts()[0].experiences)
    shown = "() => [...document.querySelectorAll('tr[data-activity=\"310001\"] .visitors')].map(e => +e.innerText)"
    page.wait_for_function(f"() => ({shown})().reduce((a, b) => a + b, 0) === {counted}", timeout=20_000)


def test_a_page_that_stays_open_lists_the_newest_alone(browser: Browser) -> None:
    with running() as emulator:
        page = browser.new_page()
        with page.expect_response("**/_/live*"):
            page.goto(emulator.url)
        assert page.locator("#rows tr").all_inner_texts() == ["Nothing yet: point a client here."]
        page.locator("#experiences-1").focus()
        visit(emulator, 60)
        told = 60 + 20 * 2  # who clicks sends a request with a notification in it
        page.wait_for_selector(f"text=The newest 50 of {told};", timeout=20_000)
        page.wait_for_function("() => document.querySelectorAll('#rows tr').length === 50", timeout=20_000)
        assert page.locator("#rows tr.none").count() == 0
        # What is swapped leaves the keyboard where it was, and goes on hearing of what comes.
        assert page.evaluate("() => document.activeElement.id") == "experiences-1"
        visit(emulator, 1, session="late")
        page.wait_for_selector(f"text=The newest 50 of {told + 3};", timeout=20_000)
        page.close()


def test_faults_and_the_clock_are_switches(open_page: Open, emulator: Emulator) -> None:
    page = open_page()
    page.get_by_label("What happens").select_option("reset")
    page.get_by_role("button", name="Let them fail").click()
    page.wait_for_selector("text=The next 1 calls to the API: the connection is reset.")
    page.get_by_role("button", name="No more faults").click()
    page.wait_for_selector("text=None is to come.")
    page.get_by_label("Decide as at (UTC; empty: now)").fill("2027-01-03T12:00")
    page.get_by_role("button", name="Set the clock").click()
    page.wait_for_selector("text=The clock is set, and stands")
    assert emulator.stage.is_clock_set
    emulator.set_clock(None)
