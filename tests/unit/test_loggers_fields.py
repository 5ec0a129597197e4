"""Every line has its fields: whatever the logger, whichever module writes it, and none goes around them."""

from __future__ import annotations

import ast
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import loguru
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.local import LocalProxy

import target
from target import Outbox, TargetError
from target._outbox.memory import MemoryStore
from target.loggers import FIELDS, LOG, Log, fields, parse_logger
from target.protocols import StoreSettings
from tests.kit.calls import CALL, eventually, options_of
from tests.kit.either import Make
from tests.kit.kept import Kept
from tests.kit.loopback import Answer, LoopbackServer
from tests.kit.shop import HOME, Shop
from tests.kit.ways import WAYS

PACKAGE = Path(target.__file__).parent
FORMAT = " ".join(f"%({name})s" for name in FIELDS)
REQUEST = {"execute": {"mboxes": [{"name": "home"}, {}]}}
METHODS = ("debug", "info", "warning", "error", "critical", "exception", "log")


@pytest.fixture
def kept() -> Kept:
    return Kept()


class Own(logging.LoggerAdapter[Any]):
    """One that writes lines in a way of its own."""

    def log(self, level: int, msg: object, *args: object, **keywords: Any) -> None:
        if self.isEnabledFor(level):
            text, changed = self.process(msg, keywords)
            self.logger.log(level, f"own: {text}", *args, **{**changed, "stacklevel": changed.get("stacklevel", 1) + 1})


class Warning_(logging.LoggerAdapter[Any]):  # noqa: N801
    """One that writes one kind of line in a way of its own."""

    def warning(self, msg: object, *args: object, **keywords: Any) -> None:
        super().warning(f"careful: {msg}", *args, **keywords)


class Merging(logging.LoggerAdapter[Any]):
    """One that keeps what it is given."""

    def process(self, msg: Any, kwargs: Any) -> tuple[Any, Any]:
        kwargs["extra"] = {**(kwargs.get("extra") or {}), **(self.extra or {})}
        return f"merged: {msg}", kwargs


class Tenant(logging.Logger):
    """A logger with an extra of its own."""

    def _log(self, level: int, msg: object, args: Any, **keywords: Any) -> None:  # type: ignore[override]
        keywords["extra"] = {**(keywords.get("extra") or {}), "tenant": "own"}
        super()._log(level, msg, args, **keywords)


ADAPTERS = [logging.LoggerAdapter, Own, Warning_, Merging]


def test_every_record_of_a_client_has_all_fields(server: LoopbackServer, make: Make, kept: Kept) -> None:
    client = make(options_of(server.domain, logger=kept.logger, retries=1))
    client.get_offers(**{**CALL, "request": REQUEST})
    server.answer = lambda asked: Answer({"message": "no", "requestId": asked.body["requestId"]}, 503)
    with pytest.raises(TargetError):
        client.get_attributes(["home"])
    about = [record for record in kept.records if record.getMessage().startswith("POST ")]
    host, ids = server.domain, [each.headers["X-Request-Id"] for each in server.received]
    assert [(each["target_method"], each["target_status"]) for each in map(vars, about)] == [
        ("get_offers", 200),
        ("get_attributes", 503),
        ("get_attributes", 503),
    ]
    assert [each["target_request_id"] for each in map(vars, about)] == ids
    assert {each["target_host"] for each in map(vars, about)} == {host}
    assert all(0 < each["target_ms"] < 60_000 for each in map(vars, about))
    assert all(f"{each['target_ms']:.1f} ms" in each["msg"] % each["args"] for each in map(vars, about))
    (refused,) = [record for record in kept.records if "Mbox validation" in record.getMessage()]
    assert [vars(refused)[name] for name in FIELDS] == [None] * len(FIELDS)


@pytest.mark.parametrize("way", WAYS)
def test_an_attempt_without_an_answer_has_them_on_each_way(way: str, kept: Kept) -> None:
    client = WAYS[way](**options_of("127.0.0.1:9", logger=kept.logger, retries=0))
    with pytest.raises(TargetError):
        client.call({"execute": {"mboxes": [{"name": "home"}]}})
    client.close()
    (line,) = [vars(record) for record in kept.records if record.getMessage().startswith("POST ")]
    assert (line["target_method"], line["target_host"], line["target_status"]) == ("get_offers", "127.0.0.1:9", None)
    assert line["target_ms"] >= 0
    assert len(line["target_request_id"]) == 36


