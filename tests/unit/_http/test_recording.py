"""vcrpy works on a client as it does on any user of urllib3: nothing to set up, before or after a real call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import vcr
import vcr.errors

from target import TargetClient
from target._http.connect import DEADLINE_CLASSES
from tests.kit.calls import CALL, MakeClient, client_of
from tests.kit.loopback import Answer, LoopbackServer, serving
from tests.kit.tls import Authority


def name(client: TargetClient) -> str | None:
    return client.get_offers(**CALL).response.client


@pytest.mark.parametrize("secure", [False, True], ids=["http", "tls"])
@pytest.mark.parametrize("live_before", [False, True], ids=["new client", "live connection before"])
def test_a_call_is_recorded_and_replayed(live_before: bool, secure: bool, authority: Authority, tmp_path: Path) -> None:
    cassette = tmp_path / "offers.yaml"
    options: dict[str, Any] = {"secure": True, "ca_certs": authority.ca_certs} if secure else {}
    with serving(tls=authority.server_context() if secure else None) as server:
        server.answer = lambda _: Answer({"status": 200, "client": f"answer {len(server.received)}"})
        with client_of(server.domain, **options) as client:
            if live_before:
                assert name(client) == "answer 1"
            first = len(server.received) + 1
            with vcr.use_cassette(str(cassette)):
                assert name(client) == f"answer {first}"
            assert len(server.received) == first
            with vcr.use_cassette(str(cassette)) as tape:
                assert name(client) == f"answer {first}"
                assert tape.play_count == 1
            assert len(server.received) == first
            for number in (1, 2):  # and the real thing again
                assert name(client) == f"answer {first + number}"
            with vcr.use_cassette(str(cassette), record_mode="none"):
                assert name(client) == f"answer {first}"
        with client_of(server.domain, **options) as other, vcr.use_cassette(str(cassette), record_mode="none"):
            assert name(other) == f"answer {first}"
    with client_of(server.domain, **options) as client, vcr.use_cassette(str(cassette), record_mode="none"):
        assert name(client) == f"answer {first}"  # without any server


def test_a_request_that_the_cassette_lacks_is_vcrpys_to_report(make_client: MakeClient, tmp_path: Path) -> None:
    client = make_client()
    with (
        vcr.use_cassette(str(tmp_path / "empty.yaml"), record_mode="none"),
        pytest.raises(vcr.errors.CannotOverwriteExistingCassetteException),
    ):
        client.get_offers(**CALL)
    assert client.get_offers(**CALL).response.status == 200


def test_errors_are_replayed_too(server: LoopbackServer, make_client: MakeClient, tmp_path: Path) -> None:
    server.answer = lambda _: Answer({"status": 400, "message": "no"}, 400)
    for _ in range(2):
        with vcr.use_cassette(str(tmp_path / "error.yaml")), pytest.raises(Exception, match="400: no"):
            make_client().get_offers(**CALL)
    assert len(server.received) == 1


def test_cassettes_are_not_kept_in_memory(server: LoopbackServer, make_client: MakeClient, tmp_path: Path) -> None:
    client = make_client()
    client.get_offers(**CALL)
    before = len(DEADLINE_CLASSES)
    for number in range(3):
        with vcr.use_cassette(str(tmp_path / f"{number}.yaml")):
            client.get_offers(**CALL)
    assert len(DEADLINE_CLASSES) == before
    assert len(server.received) == 4
