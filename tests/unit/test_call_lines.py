"""``debug_calls``: what people read of each call, over real HTTP; never an id, and one line whatever a name is."""

from __future__ import annotations

import logging
import re
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target import CallInfo, CallOutcome, NotificationInfo, Outbox, PartDecision, TargetClient, TargetError
from target.call_lines import CallLines
from target.loggers import FIELDS, Log
from target.testing import FakeTargetClient
from tests.kit.calls import CALL, COOKIE, DEVICE_ID, SESSION_ID, eventually, options_of
from tests.kit.either import Blocking, Make
from tests.kit.kept import Kept
from tests.kit.loopback import Answer, LoopbackServer, Received, answering, ok
from tests.kit.raw_servers import hang
from tests.kit.shop import HOME, Shop

IDS = {"customerIds": [{"id": "Customer-MARK", "integrationCode": "crm"}], "thirdPartyId": "Third-MARK"}
TOOK = r"[0-9]+(\.[0-9])? ms"
CLICK = {"id": "n", "type": "click", "timestamp": 1, "mbox": {"name": "cart"}}
DISPLAY = {**CLICK, "type": "display", "mbox": {"name": "home"}, "tokens": ["t"]}
SUMMER = {"activity.id": 7, "activity.name": "Summer", "experience.id": 1, "experience.name": "B"}


def refusing(status: int) -> Any:
    """Answers with this status, as the API does."""
    return lambda received: Answer({"message": "no", "requestId": received.body["requestId"]}, status)


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def call_lines(kept: Kept) -> Any:
    """The lines of calls so far, without how long each took, at most once an id."""

    def lines() -> list[str]:
        about = [record for record in kept.records if record.module == "call_lines"]
        texts = [record.getMessage() for record in about]
        assert all(record.levelno == logging.INFO for record in about)
        assert not any(mark in text for text in texts for mark in (SESSION_ID, DEVICE_ID, "MARK", "1234", COOKIE))
        return [re.sub(TOOK, "N ms", text) for text in texts]

    return lines


def shows(*options: dict[str, Any]) -> Any:
    """Answers every mbox with these options."""

    def answer(received: Received) -> Answer:
        found: dict[str, Any] = dict(ok(received).body)
        for mode in ("execute", "prefetch"):
            asked = received.body.get(mode, {})
            if "mboxes" in asked:
                found[mode] = {"mboxes": [{**each, "options": list(options)} for each in found[mode]["mboxes"]]}
            if "views" in asked:
                found[mode] = {**found.get(mode, {}), "views": [{"name": "cart", "options": list(options)}]}
        return Answer(found)

    return answer


TOKENS = {"type": "html", "content": "<b>", "responseTokens": SUMMER}
#: The request, the answer, the line.
CASES: dict[str, tuple[dict[str, Any], Any, str]] = {
    "an experience": (HOME, shows(TOKENS), "home: server (activity Summer, experience B), N ms"),
    "default content": (HOME, shows(), "home: default content, N ms"),
    "no tokens": (HOME, shows({"type": "html", "content": "x"}), "home: content of the server, N ms"),
    "only ids": (
        HOME,
        shows({**TOKENS, "responseTokens": {"activity.id": 7}}),
        "home: server (activity 7), N ms",
    ),
    "prefetch": (
        {"prefetch": {"mboxes": [{"name": "home"}], "views": [{}]}},
        shows(TOKENS),
        "prefetch of view cart: server (activity Summer, experience B); "
        "prefetch of home: server (activity Summer, experience B), N ms",
    ),
    "several": (
        {"execute": {"mboxes": [{"name": "home"}, {"name": "cart"}]}, "notifications": [CLICK]},
        shows(),
        "home: default content; cart: default content; click of cart: taken, N ms",
    ),
    "very many": (
        {"execute": {"mboxes": [{"name": f"m{number}"} for number in range(14)]}},
        shows(),
        "; ".join(f"m{number}: default content" for number in range(10)) + "; 4 more, N ms",
    ),
    "no answer to it": (HOME, lambda _: Answer(b"", 204), "home: no answer, N ms"),
}


@pytest.mark.parametrize("transport", ["", "aiohttp", "threads"])
@pytest.mark.parametrize(("request_", "answer", "line"), CASES.values(), ids=list(CASES))
def test_an_answer_of_the_server(
    request_: Any, answer: Any, line: str, transport: str, server: LoopbackServer, kept: Kept, call_lines: Any
) -> None:
    server.answer = answer
    options = options_of(server.domain, logger=kept.logger, debug_calls=True)
    client = Blocking({**options, "transport": transport}) if transport else TargetClient.create(options)
    client.get_offers(**{**CALL, "request": {"id": IDS, **request_}})
    client.close()
    assert call_lines() == [line]
    (record,) = [record for record in kept.records if record.module == "call_lines"]
    about = vars(record)
    assert (about["target_method"], about["target_host"]) == ("get_offers", server.domain)
    assert about["target_status"] in (200, 204)
    assert about["target_ms"] > 0


