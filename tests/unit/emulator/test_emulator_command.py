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
import urllib3

from target.emulator.__main__ import main
from tests.kit.cdn import artifact
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


def listening(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().split()[-1]


@pytest.mark.waits
def test_it_serves_rules_over_https_and_tells_of_files_that_change(tmp_path: Path) -> None:
    rules, state = tmp_path / "rules.json", tmp_path / "state.json"
    rules.write_text(json.dumps(artifact("home")), encoding="utf-8")
    with start(str(rules), "--port", "0", "--tls", "--cluster", "38", "--state", str(state)) as process:
        try:
            url = listening(process)
            assert process.stdout is not None
            assert process.stderr is not None
            said = [process.stdout.readline() for _ in range(5)]
            ca_file = said[-1].split()[2]
            body = json.dumps({"context": {"channel": "web"}, "execute": {"mboxes": [{"name": "home"}]}})
            with urllib3.PoolManager(ca_certs=ca_file) as pool:
                answer = pool.request("POST", f"{url}/rest/v1/delivery?{QUERY}", body=body).json()
            rules.write_text("{", encoding="utf-8")
            broken = process.stderr.readline()
            rules.write_text(json.dumps(artifact("home")), encoding="utf-8")
            mended = process.stderr.readline()
        finally:
            process.terminate()
        errors = process.communicate(timeout=20)[1]
    assert url.startswith("https://127.0.0.1:")
    assert f"It serves {rules}: 1 activities.\n" in said
    assert "Not emulated are Auto-Allocate" in "".join(said)
    assert answer["execute"]["mboxes"][0]["options"][0]["content"] == {"from": "home"}
    assert (answer["edgeHost"], answer["id"]["tntId"][-5:]) == ("mboxedge38.tt.omtrdc.net", ".38_0")
    assert broken.startswith(f"target emulator: {rules}: line 1, column 2")
    assert broken.endswith("; the last good rules stay in use\n")
    assert mended == f"target emulator: {rules}: read again\n"
    assert (process.returncode, errors) == (0, "")
    assert json.loads(state.read_text(encoding="utf-8"))["version"] == 1


@pytest.mark.waits
@pytest.mark.parametrize(("host", "warns"), [("0.0.0.0", True), ("localhost", False), ("127.0.0.1", False)])
def test_only_what_others_reach_is_warned_of(host: str, warns: bool) -> None:
    with start("--port", "0", "--host", host) as process:
        try:
            listening(process)
        finally:
            process.terminate()
        errors = process.communicate(timeout=20)[1]
    assert ("warning: --host 0.0.0.0 lets every machine" in errors) is warns
    assert bool(errors) is warns


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--port", "65536"], "'65536' is no port; give 0 (any) to 65535"),
        (["--port", "x"], "'x' is no port; give 0 (any) to 65535"),
        (["--latency-ms", "-1"], "'-1' is no latency; give milliseconds from 0 to 3600000"),
        (["--latency-ms", "soon"], "'soon' is no latency"),
        (["--latency-ms", "nan"], "'nan' is no latency"),
        (["--seed", "x"], "invalid int value"),
        (["--cluster", "edge38"], "'edge38' is no edge cluster; give its number, such as 38"),
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


def test_broken_rules_and_places_are_explained(tmp_path: Path, capsys: Any) -> None:
    file = tmp_path / "mine.json"
    file.write_text('{"version": "1.0.0", "rules": 5}', encoding="utf-8")
    assert main([str(file)]) == 2
    assert capsys.readouterr().err.startswith(f"target emulator: {file}: /rules: must be an object")
    assert main(["--geo", str(file)]) == 2
    assert capsys.readouterr().err.startswith(f"target emulator: --geo: {file}: /version: is no key of the format")
    assert main([str(tmp_path / "none.json")]) == 2
    assert "none.json: cannot be read" in capsys.readouterr().err


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
