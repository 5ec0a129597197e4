"""What may be a logger, and what it is told: the same lines, complete, at the level that it has."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import loguru
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from target import OptionsError, TargetClient
from target.loggers import parse_logger
from tests.kit.calls import CALL, options_of
from tests.kit.loopback import Answer, LoopbackServer

Told = list[tuple[str, str]]


def own(told: Told, *methods: str) -> Any:
    return SimpleNamespace(**{name: (lambda text, name=name: told.append((name, text))) for name in methods})


def adapter(told: Told) -> Any:
    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.append((record.levelname.lower(), f"{record.getMessage()} {record.tenant}"))  # type: ignore[attr-defined]

    logger = logging.Logger("shop")
    logger.addHandler(Handler())
    return logging.LoggerAdapter(logging.LoggerAdapter(logger, {"tenant": "a"}), {"tenant": "b"})


def of_structlog(told: Told) -> Any:
    class Sink:
        def msg(self, text: str) -> None:
            line = json.loads(text)
            told.append((line["level"], line["event"]))

        debug = info = warning = error = msg

    processors: Any = [structlog.processors.add_log_level, structlog.processors.JSONRenderer()]
    return structlog.wrap_logger(Sink(), processors=processors, wrapper_class=structlog.BoundLogger)


def of_loguru(told: Told) -> Any:
    loguru.logger.remove()
    loguru.logger.add(lambda line: told.append((line.record["level"].name.lower(), line.record["message"])), level=0)
    return loguru.logger


KINDS: dict[str, Callable[[Told], Any]] = {
    "own": lambda told: own(told, "debug", "info", "warning", "error"),
    "structlog": of_structlog,
    "loguru": of_loguru,
}


@pytest.mark.parametrize("make", KINDS.values(), ids=list(KINDS))
def test_any_object_that_logs_gets_complete_texts(make: Callable[[Told], Any]) -> None:
    told: Told = []
    logger = parse_logger("logger", make(told))
    for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL):
        logger.log(level, "100 %% of {%s} {0}", "x")
    assert told == [(name, "100 % of {x} {0}") for name in ("debug", "info", "warning", "error", "error")]


def test_what_has_only_debug_and_error_gets_all_through_these() -> None:
    told: Told = []
    logger = parse_logger("logger", own(told, "debug", "error"))
    for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
        logger.log(level, "x")
    assert [name for name, _ in told] == ["debug", "debug", "error", "error"]


def test_an_error_with_its_traceback_is_one_text() -> None:
    told: Told = []
    logger = parse_logger("logger", own(told, "debug", "error"))
    try:
        raise ValueError("why {braces}")
    except ValueError as error:
        logger.error("It raised", exc_info=error)
    ((_, text),) = told
    assert text.startswith("It raised\nTraceback")
    assert text.endswith("ValueError: why {braces}")


def test_adapters_and_loggers_stay_what_they_are() -> None:
    told: Told = []
    given = adapter(told)
    assert parse_logger("logger", given).logger is given
    parse_logger("logger", given).warning("%s", "x")
    assert told == [("warning", "x a")]
    of_the_library = logging.getLogger("shop")
    assert parse_logger("logger", of_the_library).logger is of_the_library


@pytest.mark.parametrize("make", [*KINDS.values(), adapter], ids=[*KINDS, "adapter"])
def test_a_client_logs_to_it(make: Callable[[Told], Any], server: LoopbackServer) -> None:
    told: Told = []
    server.answer = lambda _: Answer({"message": "no"}, 400)
    with TargetClient.create(options_of(server.domain, logger=make(told), timeout=5000)) as client:
        client.get_offers(**{**CALL, "request": {"execute": {"mboxes": [{"name": "home"}, {}]}}}, callback=print).wait(
            9
        )
    assert [name for name, _ in told] == ["info", "error", "debug", "error", "info"]
    assert "has started" in told[0][1]
    assert "Mbox validation failed for: request.execute.mboxes[1]" in told[1][1]
    assert "answered 400" in told[3][1]
    assert "is closed" in told[4][1]


def test_a_logger_that_raises_fails_no_call(server: LoopbackServer, capsys: pytest.CaptureFixture[str]) -> None:
    raising = SimpleNamespace(debug=lambda _: 1 / 0, error=lambda: None)
    with TargetClient.create(options_of(server.domain, logger=raising)) as client:
        assert client.get_offers(**CALL).response.status == 200
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_a_logger_that_uses_the_client_itself_does_not_wait_for_another_thread(server: LoopbackServer) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def debug(_: str) -> None:
        if threading.current_thread().name == "first":
            inside.set()
            assert go_on.wait(20)

    with TargetClient.create(options_of(server.domain, logger=SimpleNamespace(debug=debug, error=print))) as client:
        first = threading.Thread(target=lambda: client.get_offers(**CALL), name="first")
        first.start()
        assert inside.wait(20)
        assert client.get_offers(**CALL).response.status == 200
        go_on.set()
        first.join(20)


async def coroutine(_: str) -> None:
    """What nobody would await."""


@pytest.mark.parametrize(
    "wrong",
    [
        *(None, 1, "target", object(), logging.Logger, SimpleNamespace(debug=print)),
        *(SimpleNamespace(debug=1, error=2), SimpleNamespace(debug=coroutine, error=print)),
    ],
)
def test_what_logs_nothing_is_refused(wrong: Any) -> None:
    with pytest.raises(OptionsError, match=r"Option 'logger' must be a logger: a logging\.Logger, or an object"):
        parse_logger("logger", wrong)


@given(st.text(), st.text())
def test_whatever_the_text_is_it_arrives_as_it_is(message: str, value: str) -> None:
    told: Told = []
    parse_logger("logger", own(told, "debug", "error")).error("%s: %s", message, value)
    assert told == [("error", f"{message}: {value}")]


def test_a_log_of_ours_is_itself_a_log(caplog: pytest.LogCaptureFixture) -> None:
    log = parse_logger("logger", parse_logger("logger", logging.getLogger("target.tests.loggers")))
    log.warning("once")
    assert [record.message for record in caplog.records] == ["once"]
