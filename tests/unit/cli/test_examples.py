"""Every example that a command's help gives works as it is written."""

from __future__ import annotations

import inspect
import json
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from target.cli.account import EMULATOR
from target.cli.root import COMMANDS, root
from target.emulator import Emulator
from tests.unit.cli.conftest import Target


def commands(command: click.Command, path: str) -> Iterator[tuple[str, str]]:
    """Each command's path and help."""
    yield path, inspect.cleandoc(command.help or "")
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from commands(inner, f"{path} {name}")


ALL = dict(commands(root, "target"))
#: What runs until it is stopped has a test of its own.
ENDLESS = {"target", "target emulate"}
LONG = {"target artifact simulate", "target doctor"}


def test_every_command_has_an_example() -> None:
    assert len(ALL) > len(COMMANDS)
    assert [path for path, told in ALL.items() if len(examples(told)) != 1 or path not in examples(told)[0]] == []


def examples(told: str) -> list[str]:
    return re.findall(r"^Example: (.+(?:\n.+)*)", told, re.MULTILINE)


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=[pytest.mark.slow] if path in LONG else []) for path in sorted(ALL.keys() - ENDLESS)],
)
def test_the_example_works(target: Target, emulator: Emulator, rules: Path, path: str) -> None:
    example = " ".join(examples(ALL[path])[0].split()).partition(" > ")[0]
    words = shlex.split(example.replace(EMULATOR, emulator.url).replace("100000", "100"))
    for name in [word for word in words if word.endswith(".json") and word != rules.name]:
        shutil.copy(rules, name)
    for name in [word for word in words if word.endswith((".csv", ".jsonl"))]:
        Path(name).write_text("tntId\nanna\nben\n" if name.endswith(".csv") else json.dumps({"tntId": "anna"}) + "\n")
    if "--emulator" in words and emulator.url not in words:
        words.insert(words.index("--emulator") + 1, emulator.url)
    if "--token" in words:
        target("offers", "home", "--prefetch", "--emulator", emulator.url)
    ended = target(*words[1:])
    # A lint that finds something in the sample shop has done its work, too.
    assert ended.code in ((0, 1) if "lint" in words else (0,)), ended.err
    assert ended.out or ended.err
