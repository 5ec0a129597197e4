"""The command `python -m target.emulator`: prints where it listens, stops when told, and explains what is wrong."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from target.emulator.__main__ import main
from tests.kit.processes import ROOT

EXAMPLE = ROOT / "examples" / "offers.json"
QUERY = "imsOrgId=acme%40AdobeOrg&sessionId=s1"


def start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "error", "-m", "target.emulator", *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.waits
@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_it_prints_its_port_serves_the_file_and_stops_quietly(stop: signal.Signals, pool: Any) -> None:
    with start("--port", "0", "--offers", str(EXAMPLE)) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = re.fullmatch(r"target emulator listening on (http://127\.0\.0\.1:\d+)\n", line)
            assert found is not None, line
            body = json.dumps({"context": {"channel": "web"}, "prefetch": {"mboxes": [{"name": "product1"}]}})
            response = pool.request("POST", f"{found[1]}/rest/v1/delivery?{QUERY}", body=body)
            assert response.json()["prefetch"]["mboxes"][0]["options"][0]["content"]["layout"] == "gallery"
        finally:
            process.send_signal(stop)
        output = process.stdout.read()
        errors = process.communicate(timeout=20)[1]
    assert "it is not Adobe Target" in output
    assert f"{EXAMPLE}: 3 mboxes, 1 views, a page load" in output
    assert (process.returncode, errors) == (0, "")


def test_its_flags_reach_the_server(pool: Any) -> None:
    with start("--port", "0", "--latency-ms", "150", "--fail", "1:502", "--seed", "1") as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().split()[-1]
            response = pool.request("POST", f"{url}/rest/v1/delivery?{QUERY}", body=b"{}")
            assert response.status == 502
        finally:
            process.terminate()
        process.communicate(timeout=20)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--port", "65536"], "'65536' is no port; give 0 (any) to 65535"),
        (["--port", "x"], "'x' is no port; give 0 (any) to 65535"),
        (["--latency-ms", "-1"], "'-1' is no latency; give milliseconds from 0 to 3600000"),
        (["--latency-ms", "soon"], "'soon' is no latency"),
        (["--latency-ms", "nan"], "'nan' is no latency"),
        (["--seed", "x"], "invalid int value"),
    ],
)
def test_a_bad_flag_is_explained(arguments: list[str], problem: str, capsys: Any) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert problem in capsys.readouterr().err


def test_a_bad_fail_is_explained(capsys: Any) -> None:
    assert main(["--fail", "503"]) == 2
    assert capsys.readouterr().err.startswith("target emulator: --fail: '503' is not RATE:STATUS; write ")


def test_a_bad_offers_file_is_explained(tmp_path: Path, capsys: Any) -> None:
    file = tmp_path / "mine.json"
    file.write_text('{"mboxes": {"home": 1}}', encoding="utf-8")
    assert main(["--offers", str(file)]) == 2
    assert capsys.readouterr().err == (
        f"target emulator: --offers: {file}: /mboxes/home: must be an object with options, metrics\n"
    )


def test_a_port_in_use_is_explained(capsys: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        before = signal.getsignal(signal.SIGTERM)
        assert main(["--port", str(port)]) == 2
        assert signal.getsignal(signal.SIGTERM) is before
    message = capsys.readouterr().err
    assert message.startswith(f"target emulator: cannot listen on 127.0.0.1 port {port}: ")
    assert message.endswith("; try --port 0\n")


@pytest.mark.parametrize("package", ["uvicorn", "starlette"])
def test_a_missing_extra_is_named(package: str) -> None:
    code = (
        "import runpy, sys\n"
        f"class Missing:\n"
        f"    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.split('.')[0] == {package!r}:\n"
        f"            raise ModuleNotFoundError('No module named {package}', name={package!r})\n"
        "sys.meta_path.insert(0, Missing())\n"
        "sys.argv = ['target.emulator', '--port', '0']\n"
        "runpy.run_module('target.emulator', run_name='__main__')\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=30, check=False
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == (
        f"target emulator: the emulator needs the package {package}: run pip install 'target-delivery[emulator]'\n"
    )
