"""How Sphinx makes a site of these pages: `make docs`. All that the site needs is in it, fonts and search too."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "generated")]

from target.version import __version__  # noqa: E402

project = "target-delivery"
author = "the authors of target-delivery"
project_copyright = "the authors of target-delivery, Apache-2.0"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["api.txt"]
html_theme = "furo"
html_title = f"target-delivery {release}"
html_show_sphinx = False
html_copy_source = False
# No external fonts, scripts or images: Furo has none, and no page may bring one.
html_static_path: list[str] = []
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
toc_object_entries = False
napoleon_use_ivar = True

#: Pages that stand beside README.md, where a checkout has them, by the name of their page here.
OUTSIDE = {
    "start": "README.md",
    "CONTRIBUTING": "CONTRIBUTING.md",
    "CHANGELOG": "CHANGELOG.md",
    "SECURITY": "SECURITY.md",
}


def read_outside(app: Any, page: str, source: list[str]) -> None:
    """Let a page that is a file beside README.md be that file, and lead every link to where its file is here."""
    text = source[0]
    if page in OUTSIDE:
        text = (ROOT / OUTSIDE[page]).read_text(encoding="utf-8")
        text = re.sub(r"\]\((?!https?:|#|docs/)([^)\s]+)\)", r"](../\1)", text)
        text = text.replace("](docs/", "](")
    up = "../" * page.count("/")
    for name, file in OUTSIDE.items():
        text = re.sub(rf"\]\((?:\.\./)+{re.escape(file)}", f"]({up}{name}.md", text)
    source[0] = text


def list_all(app: Any, page: str, source: list[str]) -> None:
    """Let the page of models have them all, as `make generate` writes them, and that of decisions each record."""
    if page == "models":
        from target_delivery_api import models

        directives = {
            name: f".. autoclass:: target.{name}\n   :members:\n"
            if isinstance(getattr(models, name), type)
            else f".. py:data:: target.{name}\n\n   What JSON holds, as a dict.\n\n"
            for name in models.__all__
        }
        source[0] += "\n\n```{eval-rst}\n" + "".join(directives.values()) + "```\n"
    elif page == "decisions/README":
        source[0] += "\n\n```{toctree}\n:hidden:\n:glob:\n*\n```\n"


def leave_options_out(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Drop the lists of options that are for `help`: the page has each option once, with its whole text."""
    listed = [at for at, line in enumerate(lines) if line.startswith("Options, as keywords")]
    if name.startswith("target.options."):
        listed = [at for at, line in enumerate(lines) if line.startswith(" ")]
    if what in ("class", "method") and listed:
        del lines[listed[0] :]


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", leave_options_out, priority=400)  # before napoleon reads them
    app.connect("source-read", read_outside)
    app.connect("source-read", list_all)
