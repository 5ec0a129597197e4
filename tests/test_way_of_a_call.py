"""How long the way of one call is: the files that one warm call enters, and what it calls in them."""

from __future__ import annotations

import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import target
import target_delivery_api
from target import TargetClient
from tests.kit.loopback import serving

FOLDERS = tuple(f"{Path(str(package.__file__)).parent}/" for package in (target, target_delivery_api))
# Whoever reads a call from end to end opens so many files. Raise it only for what cannot stand in one of them.
MOST_FILES = 31  # two of them generated: what a request is made of, and an answer
MOST_CALLS = 230


def entered_by(client: TargetClient, **options: Any) -> list[str]:
    """The file of every function of this package that one call enters, in the order of entering."""
    entered: list[str] = []

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(FOLDERS):
            entered.append(frame.f_code.co_filename)

    sys.setprofile(note)
    try:
        client.get_offers(**options)
    finally:
        sys.setprofile(None)
    return entered


def test_the_way_of_a_warm_call_is_short(capsys: pytest.CaptureFixture[str]) -> None:
    call = {"request": {"execute": {"mboxes": [{"name": "home"}]}}}
    with (
        serving() as server,
        TargetClient.create(
            client="acme", organization_id="1@AdobeOrg", server_domain=server.domain, secure=False
        ) as client,
    ):
        for _ in range(2):
            client.get_offers(**call)
        entered = entered_by(client, **call)
    files = Counter(path.removeprefix(next(filter(path.startswith, FOLDERS))) for path in entered)
    moves = sum(one != other for one, other in pairwise(entered))
    with capsys.disabled():
        print(f"\none warm get_offers: {len(files)} files, {len(entered)} calls, {moves} moves between files")  # noqa: T201
    assert len(files) <= MOST_FILES, sorted(files)
    assert len(entered) <= MOST_CALLS, files.most_common()
