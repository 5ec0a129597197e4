"""What clients log while a command runs, and what of it is told."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from target.cli.warned import kept_warnings
from target.emulator import Emulator
from tests.unit.cli.conftest import Target

ODD = ("--client", "acme", "--organization-id", "odd")
SAID = "target: warning: Option 'organization_id' does not end in @AdobeOrg"


def test_warnings_are_kept_until_the_end() -> None:
    with kept_warnings() as warnings:
        logging.getLogger("target").warning("take %s", "care")
        logging.getLogger("target").info("nothing")
        assert warnings == ["take care"]
    logging.getLogger("target").warning("later")
    assert warnings == ["take care"]


def test_a_warning_is_a_line_of_the_command(target: Target, emulator: Emulator) -> None:
    ended = target("offers", "home", *ODD, "--emulator", emulator.url, "--json")
    assert (ended.code, ended.err.count("\n")) == (0, 1)
    assert ended.err.startswith(SAID)
    assert json.loads(ended.out)["response"]["status"] == 200


def test_what_failed_is_told_with_what_was_warned_of(target: Target) -> None:
    warned, failed = target("offers", "home", *ODD, "--emulator", "http://127.0.0.1:9").err.splitlines()
    assert warned.startswith(SAID)
    assert "cannot be reached" in failed


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"execute": {"mboxes": [{"nam": "home"}]}}, "/execute/mboxes/0: it has no name"),
        ({"execute": {"mboxes": [{"name": "home"}, {"name": 7}]}}, "/execute/mboxes/1/name: must be a string"),
        ({"execute": {}}, "Either pageLoad or mboxes is required in execute"),
    ],
)
def test_a_request_that_cannot_be_sent_is_one_line_with_its_place(
    target: Target, rules: Path, tmp_path: Path, request_: object, said: str
) -> None:
    (tmp_path / "request.json").write_text(json.dumps(request_), encoding="utf-8")
    for command in (("offers", "--artifact", rules), ("explain", rules)):
        ended = target(*command, "--request", "request.json")
        assert (ended.code, ended.out, ended.err.count("\n")) == (1, "", 1)
        assert ended.err.startswith(f"target: request.json: {said}")


def test_a_flag_that_cannot_be_sent_is_a_mistake_of_the_call(target: Target, rules: Path, tmp_path: Path) -> None:
    (tmp_path / "request.json").write_text('{"execute": {"pageLoad": {}}}', encoding="utf-8")
    for wrong in (["home", "--session-id", "a b"], ["home", "--geo", "latitude=nan"], [""]):
        assert target("offers", *wrong, "--artifact", rules).code == 2, wrong
    ended = target("offers", "--request", "request.json", "--session-id", "a b", "--artifact", rules)
    assert (ended.code, ended.err.count("\n")) == (2, 1)
