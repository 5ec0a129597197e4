"""docs/privacy.md tells the truth: what these tools record of a call, and that the page's filters take the ids away."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
import traceback
from importlib.util import find_spec
from pathlib import Path

import pytest

from target import TargetClient, TransportError
from tests.docs.blocks import leads_somewhere, links
from tests.docs.recorders import DEVICE, NOBODY, SESSION
from tests.kit.calls import ACCOUNT
from tests.kit.processes import ROOT, environment

PAGE = ROOT / "docs/privacy.md"
TEXT = PAGE.read_text()
MODULES = {
    "opentelemetry": "opentelemetry.instrumentation.urllib3 opentelemetry.instrumentation.aiohttp_client",
    "sentry": "sentry_sdk",
    "ddtrace": "ddtrace",
}
HEADINGS = {"opentelemetry": "OpenTelemetry", "sentry": "Sentry", "ddtrace": "Datadog"}
#: Those tools would otherwise talk to their services.
QUIET = {
    "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
    "DD_REMOTE_CONFIGURATION_ENABLED": "false",
    "DD_TRACE_AGENT_URL": f"http://{NOBODY}",
}


def blocks(tool: str, language: str) -> list[str]:
    section = TEXT.split(f"## {HEADINGS[tool]}\n")[1].split("\n## ")[0]
    return re.findall(rf"^```{language}\n(.*?)^```", section, re.DOTALL | re.MULTILINE)


def recorded(tool: str, tmp_path: Path, code: str | None = None, variables: dict[str, str] | None = None) -> str:
    """All that the tool records, set up by ``code`` and ``variables``."""
    for module in MODULES[tool].split():
        try:
            found = find_spec(module)
        except ModuleNotFoundError:
            found = None
        if found is None:
            pytest.skip(f"{module} is not installed")
    command = [sys.executable, "-m", "tests.docs.recorders", tool]
    if code is not None:
        (tmp_path / "set_up.py").write_text(code)
        command.append(str(tmp_path / "set_up.py"))
    run = subprocess.run(
        command,
        cwd=ROOT,
        env=environment(**QUIET, **(variables or {})),
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )
    return run.stdout


def exported(block: str) -> dict[str, str]:
    return dict(line.removeprefix("export ").split("=", 1) for line in block.splitlines())


@pytest.mark.slow
@pytest.mark.parametrize("tool", MODULES)
def test_unfiltered_it_records_the_session(tool: str, tmp_path: Path) -> None:
    seen = recorded(tool, tmp_path)
    assert seen.count(f"sessionId={SESSION}") >= (1 if tool == "sentry" else 3)
    assert (DEVICE in seen) == (tool == "sentry")  # which shows local variables, too


@pytest.mark.slow
@pytest.mark.parametrize("tool", ["opentelemetry", "sentry"])
def test_set_up_as_the_page_says_it_records_calls_without_ids(tool: str, tmp_path: Path) -> None:
    (code,) = blocks(tool, "python")
    seen = recorded(tool, tmp_path, code)
    assert "/rest/v1/delivery" in seen
    assert SESSION not in seen
    assert DEVICE not in seen


def test_the_variable_for_datadog_takes_the_query_away(tmp_path: Path) -> None:
    (block,) = blocks("ddtrace", "sh")
    seen = recorded("ddtrace", tmp_path, variables=exported(block))
    assert "/rest/v1/delivery" in seen
    assert SESSION not in seen


@pytest.mark.slow
def test_the_variables_for_opentelemetry_leave_the_calls_out(tmp_path: Path) -> None:
    (block,) = blocks("opentelemetry", "sh")
    seen = recorded("opentelemetry", tmp_path, variables=exported(block))
    assert seen.strip() == "[]"


def test_the_logger_of_urllib3_shows_urls_at_debug_only(server, caplog: pytest.LogCaptureFixture) -> None:  # type: ignore[no-untyped-def]
    caplog.set_level(logging.DEBUG)
    options = {**ACCOUNT, "server_domain": server.domain, "secure": False}
    request = {"execute": {"mboxes": [{"name": "home"}]}}
    before = logging.getLogger("urllib3").level
    code = re.findall(r"^```python\n(.*?)^```", TEXT.split("## Loggers\n")[1], re.DOTALL | re.MULTILINE)[0]
    try:
        with TargetClient.create(**options, edge_routing=False) as client:
            client.get_offers(request=request, session_id=SESSION)
            assert SESSION in caplog.text
            caplog.clear()
            exec(code, {})
            client.get_offers(request=request, session_id=SESSION)
            assert SESSION not in caplog.text
    finally:
        logging.getLogger("urllib3").setLevel(before)


def test_a_traceback_shows_ids_only_with_its_local_variables() -> None:
    request = {"id": {"tntId": DEVICE}, "execute": {"mboxes": [{"name": "home"}]}}
    options = {**ACCOUNT, "server_domain": NOBODY, "secure": False}
    with (
        TargetClient.create(**options, edge_routing=False, retries=0) as client,
        pytest.raises(TransportError) as caught,
    ):
        client.get_offers(request=request, session_id=SESSION)
    for capture_locals in (False, True):
        error = traceback.TracebackException.from_exception(caught.value, capture_locals=capture_locals)
        assert (DEVICE in "".join(error.format())) == capture_locals


@pytest.mark.parametrize("link", links(PAGE))
def test_links_lead_somewhere(link: str) -> None:
    assert leads_somewhere(PAGE, link)