def test_what_is_sent_in_the_background_says_so(shop: Shop, make: Make, kept: Kept) -> None:
    options = options_of(shop.server.domain, **shop.options, logger=kept.logger, retries=0)
    client = make(options)
    client.get_offers(request=HOME)
    assert eventually(lambda: "background" in [vars(record)["target_method"] for record in kept.records])
    shop.delivery = lambda _: Answer({"message": "no"}, 400)
    client.get_offers(request=HOME)
    assert eventually(lambda: [each for each in kept.records if "in the background, failed" in each.getMessage()])
    failed = next(vars(each) for each in kept.records if "in the background, failed" in each.getMessage())
    assert (failed["target_method"], failed["target_status"]) == ("background", 400)
    assert failed["target_request_id"] in failed["msg"] % failed["args"]


def test_what_the_outbox_sends_says_so(server: LoopbackServer, make: Make, kept: Kept) -> None:
    client = make(options_of(server.domain, logger=kept.logger, outbox=Outbox.memory(flush_interval=0), retries=0))
    server.answer = lambda _: Answer({"message": "no"}, 400)
    client.queue_notifications(request={"notifications": [{"id": "n", "type": "click", "timestamp": 1}]})
    assert eventually(lambda: [each for each in kept.records if "given up" in each.getMessage()])
    about = [vars(record) for record in kept.records]
    assert {each["target_method"] for each in about if each["target_status"] == 400} == {"outbox"}
    assert sum(each["target_status"] == 400 for each in about) == 3  # attempt, answer, given up


@pytest.mark.parametrize("kind", ADAPTERS)
def test_adapters_keep_theirs_and_ours(kind: Any, server: LoopbackServer, make: Make, kept: Kept) -> None:
    logger = kind(kind(kept.logger, {"tenant": "a", "inner": 1}), {"tenant": "b", "outer": 2})
    client = make(options_of(server.domain, logger=logger))
    client.get_offers(**{**CALL, "request": REQUEST})
    line = next(vars(record) for record in kept.records if "POST " in record.getMessage())
    assert (line["tenant"], line["inner"]) == ("a", 1)
    assert line.get("outer") == (2 if kind is Merging else line.get("outer"))
    assert (line["target_method"], line["target_status"], line["target_host"]) == ("get_offers", 200, server.domain)


def test_an_adapter_that_writes_in_its_own_way_still_does(kept: Kept) -> None:
    Log(Own(Warning_(Merging(kept.logger, {"a": 1}), {"b": 2}), {"c": 3})).warning("%s", "x", extra=fields(status=7))
    (record,) = kept.records
    assert record.getMessage() == "merged: careful: own: x"
    assert (vars(record)["a"], vars(record)["target_status"]) == (1, 7)


@pytest.mark.parametrize("wrap", [Log, lambda log: logging.LoggerAdapter(log, {}), lambda log: Own(log, {})])
def test_the_log_of_another_client_may_be_a_logger(wrap: Any, kept: Kept) -> None:
    log = parse_logger("logger", wrap(Log(Log(kept.logger))))
    log.warning("x", extra=fields(status=7))
    (record,) = kept.records
    assert (vars(record)["target_status"], record.funcName) == (7, "test_the_log_of_another_client_may_be_a_logger")


def test_an_adapter_stays_the_one_that_was_given(kept: Kept) -> None:
    adapter: Any = Own(kept.logger, {"tenant": "a"})
    log = parse_logger("logger", adapter)
    log.warning("x")
    adapter.extra = {"tenant": "b"}  # later, for all lines that follow
    log.warning("x")
    assert [vars(record)["tenant"] for record in kept.records] == ["a", "b"]
    assert adapter.logger is kept.logger
    assert kept.logger.filters == []


def test_loggers_with_an_extra_of_their_own_keep_it() -> None:
    kept = Kept(Tenant("shop", logging.DEBUG))
    Log(kept.logger).warning("x", extra=fields(ms=1.25))
    (record,) = kept.records
    assert (vars(record)["tenant"], vars(record)["target_ms"]) == ("own", 1.2)


def test_the_level_of_each_logger_on_the_way_counts(kept: Kept) -> None:
    class Quiet(logging.LoggerAdapter[Any]):
        def isEnabledFor(self, level: int) -> bool:  # noqa: N802
            return level >= logging.ERROR

    for log in (Log(Quiet(kept.logger, {})), Log(logging.LoggerAdapter(Quiet(kept.logger, {}), {}))):
        log.warning("x")
    kept.logger.setLevel(logging.ERROR)
    LOG_OF = Log(logging.LoggerAdapter(kept.logger, {}))  # noqa: N806
    LOG_OF.warning("x")
    assert kept.records == []
    LOG_OF.error("y")
    assert [record.getMessage() for record in kept.records] == ["y"]


