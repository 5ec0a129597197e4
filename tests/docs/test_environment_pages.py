"""Pages about event loops, containers, serverless functions and vcrpy tell the truth: their Python runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from target.emulator import Emulator, load_offers, parse_offers, running
from tests.docs.blocks import DOCUMENTED_DOMAIN, leads_somewhere, links, run_blocks
from tests.kit.processes import ROOT, run_process

DOCS = ROOT / "docs"
PAGES = [
    "asyncio",
    "celery",
    "containers",
    "frameworks",
    "gevent",
    "index",
    "serverless",
    "testing",
    "uwsgi",
    "vcrpy",
    "versioning",
]


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with running(offers=load_offers(ROOT / "examples/offers.json").in_cluster("38")) as served:
        yield served


def first_block(name: str, emulator: Emulator) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": name}
    assert next(run_blocks(DOCS / f"{name}.md", names, emulator.server_domain)) == 1
    return names


def test_asyncio(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    first_block("asyncio", emulator)
    assert capsys.readouterr().out.startswith("<h1>Summer sale: 20 % off everything</h1> {'layout': ")


def test_serverless(emulator: Emulator) -> None:
    names = first_block("serverless", emulator)
    first = names["handler"]({"version": "2.0"}, None)
    assert (first["statusCode"], first["body"]) == (200, "<h1>Summer sale: 20 % off everything</h1>")
    cookies = [cookie.partition(";")[0] for cookie in first["cookies"]]
    assert [cookie.partition("=")[0] for cookie in cookies] == ["mbox", "mboxEdgeCluster"]
    names["handler"]({"version": "2.0", "cookies": cookies}, None)
    before, after = emulator.received[-2:]
    assert after.query["sessionId"] == before.query["sessionId"]
    names["client"].close()


def test_containers(emulator: Emulator) -> None:
    names = first_block("containers", emulator)
    browser = names["app"].test_client()
    assert [browser.get(path).status_code for path in ("/live", "/ready", "/status")] == [204, 204, 200]
    assert browser.get("/status").json["callbacks"] == 0
    names["client"].close()
    text = (DOCS / "containers.md").read_text(encoding="utf-8")
    (pod,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    (container,) = yaml.safe_load(pod)["containers"]
    probed = {probe["httpGet"]["path"] for key, probe in container.items() if key.endswith("Probe")}
    assert probed <= {str(rule) for rule in names["app"].url_map.iter_rules()}


def test_vcrpy(emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = first_block("vcrpy", emulator)
    assert names["recorded"] == "<h1>Summer sale: 20 % off everything</h1>"
    cassette = (tmp_path / "home.yaml").read_text(encoding="utf-8")
    assert "1234567890@AdobeOrg" not in cassette.replace("%40", "@")
    assert "sessionId=SESSION" in cassette
    assert "acmeclient" not in cassette
    assert "X-Request-Id" not in cassette


def blocks(name: str, server_domain: str) -> list[str]:
    text = (DOCS / f"{name}.md").read_text(encoding="utf-8").replace(DOCUMENTED_DOMAIN, server_domain)
    return re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


DJANGO = """
from django.conf import settings
names = {{}}
exec({settings!r}, names)
settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], MIDDLEWARE=names["MIDDLEWARE"], TARGET=names["TARGET"])
import django
django.setup()
exec({views!r}, globals())
from django.urls import path
from django.test import Client
urlpatterns = [path("", index), path("awaited", index_awaited)]
for page in ("/", "/awaited"):
    answer = Client().get(page)
    print(answer.content.decode())
print(sorted(answer.cookies))
"""


@pytest.mark.parametrize("has_offers", [True, False], ids=["offers", "default content"])
def test_frameworks(has_offers: bool) -> None:
    from fastapi.testclient import TestClient

    offers = load_offers(ROOT / "examples/offers.json") if has_offers else parse_offers({})
    with running(offers=offers.in_cluster("38")) as emulator:
        names: dict[str, Any] = {"__name__": "shop"}
        flask, fastapi, settings, views = blocks("frameworks", emulator.server_domain)
        exec(flask, names)
        exec(fastapi, names)
        page = names["app"].test_client().get("/")
        assert page.text == ("<h1>Summer sale: 20 % off everything</h1>" if has_offers else "<h1>Welcome</h1>")
        cookies = [cookie.partition("=")[0] for cookie in page.headers.getlist("Set-Cookie")]
        assert cookies == ["mbox", "mboxEdgeCluster"]
        with TestClient(names["api"]) as browser:
            assert browser.get("/").text == page.text
            assert set(browser.cookies) == set(cookies)
        names["app"].extensions["target"].client.close()
        run = run_process(DJANGO.format(settings=settings, views=views))
        assert run.stdout.splitlines() == [page.text, page.text, str(cookies)], run.stderr


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    path = DOCS / f"{page}.md"
    assert [link for link in links(path) if not leads_somewhere(path, link)] == []
