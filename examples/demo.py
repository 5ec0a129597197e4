"""Show the whole round trip on this machine: start the emulator, run prefetch_and_notify.py against it, stop it.

`make demo` runs this. It ends with an error when a step fails or the emulator did not get the notification.
"""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
START_S = 60  # importing on a loaded machine takes its time
RUN_S = 60
STOP_S = 15


class DemoError(Exception):
    """A step did not do what it should."""


def main() -> int:
    # Stopped from outside, the emulator is stopped as well: an exit runs the `finally` below, a plain SIGTERM does not.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        with emulator() as url:
            print(f"--- emulator at {url} (a local stand-in, not Adobe Target)\n")
            run_example(url)
            show_received(url)
    except DemoError as problem:
        print(f"demo failed: {problem}", file=sys.stderr)
        return 1
    print("--- emulator stopped; the round trip worked")
    return 0


@contextmanager
def emulator() -> Iterator[str]:
    command = [sys.executable, "-m", "target.emulator", "--port", "0", "--offers", "examples/offers.json"]
    command += ["--cluster", "38"]  # as Target answers: the client is told where its visitor is at home
    print(f"$ python {' '.join(command[1:])}", flush=True)
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        yield listening_url(process)
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def listening_url(process: subprocess.Popen[str]) -> str:
    # The line is read in a thread: a read from a pipe cannot be given a time limit in a portable way.
    lines: queue.Queue[str] = queue.Queue()
    output = process.stdout
    if output is None:
        raise DemoError("the emulator was started without a pipe")
    threading.Thread(target=lambda: lines.put(output.readline()), daemon=True).start()
    try:
        line = lines.get(timeout=START_S)
    except queue.Empty:
        raise DemoError(f"the emulator said nothing for {START_S} s") from None
    if "listening on " not in line:
        raise DemoError("the emulator did not start; its own message is above")
    return line.rpartition("listening on ")[2].strip()


def run_example(url: str) -> None:
    arguments = ["--client", "acmeclient", "--organization-id", "acme@AdobeOrg"]
    arguments += ["--server-domain", url.removeprefix("http://")]
    print(f"$ python examples/prefetch_and_notify.py {' '.join(arguments)}", flush=True)
    try:
        command = [sys.executable, "examples/prefetch_and_notify.py", *arguments]
        ended = subprocess.run(command, cwd=ROOT, timeout=RUN_S, check=False)
    except subprocess.TimeoutExpired:
        raise DemoError(f"prefetch_and_notify.py did not end within {RUN_S} s") from None
    if ended.returncode:
        raise DemoError(f"prefetch_and_notify.py ended with exit code {ended.returncode}; its message is above")


def show_received(url: str) -> None:
    print(f"\n$ curl {url}/_/notifications")
    try:
        with urllib.request.urlopen(f"{url}/_/notifications", timeout=RUN_S) as response:
            received: list[dict[str, Any]] = json.load(response)["notifications"]
    except (OSError, ValueError, KeyError) as cause:
        raise DemoError(f"the emulator did not say what it received ({cause!r})") from cause
    print(json.dumps(received, indent=2))
    if len(received) != 1:
        raise DemoError(f"the emulator received {len(received)} notifications, not 1")
    if received[0]["notification"]["type"] != "display" or not received[0]["known"]:
        raise DemoError("the emulator received a notification that is not the display of an offer it gave out")


if __name__ == "__main__":
    sys.exit(main())
