"""`make docs`: the site is made without a warning, is whole, and needs nothing that is not in it."""

from __future__ import annotations

import html.parser
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import target
from tests.kit.processes import ROOT

pytestmark = pytest.mark.slow
LOADED = {("script", "src"), ("link", "href"), ("img", "src"), ("iframe", "src"), ("source", "src")}


class Page(html.parser.HTMLParser):
    """What a page of the site loads, and where it leads."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.leads: list[str] = []
        self.ids: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if (tag, name) in LOADED and value:
                self.loads.append(value)
            if (tag, name) == ("a", "href") and value:
                self.leads.append(value)
            if name == "id" and value:
                self.ids.add(value)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    (line,) = re.findall(r"^\t\$\(BIN\)/python (-m sphinx .*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, *line.replace("build/docs", str(folder)).split()]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=50)
    assert (run.returncode, run.stderr) == (0, ""), run.stderr
    return folder


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    pages = {path: Page(path) for path in site.rglob("*.html")}
    assert [url for page in pages.values() for url in page.loads if re.match("https?:|//", url)] == []
    styles = "\n".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    assert re.findall(r"(?:@import|url\()\s*[\"']?(?:https?:)?//[^)]*", styles) == []


def test_every_link_within_the_site_leads_somewhere(site: Path) -> None:
    pages = {path.resolve(): Page(path) for path in site.rglob("*.html")}
    broken = []
    for path, page in pages.items():
        for link in page.leads:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            to = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            known = pages.get(to)
            if not to.exists() or (known and parts.fragment and unquote(parts.fragment) not in known.ids):
                broken.append(f"{path.relative_to(site.resolve())}: {link}")
    assert sorted(set(broken)) == []


def test_every_page_of_docs_is_there_and_can_be_searched(site: Path) -> None:
    pages = {path.relative_to(ROOT / "docs").with_suffix("") for path in (ROOT / "docs").rglob("*.md")}
    assert [page for page in pages if not (site / page).with_suffix(".html").exists()] == []
    words = (site / "searchindex.js").read_text(encoding="utf-8")
    assert all(word in words for word in ("breaker_failur", "uwsgi", "outbox"))


def test_everything_that_is_exported_is_in_the_reference(site: Path) -> None:
    ids = {page: Page(site / f"{page}.html").ids for page in ("reference", "models")}
    described = set().union(*ids.values())
    modules = ("target", "target.errors", "target.options")
    assert [n for n in target.__all__ if not {f"{module}.{n}" for module in modules} & described] == []
    assert {"target.options.CommonOptions.timeout", "target.TargetClient.get_offers"} <= ids["reference"]