def test_errors_and_attempts(server: LoopbackServer, make: Make, kept: Kept, call_lines: Any) -> None:
    client = make(options_of(server.domain, logger=kept.logger, debug_calls=True, retries=1, timeout=300))
    down = Answer({"message": SESSION_ID}, 503)
    server.answer = answering(down, down)
    with pytest.raises(TargetError):
        client.get_offers(**{**CALL, "request": {"execute": {"mboxes": [{"name": "home"}, {"name": "cart"}]}}})
    server.answer = answering(down)
    client.get_attributes("home", **{**CALL, "request": None})
    server.answer = lambda _: hang
    with pytest.raises(TargetError):
        client.get_offers(**{**CALL, "request": {"prefetch": {"pageLoad": {}}}})
    lines = call_lines()
    assert lines[0] == "home, cart: failed with ApiError (503), N ms, 2 attempts"
    assert lines[1] == "home: content of the server, N ms, 2 attempts"
    assert lines[2].startswith("page load: failed with TargetTimeout, N ms")


def test_notifications(server: LoopbackServer, make: Make, kept: Kept, call_lines: Any) -> None:
    client = make(options_of(server.domain, logger=kept.logger, debug_calls=True, retries=0))
    told = {"notifications": [DISPLAY, CLICK, {"id": "m", "type": "click", "timestamp": 1}]}
    client.send_notifications(request=told, session_id=SESSION_ID, target_cookie=COOKIE)
    server.answer = refusing(400)
    with pytest.raises(TargetError):
        client.send_notifications(request={"notifications": [DISPLAY]})
    assert call_lines() == [
        "display of home, click of cart, click: taken, N ms",
        "display of home: failed with ApiError (400), N ms",
    ]


def test_what_the_outbox_has_and_sends(server: LoopbackServer, make: Make, kept: Kept, call_lines: Any) -> None:
    outbox = Outbox.memory(flush_interval=0)
    client = make(options_of(server.domain, logger=kept.logger, debug_calls=True, retries=0, outbox=outbox))
    client.queue_notifications(request={"notifications": [DISPLAY]}, session_id=SESSION_ID)
    assert eventually(lambda: len(call_lines()) == 2)
    assert sorted(call_lines()) == ["display of home: queued", "display of home: taken, N ms"]
    server.answer = refusing(400)
    client.queue_notifications(request={"notifications": [CLICK]}, session_id=SESSION_ID)
    assert eventually(lambda: len(call_lines()) == 5)
    assert set(call_lines()[2:]) == {
        "click of cart: queued",
        "click of cart: not taken (400), N ms",
        "click of cart: given up",
    }


def test_decisions_in_process_and_what_follows(shop: Shop, make: Make, kept: Kept, call_lines: Any) -> None:
    client = make(options_of(shop.server.domain, **shop.options, logger=kept.logger, debug_calls=True))
    asked = {"execute": {"mboxes": [{"name": "home"}, {"name": "unknown"}]}}
    client.get_offers(**{**CALL, "request": asked})
    assert eventually(lambda: len(call_lines()) == 2)
    decided, told = sorted(call_lines(), reverse=True)
    assert re.fullmatch(
        r"home: (split|targeting) \(activity .+, experience .+\); "
        r"unknown: default content, since only the server can decide it, N ms in process",
        decided,
    )
    assert told == "display of home: taken, N ms"


def test_overrides_bots_and_offline(server: LoopbackServer, make: Make, kept: Kept, call_lines: Any) -> None:
    options = options_of(server.domain, logger=kept.logger, debug_calls=True)
    bot = {"context": {"channel": "web", "userAgent": "Googlebot/2.1"}, **HOME}
    make(options | {"allow_overrides": True, "overrides": {"home": "<b>"}}).get_offers(request=HOME)
    make(options | {"exclude_bots": True}).get_offers(request=bot)
    client = make(options | {"offline": True})
    client.get_offers(request=HOME)
    client.send_notifications(request={"notifications": [CLICK]})
    assert [line.removesuffix(" in process") for line in call_lines()] == [
        "home: an override, N ms",
        "home: default content, since the visitor is a bot, N ms",
        "home: default content, since the client is offline, N ms",
        "click of cart: not told, N ms",
    ]


def test_a_fake_has_them_too(kept: Kept, call_lines: Any) -> None:
    fake = FakeTargetClient({"mboxes": {"home": "x"}}, debug_calls=True, logger=kept.logger)
    fake.get_offers(request=HOME)
    assert call_lines() == ["home: content of the server, N ms"]


def test_without_it_there_is_no_hook(server: LoopbackServer, make: Make, kept: Kept, call_lines: Any) -> None:
    client = make(options_of(server.domain, logger=kept.logger, debug_calls=False))
    client.get_offers(**CALL)
    assert call_lines() == []
    assert client._services.hooks is None


