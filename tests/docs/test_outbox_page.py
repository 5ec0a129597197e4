"""docs/outbox.md tells the truth: its Python runs against the emulator, its tables name what the code has."""

from __future__ import annotations

import inspect
import typing
from pathlib import Path
from typing import Any

import pytest

from target import Outbox
from target.emulator import load_offers, running
from target.outbox import DeathReason  # type: ignore[attr-defined]
from target.testing.stores import StoreSuite
from tests.docs.blocks import leads_somewhere, links, run_blocks
from tests.kit.json_store import JsonStore
from tests.kit.processes import ROOT
from tests.kit.told import tables_in, told

PAGE = ROOT / "docs/outbox.md"
TEXT = PAGE.read_text()


def test_the_blocks_send_their_notifications(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with running(offers=load_offers(ROOT / "examples/offers.json")) as emulator:
        names: dict[str, Any] = {"__name__": "outbox"}
        names["ShopStore"] = lambda path, settings: JsonStore(tmp_path / Path(path).name, settings)
        assert list(run_blocks(PAGE, names, emulator.server_domain)) == [1, 2, 3]
        assert [item["notification"]["id"] for item in emulator.notifications] == ["order-7", "order-8"]
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "['order-7']"
    assert printed[1].startswith("0 {'queued': 1, ")
    assert printed[2:] == ["True"]
    assert (tmp_path / "outbox.json").exists()
    assert issubclass(names["TestShopStore"], StoreSuite)


def test_options_and_their_defaults_are_those_of_the_code() -> None:
    (table,) = tables_in(TEXT, "Options")
    parameters = dict(inspect.signature(Outbox.redis).parameters)
    del parameters["url"]
    assert parameters.items() >= inspect.signature(Outbox.memory).parameters.items()
    assert table == {name: told(parameter.default) for name, parameter in parameters.items()}


def test_reasons_are_those_of_the_code() -> None:
    assert all(f"`{reason}`" in TEXT for reason in typing.get_args(DeathReason))


@pytest.mark.parametrize("link", links(PAGE))
def test_links_lead_somewhere(link: str) -> None:
    assert leads_somewhere(PAGE, link)
