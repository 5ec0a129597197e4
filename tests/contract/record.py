"""Records the scenarios over real HTTP: `make record` from the emulator, or from a live account.

    make record                                                          into cassettes/recorded
    make record TARGET_CLIENT=<client code> TARGET_ORG=<id>@AdobeOrg     into cassettes/live

TARGET_SERVER_DOMAIN names another host; TARGET_SECURE=false calls it over plain HTTP, for an emulator of your own.
Run as a script, it takes another folder as its argument.
A cassette that would give away an id is not written. The cassette of a scenario that is gone is yours to delete.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from target import TargetClient, TargetError
from target.emulator import Emulator, load_offers, running
from target.options import ClientOptions
from tests.contract.leaks import find_leaks
from tests.contract.recorded import CLIENT, ORGANIZATION, RECORDED, SECRETS
from tests.contract.scenario import run
from tests.contract.tape import LIVE, tape
from tests.contract.tape import RECORDED as RECORDED_FOLDER

OFFERS = Path(__file__).with_name("offers.json")


def main(environment: Mapping[str, str], arguments: Sequence[str]) -> int:
    """Record what the environment asks for, into the folder in `arguments` if there is one; returns the exit code."""
    try:
        account = parse_account(environment)
    except ValueError as problem:
        return _report([str(problem)])
    folder = Path(arguments[0]) if arguments else RECORDED_FOLDER if account is None else LIVE
    if account is not None:
        return _report(record(account, folder), folder)
    with running(load_offers(OFFERS)) as emulator:
        return _report(record(emulator_account(emulator), folder), folder)


def parse_account(environment: Mapping[str, str]) -> ClientOptions | None:
    """Client options for the live account that TARGET_* variables name, None where they name none.

    Raises ValueError when they name half of one.
    """
    client, organization = environment.get("TARGET_CLIENT"), environment.get("TARGET_ORG")
    domain, secure = environment.get("TARGET_SERVER_DOMAIN"), environment.get("TARGET_SECURE")
    if not (client or organization or domain or secure):
        return None
    if not (client and organization):
        raise ValueError("name a live account in full: TARGET_CLIENT=<client code> TARGET_ORG=<id>@AdobeOrg")
    if secure not in (None, "", "true", "false"):
        raise ValueError("TARGET_SECURE is true or false")
    account: ClientOptions = {"client": client, "organization_id": organization, "secure": secure != "false"}
    if domain:
        account["server_domain"] = domain
        # Or the second call of a visitor would leave the host that was named, for its edge cluster.
        account["edge_routing"] = False
    return account


def emulator_account(emulator: Emulator) -> ClientOptions:
    """Client options for a running emulator."""
    return {
        "client": CLIENT,
        "organization_id": ORGANIZATION,
        "server_domain": emulator.server_domain,
        "secure": False,
        "edge_routing": False,
    }


def record(account: ClientOptions, folder: Path) -> list[str]:
    """Record every scenario into `folder`, with the client options in `account`; returns what went wrong."""
    secrets = {account["client"], account["organization_id"], *SECRETS}
    options: ClientOptions = {**account, "retries": 0}  # a retry would leave a second answer in the cassette
    problems = []
    with TemporaryDirectory() as fresh:
        for name, scenario in RECORDED.items():
            with (
                tape(Path(fresh), "all", secrets).use_cassette(f"{name}.yaml"),
                TargetClient.create(**options) as client,
            ):
                try:
                    run(scenario, client)
                except (TargetError, AssertionError) as problem:
                    where = traceback.extract_tb(problem.__traceback__)[-1]
                    problems.append(f"{name}: not written, as {type(problem).__name__} {problem} at {where.line!r}")
                    continue
            text = Path(fresh, f"{name}.yaml").read_text(encoding="utf-8")
            if leaks := find_leaks(text, secrets):
                problems.append(f"{name}: not written, it would leak {', '.join(leaks)}: mend scrubbing.py")
                continue
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{name}.yaml").write_text(text, encoding="utf-8", newline="\n")
    return problems


def _report(problems: list[str], folder: Path | None = None) -> int:
    if problems:
        sys.stderr.write("".join(f"record: {problem}\n" for problem in problems))
        return 1
    sys.stdout.write(f"recorded {len(RECORDED)} scenarios into {folder}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(os.environ, sys.argv[1:]))
