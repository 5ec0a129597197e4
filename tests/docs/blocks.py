"""A Markdown page as its reader uses it: the Python blocks one after another, and where its links lead."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

#: Where the pages say that the emulator listens.
DOCUMENTED_DOMAIN = "127.0.0.1:8080"


def run_blocks(page: Path, names: dict[str, Any], server_domain: str) -> Iterator[int]:
    """Run the page's Python blocks in order, all in `names`, against `server_domain`; yields the number of each."""
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
    for number, block in enumerate(blocks, 1):
        code = block.replace(DOCUMENTED_DOMAIN, server_domain)
        exec(compile(code, f"{page.name}, Python block {number}", "exec"), names)
        yield number


def links(page: Path) -> list[str]:
    """The targets of the page's links to this repository's own files and headings."""
    found = set(re.findall(r"\]\(([^()\s]+)\)", page.read_text()))
    return sorted(link for link in found if not link.startswith(("https://", "http://")))


def leads_somewhere(page: Path, link: str) -> bool:
    """Whether the file that `link` of `page` names exists, and has the heading after the `#`."""
    path, _, heading = link.partition("#")
    target = page.parent / path if path else page
    return target.exists() and (not heading or heading in _headings(target))


def _headings(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