@pytest.mark.parametrize(
    ("level", "handler", "seen"),
    [
        (logging.WARNING, logging.NOTSET, False),
        (logging.DEBUG, logging.WARNING, False),
        (logging.DEBUG, None, False),
        (logging.DEBUG, logging.INFO, True),
    ],
)
@pytest.mark.parametrize("adapted", [False, True])
def test_where_the_log_would_not_show_it_stderr_does(
    level: int,
    handler: int | None,
    seen: bool,
    adapted: bool,
    server: LoopbackServer,
    capsys: pytest.CaptureFixture[str],
) -> None:
    logger = logging.Logger("shop", level)
    if handler is None:
        logger.addHandler(logging.NullHandler())
    else:
        kept = Kept(logger)
        kept.setLevel(handler)
    given: Any = logging.LoggerAdapter(logger, {}) if adapted else logger
    with TargetClient.create(options_of(server.domain, logger=given, debug_calls=True)) as client:
        client.get_offers(**CALL)
    printed = capsys.readouterr().err
    if seen:
        assert printed == ""
        assert any("content of the server" in line for line in kept.lines(logging.INFO))
    else:
        assert re.fullmatch(rf"target: home: content of the server, {TOOK}\n", printed)


def test_a_child_logger_is_seen_by_its_parents_handlers() -> None:
    parent, child = logging.getLogger("shop.of.lines"), logging.getLogger("shop.of.lines.child")
    kept = Kept(parent)
    parent.setLevel(logging.INFO)
    try:
        assert Log(child).reaches_somebody(logging.INFO)
        child.propagate = False
        assert not Log(child).reaches_somebody(logging.INFO)
    finally:
        child.propagate = True
        parent.removeHandler(kept)
        parent.setLevel(logging.NOTSET)


@pytest.mark.parametrize("stderr", [None, "closed"])
def test_without_stderr_a_call_goes_on(stderr: Any, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with TargetClient.create(options_of(server.domain, logger=logging.Logger("x", 30), debug_calls=True)) as client:
        file = open("/dev/null", "w") if stderr else None  # noqa: SIM115
        if file:
            file.close()
        monkeypatch.setattr(sys, "stderr", file)
        assert client.get_offers(**CALL).response.status == 200


def test_a_logger_of_ones_own_gets_the_line(server: LoopbackServer, make: Make) -> None:
    told: list[str] = []
    own = SimpleNamespace(debug=lambda _: None, info=told.append, error=told.append)
    make(options_of(server.domain, logger=own, debug_calls=True)).get_offers(**CALL)
    assert any(re.fullmatch(rf"home: content of the server, {TOOK}", line) for line in told)


names = st.text(max_size=100) | st.sampled_from(["a\nb", "\x1b[31m", "\u202egnp", "%s %d {}", "\ud800", ";" * 100])
decisions = st.builds(
    PartDecision,
    st.sampled_from(["mbox", "view", "pageLoad"]),
    names,
    st.sampled_from(["execute", "prefetch"]),
    st.sampled_from(["split", "targeting", "default", "remote", "server", "override", "offline", "bot"]),
    *[st.none() | names] * 4,
)
calls = st.builds(
    lambda mboxes, views, kind, told: CallInfo(
        "acme", "get_offers", "+".join(kind), tuple(mboxes), tuple(views), None, "h", "server-side", notifications=told
    ),
    st.lists(names, max_size=30),
    st.lists(names, max_size=30),
    st.sets(st.sampled_from(["execute", "prefetch", "notifications", "telemetry"])),
    st.lists(st.tuples(names, st.none() | names), max_size=30).map(tuple),
)
outcomes = st.builds(
    CallOutcome,
    st.floats(0, 1e6),
    st.none() | st.integers(100, 599),
    decisions=st.lists(decisions, max_size=30).map(tuple),
    error=st.none() | names,
)


@given(calls, outcomes)
def test_whatever_names_are_it_is_one_line_that_can_be_printed(call: CallInfo, outcome: CallOutcome) -> None:
    kept = Kept()
    CallLines(Log(kept.logger)).after_call(call, outcome)
    (line,) = kept.lines()
    assert line.isprintable()
    assert re.search(r"[0-9] ms$", line)
    assert len(line) < 12 * 350
    assert all(name in vars(kept.records[0]) for name in FIELDS)


@given(
    names,
    st.none() | names,
    st.sampled_from(["queued", "sent", "dead", "failed"]),
    st.none() | names,
    st.none() | calls,
)
def test_so_it_is_of_notifications(kind: str, name: str | None, state: Any, error: str | None, call: Any) -> None:
    kept = Kept()
    CallLines(Log(kept.logger)).on_notification(NotificationInfo("acme", kind, name, None, state, error, call))
    assert len(kept.lines()) <= 1
    assert all(line.isprintable() for line in kept.lines())
    assert (state in ("queued", "dead")) <= bool(kept.lines())
