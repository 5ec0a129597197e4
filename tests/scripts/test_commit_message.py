"""Subjects of commits: a room that there is, and what is done there."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import commit_message

KNOWN = commit_message.rooms()


@pytest.mark.parametrize(
    "message",
    [
        "outbox: keep a session's order",
        "http: Read once when an idle connection was last heard of\n\nIt was asked for twice.",
        "README: say what flush waits for",
        "tests: try both kinds of fork by one table",
        "decisioning: bound the time of a rule (5 ms)",
        "pre-commit-config: check subjects",
        "Merge branch 'main'",
        'Revert "outbox: keep a session\'s order"',
        "fixup! outbox: keep a session's order",
    ],
)
def test_a_subject_that_names_its_room_passes(message: str) -> None:
    assert commit_message.find_fault(message.splitlines(), KNOWN) is None


@pytest.mark.parametrize(
    ("message", "says"),
    [
        ("", "names no room"),
        ("Keep a session's order", "names no room"),
        ("outbox:keep order", "names no room"),
        ("outbox: keep order.", "full stop"),
        ("cellar: keep order", "There is no room 'cellar'"),
        (f"outbox: {'keep ' * 20}order", "113 characters"),
        ("outbox: keep order\nIt was lost.", "second line must be empty"),
    ],
)
def test_what_is_wrong_is_told(message: str, says: str) -> None:
    assert says in (commit_message.find_fault(message.splitlines(), KNOWN) or "")


def test_the_file_that_git_names_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "COMMIT_EDITMSG"
    path.write_text("# Please enter\noutbox: keep order\n\n# On branch main\n", encoding="utf-8")
    assert commit_message.main([str(path)]) == 0
    path.write_text("keep order\n", encoding="utf-8")
    assert commit_message.main([str(path)]) == 1
    assert "outbox: keep a session's order" in capsys.readouterr().err
