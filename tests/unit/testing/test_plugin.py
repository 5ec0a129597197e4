"""The fixtures for pytest, in runs of their own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Run = Callable[..., pytest.RunResult]
PLUGIN = ["-q", "-p", "target_delivery_pytest", "-p", "no:asyncio", "-p", "no:randomly", "-p", "no:cacheprovider"]
ASK = """
HOME = {"execute": {"mboxes": [{"name": "home"}]}}
LATER = {"prefetch": {"mboxes": [{"name": "home"}]}}
"""


@pytest.fixture
def run(pytester: pytest.Pytester) -> Run:
    """Runs these tests with the fixtures."""

    def run_(text: str, *options: str) -> pytest.RunResult:
        pytester.makepyfile(ASK + text)
        return pytester.runpytest_inprocess(*PLUGIN, *options)

    return run_


def test_offers_are_served_and_what_is_told_is_seen(run: Run) -> None:
    run(
        """
def test_shown(target_client, target_offers, assert_notified):
    home = {"options": [{"type": "html", "content": "<b>"}], "metrics": [{"type": "click"}]}
    target_offers({"mboxes": {"home": home}})
    shown = target_client.get_offers(request=LATER)
    assert shown.content("home") == "<b>"
    target_client.notify(shown, displayed=["home"])
    [told] = assert_notified("home")
    assert told["mbox"]["name"] == "home"
    assert_notified("home", type="click", times=0)
    target_client.notify(shown, clicked=["home"])
    assert_notified("home", type="click")
    assert_notified(type=None, times=2)

def test_the_next_test_begins_anew(target_client, target_emulator, assert_notified):
    assert target_emulator.received == []
    assert target_client.get_offers(request=HOME).content("home") is None
    assert_notified(type=None, times=0)

def test_contents_stand_for_themselves(target_client, target_offers):
    target_offers({"mboxes": {"home": "<h1>", "flags": {"new": True}, "teaser": None}})
    assert target_client.get_offers(request=HOME).content("home") == "<h1>"
    assert target_client.get_attributes("flags").get_bool("flags", "new", False)
"""
    ).assert_outcomes(passed=3)


def test_it_is_one_server_for_the_run(run: Run) -> None:
    run(
        """
import pytest

@pytest.fixture(scope="session")
def app(target_server_domain):
    return target_server_domain

@pytest.mark.parametrize("time", [1, 2])
def test_served(app, target_emulator, time):
    assert app == target_emulator.server_domain
"""
    ).assert_outcomes(passed=2)


def test_what_was_not_told_is_told_with_what_was(run: Run) -> None:
    result = run(
        """
def test_shown(target_client, target_offers, assert_notified):
    target_offers({"mboxes": {"home": "<h1>"}})
    target_client.notify(target_client.get_offers(request=LATER), displayed=["home"])
    assert_notified("hero", timeout_ms=10)

def test_nothing(assert_notified):
    assert_notified("home", type="click", timeout_ms=10)

def test_too_often(target_client, target_offers, assert_notified):
    target_offers({"mboxes": {"home": "<h1>"}})
    target_client.notify(target_client.get_offers(request=LATER), displayed=["home"])
    assert_notified("home", times=0)
""",
        "--tb=short",
    )
    result.assert_outcomes(failed=3)
    result.stdout.fnmatch_lines(
        [
            "E*AssertionError: Target was told 0 times, not 1: display of mbox 'hero'",
            "E*It was told:",
            "E*display of mbox 'home'",
            "E*It was called:",
            "E*prefetch 'home': 200",
            "E*1 notifications: 200",
            "E*AssertionError: Target was told 0 times, not 1: click of mbox 'home'",
            "E*It was told nothing.",
            "E*It was not called.",
            "E*AssertionError: Target was told 1 times, not 0: display of mbox 'home'",
        ],
    )


def test_experiences_are_forced_by_rules(run: Run) -> None:
    result = run(
        """
