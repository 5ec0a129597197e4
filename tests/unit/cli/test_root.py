"""The root of the command: what it lists, what it loads, and how any command ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

import target as package
from target.cli import main
from target.cli.root import COMMANDS, root
from tests.kit.processes import ROOT, environment, run_process
from tests.unit.cli.conftest import Target

COMMAND = [sys.executable, "-c", "import sys; from target.cli import main; sys.exit(main())"]
#: What a list of commands has no need of.
HEAVY = {
    "aiohttp",
    "asyncio",
    "jinja2",
    "numpy",
    "packaging",
    "rich",
    "scipy",
    "starlette",
    "tldextract",
    "ua_parser",
    "urllib3",
}


def start(*arguments: str, **options: object) -> subprocess.Popen[str]:
    # A run of tests that a script started in the background ignores SIGINT, and so would its children.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen(
            [*COMMAND, *arguments], cwd=ROOT, env=environment(), stderr=subprocess.PIPE, text=True, **options
        )
    finally:
        signal.signal(signal.SIGINT, before)


def test_help_lists_every_command_and_loads_none_of_them() -> None:
    done = run_process(
        """
        import contextlib, io, sys
        from target.cli import main
        with contextlib.redirect_stdout(io.StringIO()) as out:
            assert main(["--help"]) == 0
        print(*sys.modules)
        print(out.getvalue())
        """
    )
    assert done.returncode == 0, done.stderr
    loaded, _, shown = done.stdout.partition("\n")
    names = loaded.split()
    ours = {each.removeprefix("target.cli.") for each in names if each.startswith("target.cli.")}
    assert ours == {"printing", "root", "warned"}
    assert not HEAVY & set(names)
    assert len(names) < 260  # 150 on Python 3.11
    assert all(f"  {name} " in shown for name in COMMANDS)


def test_every_command_says_what_it_is_for_and_gives_an_example(target: Target) -> None:
    for name in COMMANDS:
        ended = target(name, "--help")
        assert ended.code == 0
        assert f"Example: target {name}" in ended.out
        command = root.get_command(click.Context(root), name)
        assert isinstance(command, click.Command)


def test_the_version_is_that_of_the_package(target: Target) -> None:
    assert target("--version") == (0, f"target, version {package.__version__}\n", "")


def test_without_a_command_it_shows_help_as_a_mistake(target: Target) -> None:
    ended = target()
    assert ended.code == 2
    assert "Commands:" in ended.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["bogus"], "target: No such command 'bogus'. (see target --help)\n"),
        (["offers", "--bogus"], "target offers: No such option"),
        (
            ["offers", "a", "--timeout", "0"],
            "target offers: Invalid value for '--timeout': 0 is not in the range",
        ),
        (["completion", "tcsh"], "target completion: Invalid value for '{bash|zsh|fish}': 'tcsh' is not one of"),
        (["notify"], "target notify: Say what to tell of: --result FILE, or --mbox NAME and --token TOKEN."),
        (["offers", "home"], "target offers: Say whom to ask: --client and --organization-id"),
    ],
)
def test_what_cannot_be_called_is_one_line_and_two(target: Target, arguments: list[str], said: str) -> None:
    ended = target(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(said)
    assert ended.err.count("\n") == 1


def test_a_fault_of_ours_is_one_line_and_shows_more_when_asked(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("one\ntwo \x1b[31m")

    monkeypatch.setattr("target.cli.completing.completion", click.Command("completion", callback=fail))
    ended = target("completion")
    assert ended == (1, "", "target: RuntimeError: one two \\x1b[31m (target --debug ... shows where)\n")
    with pytest.raises(RuntimeError):
        main(["--debug", "completion"])


def test_a_host_that_is_away_is_one_line(target: Target) -> None:
    with socket.socket() as taken:  # bound and not listening: nobody answers
        taken.bind(("127.0.0.1", 0))
        ended = target("offers", "home", "--emulator", f"http://127.0.0.1:{taken.getsockname()[1]}")
    assert ended.code == 1
    assert ended.err.startswith("target: http://127.0.0.1:")
    assert ended.err.count("\n") == 1


def test_without_the_extra_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "target.cli.root")
    monkeypatch.setitem(sys.modules, "click", None)
    assert main([]) == 2
    assert capsys.readouterr().err == "target: needs the package click: pip install 'target-delivery[cli]'\n"


@pytest.mark.slow
def test_python_m_target_is_the_command_when_it_is_given_arguments() -> None:
    command = [sys.executable, "-m", "target", "--version"]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, f"target, version {package.__version__}\n")


@pytest.mark.slow
def test_it_starts_as_python_is_told_to_see_all_warnings() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", *COMMAND[1:], "doctor", "--json"],
        cwd=ROOT,
        env=environment(XDG_CONFIG_HOME="/nowhere"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.returncode in (0, 1)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is full")
def test_a_full_disk_is_one_line() -> None:
    with open("/dev/full", "w") as full, start("--help", stdout=full) as process:
        _, err = process.communicate(timeout=50)
    assert (process.returncode, err) == (1, "target: No space left on device\n")


@pytest.mark.skipif(os.name == "nt", reason="a shell of POSIX closes it")
def test_a_reader_who_goes_away_is_no_news() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with start("--help", stdout=writing) as process:
        os.close(writing)
        _, err = process.communicate(timeout=50)
    assert (process.returncode, err) == (1, "")


@pytest.mark.skipif(os.name == "nt", reason="sends SIGINT")
def test_ctrl_c_ends_a_call_without_a_word() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        domain = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with start("offers", "home", "--timeout", "60000", "--emulator", domain, stdout=subprocess.PIPE) as process:
            connection, _ = silent.accept()
            with connection:
                connection.recv(1)
                time.sleep(0.1)  # now it waits; one that just begins to would hear of the signal only when that ends
                process.send_signal(signal.SIGINT)
                out, err = process.communicate(timeout=50)
    assert (process.returncode, out, err) == (130, "", "\n")  # the line on which a terminal shows ^C


@pytest.mark.slow
def test_colours_are_for_terminals_that_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    pty = pytest.importorskip("pty")

    def shown(**variables: str) -> bytes:
        leading, following = pty.openpty()
        with subprocess.Popen(
            [*COMMAND, "doctor"], cwd=ROOT, env=environment(**variables), stdout=following, stderr=subprocess.PIPE
        ) as process:
            os.close(following)
            said = b""
            try:
                while more := os.read(leading, 4096):
                    said += more
            except OSError:  # as Linux says that nobody writes any more
                pass
            process.wait(50)
        os.close(leading)
        return said

    for name in [each for each in os.environ if each.startswith("TARGET_")]:
        monkeypatch.delenv(name)
    variables = {"XDG_CONFIG_HOME": "/nowhere", "TERM": "xterm"}
    assert b"\x1b[" in shown(NO_COLOR="", **variables)
    assert b"\x1b[" not in shown(NO_COLOR="1", **variables)