@pytest.mark.parametrize("wrap", [lambda logger: logger, lambda logger: logging.LoggerAdapter(logger, {}), Own])
def test_a_line_names_the_place_that_it_is_of(wrap: Any, kept: Kept) -> None:
    log = Log(wrap(kept.logger) if wrap is not Own else Own(kept.logger, {}))
    for write in (log.debug, log.info, log.warning, log.error, lambda text: log.log(25, text)):
        write("x")
    names = {(Path(record.pathname).name, record.funcName) for record in kept.records}
    assert names == {
        (Path(__file__).name, "test_a_line_names_the_place_that_it_is_of"),
        (Path(__file__).name, "<lambda>"),
    }


def test_lines_of_a_store_of_anybodys_have_them(server: LoopbackServer, make: Make, kept: Kept) -> None:
    def open_store(settings: StoreSettings) -> Any:
        settings.logger.warning("It is open")
        assert settings.logger.getChild("inner").name == "kept.inner"  # all that a logger can do
        return MemoryStore(settings)

    make(options_of(server.domain, logger=kept.logger, outbox=Outbox(store=open_store)))
    (record,) = [record for record in kept.records if record.getMessage() == "It is open"]
    assert all(vars(record)[name] is None for name in FIELDS)


def test_lines_that_belong_to_no_client_have_them(caplog: pytest.LogCaptureFixture) -> None:
    target.qa_mode_from_url("https://shop.example/?at_preview_token=" + "x" * 9000)
    (record,) = caplog.records
    assert (record.name, LOG.name) == ("target", "target")
    assert all(vars(record)[name] is None for name in FIELDS)


def test_structlog_gets_them_as_pairs_beside_its_own(server: LoopbackServer, make: Make) -> None:
    lines: list[dict[str, Any]] = []
    sink = SimpleNamespace(**dict.fromkeys(METHODS, lambda text: lines.append(json.loads(text))))
    processors: Any = [structlog.processors.JSONRenderer()]
    logger = structlog.wrap_logger(sink, processors=processors, wrapper_class=structlog.BoundLogger).bind(tenant="a")
    make(options_of(server.domain, logger=logger)).get_offers(**{**CALL, "request": REQUEST})
    assert all(line["tenant"] == "a" and line.keys() >= set(FIELDS) for line in lines)
    (line,) = [line for line in lines if line["event"].startswith("POST")]
    assert (line["target_method"], line["target_status"]) == ("get_offers", 200)


def test_loguru_gets_them_as_its_extra(server: LoopbackServer, make: Make) -> None:
    lines: list[dict[str, Any]] = []
    loguru.logger.remove()
    loguru.logger.add(lambda line: lines.append(dict(line.record["extra"])), level=0, format="{extra[target_host]}")
    make(options_of(server.domain, logger=loguru.logger.bind(tenant="a"))).get_offers(**{**CALL, "request": REQUEST})
    assert all(line["tenant"] == "a" and line.keys() >= set(FIELDS) for line in lines)
    assert [line["target_status"] for line in lines if line["target_method"]] == [200]


def test_an_object_with_a_parameter_extra_gets_them_by_that() -> None:
    told: list[tuple[str, Any]] = []

    class Powertools:
        def debug(self, msg: str, extra: Any = None) -> None:
            told.append((msg, extra))

        def error(self, msg: str) -> None:
            told.append((msg, None))

    log = parse_logger("logger", Powertools())
    log.debug("{x} %s", "y", extra=fields(method="notify"))
    log.error("z")
    assert told == [("{x} y", fields(method="notify")), ("z", None)]


@pytest.mark.parametrize("wrap", [lambda logger: logger, lambda logger: logging.LoggerAdapter(logger, {"tenant": "a"})])
def test_a_proxy_of_a_logger_hands_them_on(wrap: Any, kept: Kept) -> None:
    proxied = [wrap(kept.logger)]
    proxy = LocalProxy(lambda: proxied[0])  # as Flask's current_app.logger is reached
    methods = SimpleNamespace(debug=proxied[0].info, error=proxied[0].error)
    for each in (proxy, methods):
        log = parse_logger("logger", each)
        log.debug("100 %%: %s", "x", extra=fields(status=7))
        log.error("y")
    assert [(record.getMessage(), record.levelname) for record in kept.records] == [
        *(("100 %: x", "DEBUG"), ("y", "ERROR")),
        *(("100 %: x", "INFO"), ("y", "ERROR")),
    ]
    assert [vars(record)["target_status"] for record in kept.records] == [7, None, 7, None]