def test_forced(target_client, target_rules, force_experience):
    target_rules()
    seen = set()
    for name in ("A: express", "B: legacy"):
        force_experience("feature-flag-a", name)
        seen.add(target_client.get_attributes("feature-flag-a").get_str("feature-flag-a", "paymentExperience", ""))
    assert len(seen) == 2

def test_on_a_device(target_client_options, target_rules, force_experience):
    from target import TargetClient

    target_rules()
    force_experience("feature-flag-a", "B: legacy")
    with TargetClient.create(**{**target_client_options, "decisioning_method": "on-device"}) as client:
        flags = client.get_attributes("feature-flag-a")
    assert flags.get_str("feature-flag-a", "paymentExperience", "") == "legacy"
    assert flags.get_response().meta.decisioning_method == "on-device"

def test_there_is_no_such(target_rules, force_experience):
    target_rules()
    force_experience("home", "nobody")

def test_files(target_rules):
    target_rules("missing.json")
"""
    )
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(["*ValueError:*", "*RulesError: missing.json: cannot be read*"])


def test_faults_come_next(run: Run) -> None:
    run(
        """
import pytest
from target import ApiError, TransportError

def test_faults(target_client, target_faults):
    target_faults(404)
    with pytest.raises(ApiError):
        target_client.get_offers(request=HOME)
    target_client.get_offers(request=HOME)
    target_faults(503, 100)
    target_faults.clear()
    target_client.get_offers(request=HOME)

def test_none_is_left(target_client):
    target_client.get_offers(request=HOME)
"""
    ).assert_outcomes(passed=2)


ASYNC = """
import pytest

MARK = pytest.mark.{mark}

@MARK
async def test_shown(async_target_client, target_offers, assert_notified):
    target_offers({{"mboxes": {{"home": "<h1>"}}}})
    async with async_target_client() as client:
        shown = await client.get_offers(request=LATER)
        await client.notify(shown, displayed=["home"])
    assert shown.content("home") == "<h1>"
    assert_notified("home")

@MARK
async def test_again(async_target_client):
    async with async_target_client(timeout=5000) as client:
        assert (await client.get_offers(request=HOME)).content("home") is None
"""


def test_under_anyio(run: Run) -> None:
    extra = '\n@pytest.fixture\ndef anyio_backend():\n    return "asyncio"\n'
    run(ASYNC.format(mark="anyio") + extra, "-p", "anyio").assert_outcomes(passed=2)


def test_under_pytest_asyncio(run: Run) -> None:
    pytest.importorskip("pytest_asyncio")
    loop = ("-p", "asyncio", "-o", "asyncio_default_fixture_loop_scope=function")
    run(ASYNC.format(mark="asyncio"), *loop).assert_outcomes(passed=2)


def test_vcrpy_is_configured_in_any_scope(run: Run) -> None:
    run(
        """
import pytest

@pytest.fixture(scope="module")
def vcr_config(target_vcr_config):
    return target_vcr_config

def test_config(vcr_config):
    assert {"before_record_request", "before_record_response"} <= vcr_config.keys()
"""
    ).assert_outcomes(passed=1)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["uvicorn", "starlette"])
def test_a_missing_package_fails_the_fixture_alone(pytester: pytest.Pytester, name: str) -> None:
    pytester.makeconftest(f"import sys\nsys.modules[{name!r}] = None\n")
    pytester.makepyfile("def test_own(): pass\ndef test_shown(target_client): pass\n")
    result = pytester.runpytest_subprocess(*PLUGIN)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        [f"*target_emulator cannot be had: it needs the package {name}*: pip install 'target-delivery?testing?'"]
    )
    assert "Traceback" not in result.stdout.str()


@pytest.mark.slow
def test_another_module_named_target_breaks_no_run(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(target="x = 1", test_own="def test_own(): pass\ndef test_shown(target_client): pass\n")
    pytester.makeini("[pytest]\npythonpath = .\n")
    result = pytester.runpytest_subprocess(*PLUGIN)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*the module 'target' that is found first is not that of target-delivery*"])


@pytest.mark.slow
def test_nothing_is_imported_before_a_fixture_is_used(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
import sys

def test_own():
    ours = [name for name in sys.modules if name.partition(".")[0] in ("target", "starlette", "uvicorn", "urllib3")]
    assert ours == []
"""
    )
    pytester.runpytest_subprocess(*PLUGIN).assert_outcomes(passed=1)


