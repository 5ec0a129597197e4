"""Answers that were recorded: played back without a network, whoever runs the tests."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any, NoReturn

import pytest
import vcr
from shop.banner import banner_of

from target import TargetClient

CASSETTES = Path(__file__).with_name("cassettes")


def refuse(*_: object) -> NoReturn:
    raise AssertionError("a recorded test tried to reach a host")


def test_the_banner_of_an_account(target_vcr_config: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """To record it anew from your account: ``record_mode="all"``, with its client code and organization."""
    monkeypatch.setattr(socket.socket, "connect", refuse)
    recorder = vcr.VCR(**target_vcr_config, record_mode="none", cassette_library_dir=str(CASSETTES))
    account = TargetClient.create(client="anybody", organization_id="0000@AdobeOrg")
    with account as client, recorder.use_cassette("banner.yaml"):
        shown = client.get_offers(request={"prefetch": {"mboxes": [{"name": "home"}, {"name": "teaser"}]}})
        client.notify(shown, displayed=["home"])
    assert banner_of(shown) == "<h1>Summer sale</h1><p>Bag: 49 EUR</p>"
