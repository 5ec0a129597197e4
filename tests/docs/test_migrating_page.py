"""docs/migrating.md tells the truth: its names are those of the command, what it says of results is so."""

from __future__ import annotations

import logging
import re

import pytest

import target
from target import DeliveryRequest, Notification, Property, TargetClient, TargetDeliveryResponse
from target.migrate.names import PACKAGES, new_name
from target.migrate.rewrite import rewrite
from tests.docs.blocks import leads_somewhere, links
from tests.kit.processes import ROOT

PAGE = ROOT / "docs/migrating.md"
TEXT = PAGE.read_text(encoding="utf-8")


def rows(title: str) -> dict[str, str]:
    section = TEXT.split(f"\n## {title}\n")[1].partition("\n## ")[0]
    return dict(re.findall(r"^\| (.+?) \| (.+) \|$", section, re.MULTILINE)[1:])


def test_what_stands_on_the_left_becomes_what_stands_on_the_right() -> None:
    names = rows("Names")
    assert names["`ModelProperty`"] == f"`{new_name('delivery_api_client', 'ModelProperty')}`"
    imports = [left.strip("`") for left in names if re.fullmatch(r"`from \w+ import \w+`", left)]
    assert imports
    for line in imports:
        assert rewrite(line.encode()).decode() == names[f"`{line}`"].strip("`")
    call = next(left for left in names if "get_epoch_time_milliseconds" in left).strip("`")
    module, _, name = call.removesuffix("()").rpartition(".")
    migrated = rewrite(f"from {module} import {name}\n{name}()".encode()).decode()
    assert migrated == f"import time\n{names[f'`{call}`'].strip('`')}"
    enum = next(left for left in names if "target_tools.enums" in left).strip("`").rpartition(".")[2]
    assert getattr(target, enum).HYBRID.value == "hybrid"


def test_every_package_of_theirs_is_named() -> None:
    assert [package for package in PACKAGES if package not in TEXT] == []


def test_what_is_said_of_options_and_results() -> None:
    model = DeliveryRequest(
        property=Property(token="t"), notifications=[Notification(id="1", type="display", timestamp=1)]
    )
    assert model.to_dict() == {
        "property": {"token": "t"},
        "notifications": [{"id": "1", "type": "display", "timestamp": 1}],
    }
    assert isinstance(model.to_str(), str)
    assert callable(TargetDeliveryResponse.to_str)

    class Log:
        def debug(self, *_: object, **__: object) -> None: ...
        def error(self, *_: object, **__: object) -> None: ...

    for logger in (Log(), logging.LoggerAdapter(logging.getLogger("shop"), {})):
        TargetClient.create({"client": "a", "organization_id": "b@AdobeOrg", "logger": logger}).close()


@pytest.mark.parametrize("link", links(PAGE))
def test_links_lead_somewhere(link: str) -> None:
    assert leads_somewhere(PAGE, link)


def test_readme_leads_here() -> None:
    assert "docs/migrating.md" in (ROOT / "README.md").read_text(encoding="utf-8")