def test_the_module_logging_may_be_the_logger(caplog: pytest.LogCaptureFixture) -> None:
    log: Any = logging
    parse_logger("logger", log).error("x", extra=fields(status=7))
    (record,) = caplog.records
    assert (record.name, vars(record)["target_status"]) == ("root", 7)


def test_objects_that_only_seem_to_take_them_get_the_text(capsys: pytest.CaptureFixture[str]) -> None:
    class Raises:
        def bind(self, **_: object) -> Any:
            raise ValueError("no")

        debug = error = lambda _, text: told.append(text)

    class Odd(Raises):
        def bind(self, **_: object) -> Any:
            return None

    told: list[str] = []
    mock = MagicMock()
    for each in (Raises(), Odd(), mock):
        parse_logger("logger", each).debug("x")
    assert told == ["x", "x"]
    mock.debug.assert_called_once_with("x")
    assert capsys.readouterr().err == ""


extras = st.dictionaries(st.sampled_from(["tenant", "shard", "target_host"]), st.integers())
chains = st.lists(st.tuples(st.sampled_from(ADAPTERS), st.none() | extras), max_size=4)


@given(
    chains, st.sampled_from([10, 20, 25, 30, 40, 50]), st.text(), st.dictionaries(st.sampled_from(FIELDS), st.text())
)
def test_whatever_stands_between_all_fields_arrive(
    chain: list[tuple[Any, Any]], level: int, text: str, about: dict[str, str]
) -> None:
    kept = Kept()
    logger: Any = kept.logger
    for kind, extra in chain:
        logger = kind(logger, extra)
    parse_logger("logger", logger).log(level, "%s", text, extra=about)
    (record,) = kept.records
    assert record.getMessage().endswith(text)
    logging.Formatter(FORMAT).format(record)
    for name in FIELDS:
        said = [extra[name] for _, extra in chain if extra and name in extra]
        assert vars(record)[name] in (said or [about.get(name)])


def _trees() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield str(path.relative_to(PACKAGE)), ast.parse(path.read_text(encoding="utf-8"))


def _name(node: ast.AST) -> str:
    return ast.unparse(node) if isinstance(node, ast.Attribute | ast.Name) else ""


#: What makes or names a logger of logging's for another reason than to write to it.
NO_LINES = {
    "cli/artifact_files.py": "a log that nobody reads, as the option of a client",
    "cli/warned.py": "hears what is logged",
    "testing/_store_bench.py": "what a store is opened with",
}


def test_no_line_is_logged_around_the_fields() -> None:
    """Loggers are made in one place, or at once become a Log; what modules write to is a Log, which mypy holds; and
    what a line is about is named by the functions that know the fields."""
    around = []
    for name, tree in _trees():
        if name == "loggers.py" or name in NO_LINES:
            continue
        wrapped = {
            id(call.args[0]) for call in ast.walk(tree) if isinstance(call, ast.Call) and _name(call.func) == "Log"
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                called = _name(node.func)
                is_made = called in ("logging.getLogger", "logging.Logger", "logging.LoggerAdapter", "getLogger")
                if (is_made and id(node) not in wrapped) or called in {f"logging.{each}" for each in METHODS}:
                    around.append(f"{name}:{node.lineno}: {called}")
                for keyword in node.keywords:
                    if keyword.arg == "extra" and called.rpartition(".")[2] in METHODS:
                        given_by = keyword.value.func if isinstance(keyword.value, ast.Call) else keyword.value
                        if _name(given_by) not in ("fields", "fields_of", "_fields_of"):
                            around.append(f"{name}:{node.lineno}: extra")
            if isinstance(node, ast.arg | ast.AnnAssign) and node.annotation is not None:
                kind = ast.unparse(node.annotation)
                around += [f"{name}: {kind}"] if "logging.Logger" in kind else []
            if isinstance(node, ast.ImportFrom) and node.module == "logging":
                around.append(f"{name}:{node.lineno}: from logging")
    # For sources and stores of anybody's, which get the client's Log.
    assert around == ["protocols/artifacts.py: logging.Logger", "protocols/stores.py: logging.Logger"]


def test_the_lines_of_an_attempt_say_which() -> None:
    tree = ast.parse((PACKAGE / "_http/failures.py").read_text(encoding="utf-8"))
    lines = [
        node for node in ast.walk(tree) if isinstance(node, ast.Call) and _name(node.func).endswith("logger.debug")
    ]
    assert len(lines) == 2
    assert all("fields_of" in ast.unparse(line) for line in lines)


def test_names_cannot_be_loggings_own() -> None:
    assert not set(FIELDS) & {*vars(logging.makeLogRecord({})), "message", "asctime"}
    assert fields() == dict.fromkeys(FIELDS)
