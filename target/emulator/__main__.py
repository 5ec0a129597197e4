"""Owns the command `python -m target.emulator`: its flags, what it prints, and how it ends."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from target.emulator.offers import OffersError, load_offers
from target.loggers import Log

if TYPE_CHECKING:
    from target.emulator.handle import Emulator

_MOST_SAID = 10
_NAME = "python -m target.emulator"
_LOGGER = Log(logging.getLogger("target.emulator"))


def main(arguments: Sequence[str] | None = None, *, name: str = _NAME) -> int:
    """Run the emulator until it is told to stop; returns the exit code. ``name`` is what it is called by."""
    given = _parser(name).parse_args(arguments)
    try:
        from target.emulator.faults import parse_failure
        from target.emulator.geo import GeoError, load_places
        from target.emulator.guard import is_loopback
        from target.emulator.rules import RulesError, load_rules
        from target.emulator.server import serve
        from target.emulator.state import StateError
    except ModuleNotFoundError as missing:
        return _refuse(str(missing))
    try:
        if given.fail is not None:
            parse_failure(given.fail)
    except ValueError as problem:
        return _refuse(f"--fail: {problem}")
    try:
        if given.offers is not None:
            load_offers(given.offers)
        if given.rules is not None:
            load_rules(given.rules)
        if given.geo is not None:
            load_places(given.geo)
    except (OffersError, RulesError, GeoError) as problem:
        flag = {OffersError: "--offers: ", GeoError: "--geo: "}.get(type(problem), "")
        return _refuse(f"{flag}{problem}")
    if not is_loopback(given.host):
        print(
            f"target emulator: warning: --host {given.host} lets every machine that reaches this one use the emulator "
            "and see what it received; without --host it listens to this machine alone",
            file=sys.stderr,
        )
    # uvicorn stops in order on SIGTERM, then raises the signal again for the handler that was there before.
    previous = signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        with _telling():
            serve(
                given.offers,
                given.rules,
                given.host,
                given.port,
                lambda emulator: _announce(emulator, given),
                tls=given.tls,
                state=given.state,
                cluster=given.cluster,
                client=given.client,
                geo=given.geo,
                allow_hosts=given.allow_host,
                latency_ms=given.latency_ms,
                fail=given.fail,
                seed=given.seed,
            )
    except StateError as problem:
        return _refuse(f"--state: {problem}")
    except (ModuleNotFoundError, ValueError) as problem:
        return _refuse(str(problem))
    except OSError as problem:
        return _refuse(f"cannot listen on {given.host} port {given.port}: {problem.strerror}; try --port 0")
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, previous)
    return 0


def flags() -> dict[str, str]:
    """What it can be called with, and what each is for."""
    actions = _parser()._actions
    return {flag: str(action.help) for action in actions for flag in action.option_strings if flag.startswith("--")}


def _parser(name: str = _NAME) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=name,
        description="Emulates the Adobe Target Delivery API on this machine, from rules and offers, for development. "
        "It is not Adobe Target: it decides A/B tests and experience targeting as on a device, knows no Auto-Allocate, "
        "Auto-Target, Automated Personalization, Recommendations or multivariate tests, and reports nothing. What a "
        "running one received and serves is looked at and changed at /_/ (docs/emulator.md).",
        epilog=f"Example: {name} rules.json --port 8080",
    )
    parser.add_argument(
        "rules",
        metavar="RULES.json",
        nargs="?",
        help="a rules artifact to decide by; without it and --offers, a sample shop is served",
    )
    parser.add_argument(
        "--offers", metavar="FILE", help="a JSON file with what is served where the rules leave it to the server"
    )
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port", type=_port, default=8080, help="the port to listen on; 0 takes any free one (default: %(default)s)"
    )
    parser.add_argument(
        "--tls", action="store_true", help="serve HTTPS, with a certificate made for it; prints the file to trust it by"
    )
    parser.add_argument(
        "--state", metavar="FILE", help="keep visitors and counts in this file, from one run to the next"
    )
    parser.add_argument("--geo", metavar="FILE", help="a JSON file that says where addresses are (default: a sample)")
    parser.add_argument(
        "--client", metavar="CODE", help="the client code, by which visitors are allocated (default: as the rules say)"
    )
    parser.add_argument(
        "--cluster",
        type=_cluster,
        metavar="NUMBER",
        help="name this edge cluster in answers: SDKs then go to mboxedgeNUMBER.tt.omtrdc.net with the next call, "
        "unless they are told not to (default: none)",
    )
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a further name by which the control API at /_/ may be called; may be given several times",
    )
    parser.add_argument(
        "--latency-ms", type=_latency, default=0.0, metavar="MS", help="how long every answer takes (default: 0)"
    )
    parser.add_argument(
        "--fail", metavar="RATE:STATUS", help="answer this share of calls with this status: 0.2:503 fails one in five"
    )
    parser.add_argument("--seed", type=int, help="a number that makes --fail pick the same calls in every run")
    return parser


@contextmanager
def _telling() -> Iterator[None]:
    """Show people what the log says: files that were read again or are broken, entries that were dropped."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("target emulator: %(message)s"))
    logger = _LOGGER.logger
    before = (logger.level, logger.propagate)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before[0])
        logger.propagate = before[1]


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


def _cluster(value: str) -> str:
    if not (value.isascii() and value.isdigit() and len(value) <= 5):
        raise argparse.ArgumentTypeError(f"{value!r} is no edge cluster; give its number, such as 38")
    return value


def _announce(emulator: Emulator, given: argparse.Namespace) -> None:
    from target.emulator.desk import unanswered

    # One line for programs, then the rest for people; flushed, as a reader may be waiting at the other end of a pipe.
    print(f"target emulator listening on {emulator.url}")
    print("It emulates the Delivery API for development; it is not Adobe Target, and nothing it gets is reported.")
    print("Decided are A/B tests and experience targeting. Not emulated are Auto-Allocate, Auto-Target, Automated")
    print("Personalization, Recommendations and multivariate tests: their mboxes answer what --offers has for them.")
    offers, activities = emulator.stage.offers, len(emulator.stage.counts())
    if given.rules is not None:
        print(f"It serves {given.rules}: {activities} activities.")
    if given.offers is not None:
        page_load = "a page load" if offers.page_load else "no page load"
        print(f"It serves {given.offers}: {len(offers.mboxes)} mboxes, {len(offers.views)} views, {page_load}.")
    left = unanswered(emulator.stage)
    if left:
        print(f"The rules leave to the server, and --offers has nothing for: {_some(left)}.")
    for problem in emulator.stage.rules.problems[:_MOST_SAID]:
        print(f"Not decided by: {problem}.")
    if given.rules is None and given.offers is None:
        print("It serves a small sample; give your own with RULES.json and --offers FILE.")
    if emulator.ca_file is not None:
        print(f"CA file: {emulator.ca_file} (ca_certs of this SDK, REQUESTS_CA_BUNDLE, NODE_EXTRA_CA_CERTS)")
    sys.stdout.flush()


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_SAID} more" if len(names) > _MOST_SAID else ""
    return ", ".join(names[:_MOST_SAID]) + more


def _refuse(problem: str) -> int:
    print(f"target emulator: {problem}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
