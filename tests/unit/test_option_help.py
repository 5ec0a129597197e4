"""`help` of the clients' methods lists the options that they take, from the one place that describes them."""

from __future__ import annotations

import inspect
import pydoc
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts import option_help as script
from target import AsyncTargetClient, TargetClient
from target.options import (
    AsyncClientOptions,
    AttributesCallbackOptions,
    ClientOptions,
    NotifyCallbackOptions,
    RequestCallbackOptions,
)
from tests.kit.processes import ROOT

BACK = {"callback", "err_callback"}
OF_A_CALL = set(RequestCallbackOptions.__annotations__)
OF_TELLING = set(NotifyCallbackOptions.__annotations__)
METHODS: dict[str, tuple[Any, set[str]]] = {
    "create": (TargetClient.create, set(ClientOptions.__annotations__)),
    "get_offers": (TargetClient.get_offers, OF_A_CALL),
    "get_attributes": (TargetClient.get_attributes, set(AttributesCallbackOptions.__annotations__)),
    "send_notifications": (TargetClient.send_notifications, OF_A_CALL),
    "queue_notifications": (TargetClient.queue_notifications, OF_A_CALL - BACK),
    "notify": (TargetClient.notify, OF_TELLING),
    "queue": (TargetClient.queue, OF_TELLING - BACK),
    "async create": (AsyncTargetClient.create, set(AsyncClientOptions.__annotations__)),
    "async get_offers": (AsyncTargetClient.get_offers, OF_A_CALL - BACK),
    "async get_attributes": (AsyncTargetClient.get_attributes, OF_A_CALL - BACK),
    "async send_notifications": (AsyncTargetClient.send_notifications, OF_A_CALL - BACK),
    "async queue_notifications": (AsyncTargetClient.queue_notifications, OF_A_CALL - BACK),
    "async notify": (AsyncTargetClient.notify, OF_TELLING - BACK),
    "async queue": (AsyncTargetClient.queue, OF_TELLING - BACK),
}


def options_in(text: str) -> dict[str, str]:
    """Of each option that a help text lists, its type and what is said of it."""
    said = text.partition("\nOptions, as keywords or in a dict:\n")[2]
    lines = re.sub(r"\n {8}", " ", said)
    return dict(re.findall(r"^    (\w+) \((.+?\): .+)", lines, re.MULTILINE))


@pytest.mark.parametrize("name", METHODS)
def test_every_option_is_listed_with_its_type_and_a_line(name: str) -> None:
    method, options = METHODS[name]
    doc = inspect.getdoc(method)
    assert doc
    assert set(options_in(doc)) == options
    shown = pydoc.plain(pydoc.render_doc(method))
    assert all(f" {option} (" in shown for option in options)


def test_types_defaults_and_choices_are_told() -> None:
    told = options_in(inspect.getdoc(TargetClient.create) or "")
    assert told["client"].startswith("str, required): Client code")
    assert re.fullmatch(r"float \| None\): Deadline of one whole call in ms: [^.]*\. Default 3000\.", told["timeout"])
    assert told["decisioning_method"].startswith("Literal['server-side', 'on-device', 'hybrid'] | None): ")
    call = options_in(inspect.getdoc(TargetClient.get_offers) or "")
    assert ", required)" in call["request"]
    assert ", required)" not in call["callback"], "a call without one is as good"


def test_a_class_of_the_callers_keeps_its_words() -> None:
    class Mine(TargetClient):
        """A client of a caller's."""

        def flush(self, timeout: float = 1000) -> int:
            """Do nothing."""
            return 0

    assert Mine.flush.__doc__ == "Do nothing."
    assert Mine.get_offers.__doc__ == TargetClient.get_offers.__doc__


def test_nothing_is_said_where_python_strips_what_is_said() -> None:
    code = "from target import TargetClient; assert TargetClient.create.__doc__ is None; print('made')"
    run = subprocess.run([sys.executable, "-OO", "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.stdout == "made\n", run.stderr


def test_what_is_listed_is_what_the_options_say() -> None:
    assert script.main(["--check"]) == 0, "run `make option-help`"


def test_the_check_sees_what_the_options_say_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "target").mkdir()
    for name in ("options", "option_help", "clients", "notifying", "explaining", "client", "aio"):
        shutil.copy(ROOT / "target" / f"{name}.py", tmp_path / "target")
    assert script.main(["--check", "--root", str(tmp_path)]) == 0
    options = tmp_path / "target" / "options.py"
    options.write_text(options.read_text(encoding="utf-8").replace("Deadline of one whole call", "Most of a call"))
    assert script.main(["--check", "--root", str(tmp_path)]) == 1
    assert "make option-help" in capsys.readouterr().err
    assert script.main(["--root", str(tmp_path)]) == 0
    assert script.main(["--check", "--root", str(tmp_path)]) == 0
