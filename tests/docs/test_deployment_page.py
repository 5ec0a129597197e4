"""Pages about servers tell the truth: their applications run here, and tests/lifecycle runs their commands."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from target.emulator import load_offers, running
from tests.docs.blocks import leads_somewhere, links
from tests.kit.processes import ROOT
from tests.lifecycle.recipes import PAGES, TEXT, commands, environment, files, write_files

FLAGS = json.loads((ROOT / "examples/offers.json").read_text())["mboxes"]["feature-flag-a"][0]["content"]
VISITS = {
    "shop_flask": """
        from shop_flask import app
        browser = app.test_client()
        def visit(method, path):
            return browser.open(path, method=method).json
    """,
    "shop_django": """
        from shop_django import app
        from django.test import Client
        browser = Client()
        def visit(method, path):
            return browser.generic(method, path).json()
    """,
    "shop_starlette": """
        from shop_starlette import app
        from starlette.testclient import TestClient
        browser = TestClient(app).__enter__()
        def visit(method, path):
            return browser.request(method, path).json()
    """,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", VISITS)
def test_application(name: str, tmp_path: Path) -> None:
    """One page view and one order; the order is sent when the process ends, or when its lifespan does."""
    script = "\n".join(line.removeprefix("        ") for line in VISITS[name].splitlines())
    script += "\nimport json\nprint(json.dumps([visit('GET', '/'), visit('POST', '/orders/order-7')]))\n"
    script += "getattr(browser, '__exit__', lambda *_: None)(None, None, None)\n"
    with running(offers=load_offers(ROOT / "examples/offers.json")) as emulator:
        write_files(tmp_path, emulator.server_domain)
        printed = subprocess.run(
            [sys.executable, "-c", script],
            cwd=tmp_path,
            env=environment(tmp_path),
            check=True,
            stdout=subprocess.PIPE,
            timeout=30,
        ).stdout
        assert [item["notification"]["id"] for item in emulator.notifications] == ["order-7"]
        assert [request.status for request in emulator.received] == [200, 200]
    assert json.loads(printed) == [FLAGS, {"order": "order-7"}]


def test_commands_name_applications_of_the_page() -> None:
    words = [word for command in commands(TEXT) for word in command.split()]
    applications = {word.removesuffix(":app") + ".py" for word in words if word.endswith(":app")}
    named = applications | {"tasks.py", *(word for word in words if word.endswith(".py"))}
    assert "tasks" in words
    assert named == set(files(TEXT)) - {"target_client.py"}


@pytest.mark.parametrize(("page", "link"), [(page, link) for page in PAGES for link in links(page)])
def test_links(page: Path, link: str) -> None:
    assert leads_somewhere(page, link)
