"""`target artifact`: what it prints, and how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings

from target.cli.artifact import artifact
from tests.kit.loopback import Answer, LoopbackServer
from tests.kit.processes import ROOT, environment
from tests.kit.rules import build_artifact
from tests.unit.decisioning.test_lint import CHROME, random_artifacts, rule, share

HALVES = [rule(share(0, 50)), rule(share(50, 100), experience=1)]
LOCAL = {"localMboxes": ["hero"]}


def run(*arguments: object, **more: Any) -> Result:
    more.setdefault("env", {})
    more["env"] = {"XDG_CONFIG_HOME": "/nowhere", **more["env"]}
    result = CliRunner().invoke(artifact, [str(each) for each in arguments], **more)
    assert "Traceback" not in result.output
    return result


@pytest.fixture
def save(tmp_path: Path) -> Any:
    def write(*rules: Any, name: str = "rules.json", **changes: Any) -> Path:
        path = tmp_path / name
        path.write_text(json.dumps(build_artifact(*rules, **{**LOCAL, **changes})), encoding="utf-8")
        return path

    return write


def test_show_tells_activities_in_words(save: Any) -> None:
    path = save(rule(CHROME, 11, propertyTokens=["p"]), *HALVES, rule({"near": [1]}, 12))
    shown = run("show", path)
    assert shown.exit_code == 0
    assert "11 Test 11 [p]" in shown.output
    assert 'browser is "chrome"' in shown.output
    assert "50-100 %" in shown.output
    assert "2 activities, 3 experiences" in shown.output
    assert "/rules/mboxes/hero/3: the operator 'near' is not known" in shown.output
    told = json.loads(run("show", path, "--json").output)
    assert [each["id"] for each in told["activities"]] == ["11", "10"]
    assert told["activities"][1]["experiences"][1]["shares"] == [[50, 100]]
    assert told["meta"]["clientCode"] == "acme"


def test_lint_ends_with_one_where_something_is_found(save: Any) -> None:
    fine = run("lint", save(*HALVES))
    assert (fine.exit_code, fine.output) == (0, f"{save(*HALVES)}: nothing found\n")
    path = save(rule(share(0, 40)), rule(share(60, 100), experience=1))
    found = run("lint", path)
    assert found.exit_code == 1
    assert f'{path}: /rules/mboxes/hero/0: warning: In mbox "hero", the shares' in found.output
    assert run("lint", path, "--fail-on", "error").exit_code == 0
    told = json.loads(run("lint", path, "--json").output)
    assert [(each["code"], each["pointer"]) for each in told["findings"]] == [("allocation", "/rules/mboxes/hero/0")]


def test_lint_goes_by_the_time_and_limits_that_it_is_given(save: Any) -> None:
    path = save(rule({"<=": [0, {"var": "current_timestamp"}, 1_700_000_000_000]}))  # 14 November 2023
    assert run("lint", path, "--at", "2023-10-01").exit_code == 0
    assert "ends at 2023-11-14" in run("lint", path, "--at", "2023-11-10T00:00:00+01:00").output
    assert run("lint", path, "--at", "2023-11-10", "--ends-within", "2").exit_code == 0
    assert "ended at" in run("lint", path).output
    assert "(size)" in run("lint", path, "--max-size", "0.0001").output


def test_diff_tells_what_differs_and_who_moves(save: Any, tmp_path: Path) -> None:
    old, new = save(*HALVES), save(rule(share(0, 60)), rule(share(60, 100), experience=1), name="new.json")
    same = run("diff", old, old, "--visitors", 100)
    assert (same.exit_code, same.output.splitlines()[0]) == (0, "The artifacts hold the same")
    found = run("diff", old, new, "--visitors", 500)
    assert found.exit_code == 1
    assert '~ activity 10 "Test 10", experience 0: share was 0-50 %, and is 0-60 %' in found.output
    assert re.search(r"\d+ of 500 visitors \(\d+\.\d\d %\) change experience", found.output)
    visitors = tmp_path / "visitors.csv"
    visitors.write_text("id\n" + "".join(f"v{number}\n" for number in range(50)))
    told = json.loads(run("diff", old, new, "--visitors", visitors, "--json").output)
    assert told["visitors"]["visitors"] == 50
    assert [each["what"] for each in told["differences"]] == ["share", "share"]


def test_simulate_counts_and_tests_and_writes(save: Any, tmp_path: Path) -> None:
    path, out = save(*HALVES), tmp_path / "out.jsonl"
    shown = run("simulate", path, "-n", 400, "--out", out)
    assert shown.exit_code == 0
    assert "400 visitors" in shown.output
    assert f"decisions are in {out}" in shown.output
    told = json.loads(run("simulate", path, "--visitors", 400, "--json").output)
    assert sum(each["visitors"] for each in told["activities"][0]["experiences"]) == 400
    assert (told["partial"], told["settings"]["client"]) == (False, "acme")
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(rows) == 400
    assert sum(row["experience_id"] == "0" for row in rows) == told["activities"][0]["experiences"][0]["visitors"]


def test_visitors_without_ids_are_told_of(save: Any, tmp_path: Path) -> None:
    visitors = tmp_path / "visitors.csv"
    for header, told in (("user,colour", "no column is an id"), ("visitor_id,colour", "")):
        visitors.write_text(f"{header}\na,b\n")
        result = run("simulate", save(*HALVES), "--visitors", visitors)
        assert (result.exit_code, told in result.stderr, bool(result.stderr)) == (0, True, bool(told))


@pytest.mark.slow
def test_a_plot_is_a_picture(save: Any, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    plot = tmp_path / "counts.png"
    strange = {"activity.id": 10, "activity.name": "$x_$ \x1b[1m \U0001f600", "experience.id": 0}
    assert run("simulate", save({**rule(), "meta": strange}, *HALVES), "-n", 50, "--plot", plot).exit_code == 0
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert run("simulate", save(), "-n", 5, "--plot", plot).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (["lint"], 2, "Missing argument 'RULES'"),
        (["lint", "{rules}", "--at", "soon"], 2, "'soon' is no date"),
        (["simulate", "{rules}", "-n", "0"], 2, "0 is no number of visitors"),
        (["simulate", "{rules}", "--out", "x.txt"], 2, "x.txt: decisions are written to a file whose name ends in"),
        (["simulate", "{rules}", "--plot", "x.gif"], 2, "x.gif: a plot is drawn into a file whose name ends in"),
        (["diff", "-", "-"], 2, "Only one of the two can be standard input"),
        (["fetch"], 2, "Say which artifact"),
        (["fetch", "--client", "a", "--header", "x"], 2, "a header has a name, a colon and a value"),
        (["fetch", "ftp://a/b"], 1, "Option 'artifact_location'"),
        (["lint", "gone.json"], 1, "gone.json: No such file or directory"),
        (["lint", "{folder}"], 1, "{folder}: Is a directory"),
        (["lint", "{broken}"], 1, "{broken}: line 2, column 1"),
        (["show", "{list}"], 1, "{list}: must be a JSON object, not list"),
        (["show", "{shape}"], 1, "{shape}: /rules/mboxes: must be an object"),
        (["simulate", "{rules}", "--visitors", "gone.csv"], 1, "gone.csv: No such file or directory"),
        (["simulate", "{rules}", "--visitors", "{bad}"], 1, "{bad}: row 2: it has 2 values (line 3), and the header 1"),
        (["diff", "{rules}", "{rules}", "--visitors", "{bad}"], 1, "{bad}: row 2"),
        (["simulate", "{rules}", "--mbox", "nose"], 1, "no rules for an mbox or view 'nose'"),
        (["simulate", "{rules}", "--out", "{folder}/gone/x.csv"], 1, "{folder}/gone/x.csv: it cannot be written"),
    ],
)
def test_bad_input_is_one_line_that_names_file_and_place(
    save: Any, tmp_path: Path, arguments: list[str], code: int, why: str
) -> None:
    files = {"broken": '{"version": "1.0.0",\n', "list": "[]", "shape": '{"version": "1.0.0", "rules": {"mboxes": 1}}'}
    names = {name: tmp_path / f"{name}.json" for name in files}
    for name, content in files.items():
        names[name].write_text(content)
    names |= {"bad": tmp_path / "bad.csv", "folder": tmp_path, "rules": save(*HALVES)}
    names["bad"].write_text("id\na\nb,c\n")
    result = run(*(each.format(**names) for each in arguments))
    lines = [line for line in result.stderr.splitlines() if not line.startswith(("Usage:", "Try '")) and line]
    assert (result.exit_code, len(lines)) == (code, 1)
    assert why.format(**names) in lines[0]


def test_a_row_far_down_that_makes_no_sense_keeps_what_was_counted(save: Any, tmp_path: Path) -> None:
    visitors = tmp_path / "visitors.csv"
    visitors.write_text("id\n" + "a\n" * 2500 + "b,c\n")
    path = save(*HALVES)
    for command in (["simulate", path], ["diff", path, path]):
        result = run(*command, "--visitors", visitors)
        assert result.exit_code == 1
        assert "partial, since it was stopped: " in result.stdout
        assert "2,500 visitors" in result.stdout
        assert result.stderr == f"Error: {visitors}: row 2501: it has 2 values (line 2502), and the header 1\n"


def test_what_a_terminal_would_obey_is_not_printed(save: Any) -> None:
    meta = {"activity.id": 10, "activity.name": "a\x1b[31m[bold]b\n\x07", "experience.id": 0}
    path = save({**rule(False), "meta": meta})
    for command in (
        ["show", path],
        ["lint", path],
        ["simulate", path, "-n", 5],
        ["diff", path, save(name="other.json"), "-n", 5],
    ):
        shown = run(*command).output
        assert "[31m[bold]b" in shown
        assert not any(each in shown for each in "\x1b\x07")


def test_standard_input_is_an_artifact(save: Any) -> None:
    assert run("lint", "-", input=save(*HALVES).read_bytes()).output == "-: nothing found\n"


def test_fetch_writes_what_came(server: LoopbackServer, tmp_path: Path) -> None:
    out = tmp_path / "rules.json"
    text = json.dumps(build_artifact(*HALVES), indent=1).encode()
    server.answer = lambda _: Answer(text)
    fetched = run(
        "fetch", "--client", "acme", "--cdn", server.url, "--environment", "Staging", "--property-token", "p", "-o", out
    )
    assert (fetched.exit_code, fetched.output) == (0, f"{out}: {len(text):,} bytes\n")
    assert server.received[-1].target == "/acme/staging/v1/p/rules.json"
    assert out.read_bytes() == text
    assert stat.S_IMODE(out.stat().st_mode) == 0o666 & ~current_umask()
    variables = {"TARGET_CLIENT": "other", "TARGET_ENVIRONMENT": "production", "TARGET_TIMEOUT": "1"}
    for arguments, target in (
        (["--emulator", server.url], "/other/production/v1/rules.json"),
        (["--cdn", server.url, "--client", "own"], "/own/production/v1/rules.json"),
    ):
        assert run("fetch", *arguments, "-o", out, env=variables).exit_code == 0
        assert server.received[-1].target == target
    assert run("fetch", "--emulator", server.url, "-o", out).exit_code == 0
    assert server.received[-1].target == "/acmeclient/production/v1/rules.json"
    got = run("fetch", f"{server.url}/x.json?key=1", "--header", "Authorization: Bearer t", "-o", "-")
    assert got.stdout_bytes == text
    assert server.received[-1].headers["Authorization"] == "Bearer t"
    server.answer = lambda _: Answer(text)
    assert run("lint", f"{server.url}/rules.json").exit_code == 0


@pytest.mark.waits
def test_fetch_leaves_what_was_there_where_it_fails(server: LoopbackServer, tmp_path: Path) -> None:
    out = tmp_path / "rules.json"
    out.write_text("before")
    for answer, why in (
        (Answer(b"", 404), "404"),
        (Answer(b"<html>"), "JSON"),
        (Answer({"version": "1.0.0"}), "rules"),
    ):
        server.answer = lambda _, answer=answer: answer  # type: ignore[misc]
        failed = run("fetch", f"{server.url}/x.json?key=secret", "-o", out)
        assert failed.exit_code == 1
        assert why in failed.stderr
        assert "secret" not in failed.stderr
        assert len(failed.stderr.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["rules.json"]
    assert out.read_text() == "before"
    server.answer = lambda _: Answer(b"", 404)
    hurried = run("fetch", f"{server.url}/x.json", "--timeout", 300, "-o", out)
    assert "did not come within 300 ms: The CDN answered 404" in hurried.stderr


def current_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_every_command_has_help_with_an_example() -> None:
    assert "Example: " in run("--help").output
    for name in artifact.commands:
        shown = run(name, "--help")
        assert shown.exit_code == 0
        assert f"Example: target artifact {name}" in " ".join(shown.output.split())


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(data=random_artifacts)
def test_no_artifact_makes_a_command_fail(data: Any) -> None:
    text = json.dumps(data)
    shop = ROOT / "target/emulator/shop/rules.json"
    for command in (["show"], ["lint"], ["simulate", "-n", "3"], ["diff", "-n", "3", shop], ["diff", "-n", "3"]):
        after = [shop] if command == ["diff", "-n", "3"] else []
        result = run(*command, "-", *after, "--json", input=text)
        assert result.exit_code in (0, 1)
        assert result.exception is None or isinstance(result.exception, SystemExit)
        if result.stdout:
            json.loads(result.stdout, parse_constant=pytest.fail)
        else:
            assert len(result.stderr.splitlines()) == 1


_ALONE = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("scipy", "pyarrow", "matplotlib", "numpy", "jinja2", "starlette", "uvicorn"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Blocked())
from target.cli.artifact import artifact
artifact(sys.argv[1:], prog_name="target artifact")
"""