@pytest.mark.slow
def test_the_module_that_the_package_has_serves_as_well(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
import sys

def test_own():
    assert not {"target.emulator", "starlette", "uvicorn"} & sys.modules.keys()

def test_shown(target_client):
    from target.testing.plugin import AssertNotified, UseOffers
    assert target_client.status()["ready"]
"""
    )
    options = ("-p", "target.testing.plugin", "-p", "target_delivery_pytest", "-q")
    pytester.runpytest_subprocess(*options, "-p", "no:randomly").assert_outcomes(passed=2)


@pytest.mark.slow
def test_workers_have_a_server_each(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        ASK
        + """
import pytest

@pytest.mark.parametrize("number", range(20))
def test_shown(target_client, target_offers, assert_notified, number):
    target_offers({"mboxes": {"home": f"<h1>{number}"}})
    shown = target_client.get_offers(request=LATER)
    target_client.notify(shown, displayed=["home"])
    assert shown.content("home") == f"<h1>{number}"
    assert_notified("home")
    assert_notified(type=None)
"""
    )
    pytester.runpytest_subprocess(*PLUGIN, "-p", "xdist", "-n", "2").assert_outcomes(passed=20)


DJANGO = """
import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import Client, override_settings
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["testserver"],
    MIDDLEWARE=["target.integrations.django.TargetMiddleware"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="of this test",
)
import django
django.setup()

def home(request):
    shown = request.target.get_offers(request=LATER)
    if shown.mbox("home"):
        request.target.notify(shown, displayed=["home"])
    return HttpResponse(shown.content("home", default="<h1>Welcome"))

urlpatterns = [path("", home)]

@pytest.fixture
def browser(target_client_options):
    with override_settings(TARGET=target_client_options):
        yield Client()

def test_shown(browser, target_offers, assert_notified):
    target_offers({"mboxes": {"home": "<h1>Sale"}})
    assert browser.get("/").content == b"<h1>Sale"
    assert_notified("home")

def test_a_bad_day(browser, target_faults):
    target_faults(404)
    assert browser.get("/").content == b"<h1>Welcome"
"""


@pytest.mark.slow
def test_by_the_test_client_of_django(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(ASK + DJANGO)
    pytester.runpytest_subprocess(*PLUGIN).assert_outcomes(passed=2)


STARLETTE = """
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from target.integrations.starlette import TargetMiddleware, target_visitor

async def home(request):
    visit = target_visitor(request)
    shown = await visit.get_offers(request=LATER)
    if shown.mbox("home"):
        await visit.notify(shown, displayed=["home"])
    return PlainTextResponse(shown.content("home", default="<h1>Welcome"))

@pytest.fixture
def browser(target_client_options):
    app = Starlette(routes=[Route("/", home)])
    app.add_middleware(TargetMiddleware, **target_client_options)
    with TestClient(app) as visitor:
        yield visitor

def test_shown(browser, target_offers, assert_notified):
    target_offers({"mboxes": {"home": "<h1>Sale"}})
    assert browser.get("/").text == "<h1>Sale"
    assert_notified("home")

def test_a_bad_day(browser, target_faults):
    target_faults(404)
    assert browser.get("/").text == "<h1>Welcome"
"""


def test_by_the_test_client_of_starlette(run: Run) -> None:
    run(STARLETTE).assert_outcomes(passed=2)
