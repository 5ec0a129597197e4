"""Owns the command `python -m target.emulator`: its flags, what it prints, and how it ends."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from target.emulator.offers import Offers, OffersError, load_offers

if TYPE_CHECKING:
    from target.emulator.server import Emulator


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the emulator until it is told to stop; returns the exit code."""
    given = _parser().parse_args(arguments)
    try:
        from target.emulator.faults import parse_failure
        from target.emulator.server import serve
    except ModuleNotFoundError as missing:
        return _refuse(str(missing))
    try:
        if given.fail is not None:
            parse_failure(given.fail)
    except ValueError as problem:
        return _refuse(f"--fail: {problem}")
    try:
        offers = None if given.offers is None else load_offers(given.offers)
    except OffersError as problem:
        return _refuse(f"--offers: {problem}")

    def announce(emulator: Emulator) -> None:
        _announce(emulator.url, given.offers, offers)

    # uvicorn stops in order on SIGTERM, then raises the signal again for the handler that was there before.
    previous = signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        serve(offers, given.host, given.port, announce, latency_ms=given.latency_ms, fail=given.fail, seed=given.seed)
    except OSError as problem:
        return _refuse(f"cannot listen on {given.host} port {given.port}: {problem.strerror}; try --port 0")
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, previous)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m target.emulator",
        description="Emulates the Adobe Target Delivery API on this machine, from an offers file, for development. "
        "It is not Adobe Target: no activities, audiences, profiles or reports.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port", type=_port, default=8080, help="the port to listen on; 0 takes any free one (default: %(default)s)"
    )
    parser.add_argument("--offers", metavar="FILE", help="the JSON file with what to serve (default: a small sample)")
    parser.add_argument(
        "--latency-ms", type=_latency, default=0.0, metavar="MS", help="how long every answer takes (default: 0)"
    )
    parser.add_argument(
        "--fail", metavar="RATE:STATUS", help="answer this share of calls with this status: 0.2:503 fails one in five"
    )
    parser.add_argument("--seed", type=int, help="a number that makes --fail pick the same calls in every run")
    return parser


def _port(value: str) -> int:
    port = int(value) if value.isascii() and value.isdigit() else -1
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError(f"{value!r} is no port; give 0 (any) to 65535")
    return port


def _latency(value: str) -> float:
    try:
        latency = float(value)
    except ValueError:
        latency = -1
    if not 0 <= latency <= 3_600_000:
        raise argparse.ArgumentTypeError(f"{value!r} is no latency; give milliseconds from 0 to 3600000")
    return latency


def _announce(url: str, file: str | None, offers: Offers | None) -> None:
    # One line for programs, then the rest for people; flushed, as a reader may be waiting at the other end of a pipe.
    print(f"target emulator listening on {url}")
    print("It emulates the Delivery API for development; it is not Adobe Target, and nothing it gets is reported.")
    if offers is None:
        print("It serves a small sample; give your own with --offers FILE.", flush=True)
    else:
        page_load = "a page load" if offers.page_load else "no page load"
        print(f"It serves {file}: {len(offers.mboxes)} mboxes, {len(offers.views)} views, {page_load}.", flush=True)


def _refuse(problem: str) -> int:
    print(f"target emulator: {problem}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
