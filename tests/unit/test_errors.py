"""The error tree: what is caught by what, and that every error survives being passed on."""

from __future__ import annotations

import copy
import importlib
import pickle
import pkgutil
from pathlib import Path

import pytest

import target
from target import (
    ApiError,
    ArtifactError,
    ArtifactNotReady,
    AttributeNotFound,
    BackgroundFull,
    CacheError,
    ClientClosed,
    OptionsError,
    OutboxFull,
    TargetError,
    TargetTimeout,
    TargetUnavailable,
    TransportError,
    errors,
)
from target.protocols import StoreBroken
from tests.kit.processes import run_script

ERRORS = [
    OptionsError("a: do b"),
    TransportError("a: do b"),
    TargetTimeout("a: do b"),
    ApiError(400, "Invalid", "r", "{}"),
    AttributeNotFound("Attribute 'a' does not exist"),
    TargetUnavailable("a: do b"),
    ArtifactNotReady("a: do b"),
    ArtifactError("a: do b"),
    CacheError("a: do b"),
    BackgroundFull("a: do b"),
    OutboxFull("a: do b"),
    ClientClosed("a: do b"),
]
name_of = lambda error: type(error).__name__  # noqa: E731


@pytest.mark.parametrize("error", ERRORS, ids=name_of)
def test_one_tree(error: TargetError) -> None:
    assert isinstance(error, TargetError)
    assert getattr(target, type(error).__name__) is type(error)


@pytest.mark.parametrize(
    ("error", "builtin"), [(OptionsError, ValueError), (TargetTimeout, TimeoutError), (AttributeNotFound, KeyError)]
)
def test_what_else_catches_them(error: type[TargetError], builtin: type[Exception]) -> None:
    assert issubclass(error, builtin)


@pytest.mark.parametrize("error", [TransportError, ApiError, ClientClosed])
def test_what_does_not_catch_them(error: type[TargetError]) -> None:
    assert not issubclass(error, ValueError | KeyError | OSError)


def test_the_tree_is_complete() -> None:
    defined = {value for value in vars(errors).values() if isinstance(value, type)} - {TargetError}
    assert {type(error) for error in ERRORS} == defined


def test_the_docstring_and_the_page_name_every_error() -> None:
    page = (Path(__file__).parents[2] / "docs/errors.md").read_text(encoding="utf-8")
    for error in ERRORS:
        assert f"─ {type(error).__name__} " in (errors.__doc__ or "")
        assert f"| `{type(error).__name__}` |" in page


def test_no_error_of_the_tree_is_defined_anywhere_else() -> None:
    for module in pkgutil.walk_packages(target.__path__, "target."):
        if not module.name.endswith("__main__") and module.name != "target.errors":
            found = [
                value
                for value in vars(importlib.import_module(module.name)).values()
                # type() and not isinstance(), which would ask a lazy object for what it stands for
                if issubclass(type(value), type)
                and issubclass(value, TargetError)
                and value.__module__ != errors.__name__
                and not issubclass(value, StoreBroken)  # what a store raises, as its protocol has it
            ]
            assert found == [], module.name


def test_what_create_raises_without_the_extra_is_exported() -> None:
    script = """
        import sys
        import importlib.util
        real = importlib.util.find_spec
        importlib.util.find_spec = lambda name, *more: None if name == "mmh3" else real(name, *more)
        import target
        try:
            target.TargetClient.create(client="acme", organization_id="1@AdobeOrg", decisioning_method="on-device")
        except target.ArtifactError as error:
            print("mmh3" in str(error))
    """
    assert run_script(script).strip() == "True"


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])
@pytest.mark.parametrize("error", ERRORS, ids=name_of)
def test_errors_can_be_copied_and_pickled(error: TargetError, copied: object) -> None:
    other = copied(error)
    assert (type(other), str(other), other.args, vars(other)) == (type(error), str(error), error.args, vars(error))


def test_a_key_error_of_ours_reads_as_a_sentence() -> None:
    assert str(AttributeNotFound("Attribute 'a' does not exist")) == "Attribute 'a' does not exist"


@pytest.mark.parametrize(
    ("message", "shown"),
    [("Invalid", "Invalid. Mend"), ("Invalid.", "Invalid. Mend"), ("Why?", "Why? Mend"), ("a: b", "a: b. Mend")],
)
def test_message_and_advice_are_sentences(message: str, shown: str) -> None:
    assert str(ApiError(400, message)).startswith(f"Adobe Target answered 400: {shown}")


@pytest.mark.parametrize("status", [300, 304, 400, 401, 403, 404, 409, 413, 420, 429, 499, 500, 502, 503, 599])
def test_every_status_has_advice(status: int) -> None:
    said, advice = str(ApiError(status, "Said.")).split("Said. ")
    assert said == f"Adobe Target answered {status}: "
    assert len(advice.split()) > 3
    assert advice.endswith(".")


def test_the_body_which_may_hold_ids_is_in_neither_message_nor_repr() -> None:
    error = ApiError(400, "Invalid", "r", '{"id": "SECRET"}')
    assert "SECRET" in error.body
    assert "SECRET" not in str(error) + repr(error)
    assert repr(error) == "ApiError(status=400, message='Invalid')"
