"""docs/desk.md tells the truth: who installs what it says, in an empty venv, can type all of it as it stands."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.docs.blocks import leads_somewhere, links
from tests.kit.processes import ROOT

PAGE = ROOT / "docs/desk.md"
BLOCKS = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
_START_S = 60


@contextmanager
def emulator(command: str, folder: Path, variables: dict[str, str]) -> Iterator[None]:
    """The emulator that the page starts, from when it answers to when it is left."""
    with (folder / "emulator.txt").open("w") as said:
        process = subprocess.Popen(
            ["bash", "-c", f"exec {command}"], cwd=folder, env=variables, stdout=said, stderr=said
        )
        try:
            ends = time.monotonic() + _START_S
            while time.monotonic() < ends and process.poll() is None:
                with suppress(OSError):
                    urllib.request.urlopen("http://127.0.0.1:8080/_/counts", timeout=5).close()
                    break
                time.sleep(0.1)
            assert process.poll() is None, (folder / "emulator.txt").read_text()
            yield
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 0


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(not (shutil.which("bash") and shutil.which("curl")), reason="needs bash and curl")
def test_all_of_it_runs_as_it_is_written_in_an_empty_venv(tmp_path: Path) -> None:
    with socket.socket() as port:
        if port.connect_ex(("127.0.0.1", 8080)) == 0:
            pytest.skip("something else listens on port 8080, which the page names")
    (install, serve), *others = [block.splitlines() for block in BLOCKS]
    assert install == "pip install 'target-delivery[emulator,cli]'"
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    subprocess.run([sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path), str(ROOT)], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    pip = [str(tmp_path / "venv/bin/pip"), "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, f"{wheel}[emulator,cli]"], check=True, timeout=400)
    path = f"{tmp_path / 'venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    variables = {**kept, "PATH": path, "XDG_CONFIG_HOME": str(tmp_path / "config"), "NO_PROXY": "127.0.0.1"}
    typed = "\n".join(line for block in others for line in block)
    with emulator(serve, tmp_path, variables):
        done = subprocess.run(
            ["bash", "-c", f"set -e\n{typed}\n"],
            cwd=tmp_path,
            env=variables,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        page = urllib.request.Request("http://127.0.0.1:8080/", headers={"Accept": "text/html"})
        with urllib.request.urlopen(page, timeout=20) as answer:
            assert "Summer sale on the home page" in answer.read().decode()
        urllib.request.urlopen("http://127.0.0.1:8080/_/static/pico.classless.min.css", timeout=20).close()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Welcome back, Ann: a gold member sees Greeting of members." in done.stdout
    assert "paymentExperience = " in done.stdout
    assert '"tntId": "anna"' not in done.stdout.split("POST http://127.0.0.1:8080")[1].split("}")[0]
    assert "B: silver" in done.stdout
    assert "they differ" in done.stdout
    assert done.stdout.count("Taken: 1") == 2
    assert "free shipping" in done.stdout
    assert (tmp_path / "target.bash").stat().st_size > 100


@pytest.mark.parametrize("link", links(PAGE))
def test_links_lead_somewhere(link: str) -> None:
    assert leads_somewhere(PAGE, link)
