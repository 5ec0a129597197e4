"""Makes the pictures of README and docs/: the emulator's page, and a session of the command, both as they are.

It needs Chromium (`make browsers`). The emulator serves the sample shop on port 8080, where the docs have it.
"""

from __future__ import annotations

import os
import pty
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from playwright.sync_api import sync_playwright
from rich.console import Console
from rich.text import Text

from target import TargetClient
from target.emulator import Emulator, running

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
_VISITORS = 240
_COLUMNS = 100
_SESSION = (
    "target artifact fetch --emulator {url} --out rules.json",
    "target offers greeting --emulator {url} --param membership=gold --param firstName=Ann",
    "target explain rules.json greeting --tnt-id anna --param membership=silver",
    "target artifact simulate rules.json --mbox home --visitors 2000 --no-progress",
)


def main() -> int:
    """Make both; the exit code."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("Chromium is needed: make browsers")
    PICTURES.mkdir(parents=True, exist_ok=True)
    with running() as emulator:
        visit(emulator)
        picture_page(emulator, chromium)
        picture_session(emulator)
    print(f"wrote {', '.join(sorted(path.name for path in PICTURES.iterdir()))}")
    return 0


def visit(emulator: Emulator) -> None:
    """A morning in the shop: the same visitors in every run."""
    with TargetClient.create(
        client="acmeclient",
        organization_id="1234567890@AdobeOrg",
        server_domain=emulator.server_domain,
        secure=False,
        telemetry_enabled=False,
    ) as client:
        for number in range(_VISITORS):
            asked = {"mboxes": [{"name": "home"}, {"name": "prices"}]}
            result = client.get_offers(request={"id": {"tntId": f"visitor{number}"}, "execute": asked})
            if number % 5 == 0:
                client.notify(result, clicked=["home"])


def picture_page(emulator: Emulator, chromium: str) -> None:
    """The page as a browser shows it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1200, "height": 1060})
        page.goto(emulator.url)
        page.screenshot(path=PICTURES / "emulator.png")
        browser.close()


def picture_session(emulator: Emulator) -> None:
    """Commands, and what they print on a terminal."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=_COLUMNS, file=nowhere, force_terminal=True)
        with tempfile.TemporaryDirectory() as folder:
            for command in _SESSION:
                typed = command.format(url=emulator.url)
                console.print(Text(f"$ {typed.replace(emulator.url, '').replace('  ', ' ')}", style="bold"))
                console.print(Text.from_ansi(_printed(typed, folder).replace(emulator.url, "http://127.0.0.1:8080")))
        svg = console.export_svg(title="target", unique_id="session")
    # A picture loads nothing from elsewhere, fonts neither.
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL).replace("Fira Code, monospace", "monospace")
    (PICTURES / "session.svg").write_text(svg, encoding="utf-8")


def _printed(command: str, folder: str) -> str:
    """What a command prints on a terminal."""
    own, other = pty.openpty()
    printed: list[bytes] = []

    def read() -> None:
        while True:
            try:
                piece = os.read(own, 65_536)
            except OSError:  # the terminal has ended
                return
            if not piece:
                return
            printed.append(piece)

    reader = threading.Thread(target=read)
    reader.start()
    environment = {**os.environ, "COLUMNS": str(_COLUMNS), "TERM": "xterm-256color"}
    words = [sys.executable, "-m", "target", *shlex.split(command)[1:]]
    subprocess.run(words, cwd=folder, stdin=other, stdout=other, stderr=other, env=environment, check=False, timeout=60)
    os.close(other)
    reader.join()
    os.close(own)
    return b"".join(printed).decode().replace("\r\n", "\n").rstrip()


if __name__ == "__main__":
    sys.exit(main())