@pytest.mark.waits
def test_csv_and_counts_need_no_more_than_the_command(save: Any, tmp_path: Path) -> None:
    path, out = save(*HALVES), tmp_path / "out.csv"
    (tmp_path / "visitors.csv").write_text("id\na\nb\n" * 30)

    def alone(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", _ALONE, *map(str, arguments)]
        return subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)

    done = alone("simulate", path, "--visitors", tmp_path / "visitors.csv", "--out", out)
    assert (done.returncode, done.stderr) == (0, "")
    assert "not tested: it needs scipy: pip install 'target-delivery[simulate]'" in done.stdout
    assert len(out.read_text().splitlines()) == 90
    for arguments, package in (
        (["--plot", "x.png"], "matplotlib"),
        (["--out", tmp_path / "x.parquet"], "pyarrow"),
        (["--visitors", tmp_path / "x.parquet"], "pyarrow"),
    ):
        failed = alone("simulate", path, *arguments)
        assert failed.returncode == 1
        assert re.fullmatch(rf"Error: .* needs {package}: pip install 'target-delivery\[simulate\]'\n", failed.stderr)


_SIMULATE = "from target.cli.artifact import artifact\nif __name__ == '__main__':\n    artifact()\n"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_is_stopped_keeps_whole_lines(save: Any, tmp_path: Path, sent: signal.Signals) -> None:
    path, out, script = save(*HALVES), tmp_path / "out.csv", tmp_path / "run.py"
    script.write_text(_SIMULATE)
    partial = tmp_path / "out.csv.partial"
    command = [sys.executable, script, "simulate", path, "-n", "50000000", "--out", out, "--json", "--processes", "2"]
    running = subprocess.Popen(
        command,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # as on a terminal, all processes of which get Ctrl-C
    )
    try:
        deadline = time.monotonic() + 50
        while not partial.exists() or partial.stat().st_size < 400_000:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        (os.killpg if sent == signal.SIGINT else os.kill)(running.pid, sent)
        stdout, stderr = running.communicate(timeout=50)  # to the end of all processes, which hold its other ends
    finally:
        running.kill()
        running.communicate()
    lines = partial.read_text().splitlines()
    assert all(line.count(",") == 6 for line in lines)
    assert partial.read_bytes().endswith(b"\n")
    assert not out.exists()
    if sent != signal.SIGKILL:
        told = json.loads(stdout)
        assert (running.returncode, stderr) == (1, b"")
        assert (told["partial"], told["out"], told["visitors"]) == (True, str(partial), len(lines) - 1)


@pytest.mark.waits
@pytest.mark.skipif(sys.platform == "win32", reason="terminals")
def test_a_terminal_shows_how_far_it_is_and_nothing_else_does(save: Any, tmp_path: Path) -> None:
    import pty

    script = tmp_path / "run.py"
    script.write_text(_SIMULATE)
    command = [sys.executable, script, "simulate", save(*HALVES), "-n", "30000", "--processes", "1"]
    terminal, inner = pty.openpty()
    with subprocess.Popen(command, env=environment(TERM="xterm"), stdout=subprocess.PIPE, stderr=inner) as running:
        os.close(inner)
        shown = b""
        while True:
            try:
                read = os.read(terminal, 65_536)
            except OSError:  # how Linux tells that the other end is closed
                break
            if not read:
                break
            shown += read
        stdout, _ = running.communicate(timeout=50)
    os.close(terminal)
    assert running.returncode == 0
    assert b"30,000 visitors" in stdout
    assert b"\x1b" not in stdout
    assert re.search(rb"simulating .*\d+%.* visitors .*left", shown)
    quiet = subprocess.run(command, env=environment(), capture_output=True, check=True)
    assert quiet.stderr == b""
