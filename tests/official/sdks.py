"""Adobe's own SDKs, each in a process and a folder of its own, driven step by step."""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from benchmarks.official_venv import official_python
from target.emulator import Emulator
from tests.kit.processes import ROOT

HERE = Path(__file__).parent
NODE_FOLDER = ROOT / "build" / "official"
NODE_SDK = "@adobe/target-nodejs-sdk@2.4.3"
_STEP_S = 45
_INSTALL_S = 240


class Missing(Exception):
    """An SDK cannot be had here; the message says why."""


class Sdk:
    """One SDK: makes clients, and asks them. One process for each client, since Python's SDK keeps global state."""

    def __init__(self, name: str, command: list[str], environment: dict[str, str]) -> None:
        self.name = name
        self._command, self._environment = command, environment
        self._processes: list[subprocess.Popen[str]] = []
        self._answers: queue.Queue[str] = queue.Queue()

    def create(self, emulator: Emulator, cdn: Emulator, method: str = "server-side") -> None:
        """Begin anew, with a client of the emulator's; ``cdn`` serves rules and places, over HTTPS."""
        self.close()
        trusted = {"SSL_CERT_FILE": str(cdn.ca_file), "NODE_EXTRA_CA_CERTS": str(cdn.ca_file)}
        self._answers = answers = queue.Queue()
        process = subprocess.Popen(
            self._command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **self._environment, **trusted},
            start_new_session=True,
        )
        self._processes.append(process)
        assert process.stdout is not None
        lines = process.stdout

        def read() -> None:
            for line in lines:
                answers.put(line)

        threading.Thread(target=read, daemon=True).start()
        created = self._step(create=self._options(emulator, cdn, method))
        assert created == {"created": True}, created

    def offers(self, request: dict[str, Any], cookie: str | None = None) -> dict[str, Any]:
        """What ``get_offers`` returned."""
        return self._ask("getOffers" if self.name == "node" else "get_offers", request, cookie)

    def notify(self, request: dict[str, Any], cookie: str | None = None) -> dict[str, Any]:
        """What ``send_notifications`` returned."""
        return self._ask("sendNotifications" if self.name == "node" else "send_notifications", request, cookie)

    def close(self) -> None:
        """End its processes: Python's SDK never ends by itself while it polls."""
        for process in self._processes:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
        self._processes.clear()

    def _ask(self, method: str, request: dict[str, Any], cookie: str | None) -> dict[str, Any]:
        name = "targetCookie" if self.name == "node" else "target_cookie"
        options = {"request": {"context": {"channel": "web"}, **request}, **({name: cookie} if cookie else {})}
        answer = self._step(ask=method, options=options)
        assert "error" not in answer, answer
        return answer

    def _step(self, **step: Any) -> dict[str, Any]:
        process = self._processes[-1]
        assert process.stdin is not None
        process.stdin.write(json.dumps(step) + "\n")
        process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._answers.get(timeout=_STEP_S))
        return answer

    def _options(self, emulator: Emulator, cdn: Emulator, method: str) -> dict[str, Any]:
        if self.name == "node":
            return {
                "client": "acmeclient",
                "organizationId": "1234567890@AdobeOrg",
                "serverDomain": emulator.server_domain,
                "secure": False,
                "timeout": 10_000,
                "decisioningMethod": method,
                "artifactLocation": f"{cdn.url}/acmeclient/production/v1/rules.json",
                "geo": f"{cdn.url}/v1/geo",
            }
        return {
            "client": "acmeclient",
            "organization_id": "1234567890@AdobeOrg",
            "server_domain": emulator.server_domain,
            "secure": False,
            "timeout": 10_000,
            "decisioning_method": method,
            "cdn_base_path": cdn.server_domain,
        }


def open_node() -> Sdk:
    """Adobe's SDK for Node.js. Raises Missing where there is no Node.js, or npm cannot fetch it."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise Missing("Node.js and npm are not installed")
    ready = NODE_FOLDER / ".ready"
    if not ready.exists() or ready.read_text(encoding="utf-8") != NODE_SDK:
        NODE_FOLDER.mkdir(parents=True, exist_ok=True)
        install = [
            "npm",
            "install",
            "--prefix",
            str(NODE_FOLDER),
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
            NODE_SDK,
        ]
        try:
            subprocess.run(install, check=True, capture_output=True, timeout=_INSTALL_S)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as problem:
            raise Missing(f"npm cannot fetch {NODE_SDK}") from problem
        ready.write_text(NODE_SDK, encoding="utf-8")
    return Sdk("node", ["node", str(HERE / "drive.js")], {"NODE_PATH": str(NODE_FOLDER / "node_modules")})


def open_python() -> Sdk:
    """Adobe's SDK for Python. Raises Missing where its venv cannot be made."""
    try:
        python = official_python()
    except (OSError, subprocess.CalledProcessError) as problem:
        raise Missing("the venv for Adobe's Python SDK cannot be made") from problem
    return Sdk("python", [str(python), str(HERE / "drive.py")], {"PYTHONWARNINGS": "ignore"})


def main() -> int:
    """Fetch what can be fetched; 1 where an SDK is missing."""
    missing = 0
    for name, opened in (("Node.js", open_node), ("Python", open_python)):
        try:
            opened()
        except Missing as why:
            sys.stdout.write(f"{name}: {why}\n")
            missing = 1
        else:
            sys.stdout.write(f"{name}: ready\n")
    return missing


if __name__ == "__main__":
    sys.exit(main())
