"""Where artifacts that a command works on come from: a file, standard input, a URL, or an account's CDN."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import click

from target.cli.printing import one_line
from target.decisioning.artifact_text import ArtifactPayload
from target.emulator.rules import Rules, parse_rules

STDIN = "-"
_TIMEOUT_MS = 30_000
# No call is made in its name: a client only has to have one.
_ORGANIZATION = "artifact@AdobeOrg"


class Failure(click.ClickException):
    """What ends a command with 1, in one line: which file, where in it, and what is wrong."""

    def __init__(self, message: object) -> None:
        super().__init__(one_line(str(message)))


def read_rules(source: str) -> Rules:
    """The artifact of a file, of ``-`` (standard input), or of a URL. Raises Failure."""
    if source.startswith(("http://", "https://")):
        return parse_rules(fetch_text(artifact_location=source), source.partition("?")[0])
    if source == STDIN:
        return parse_rules(sys.stdin.buffer.read(), "standard input")
    try:
        text = Path(source).read_bytes()
    except OSError as error:
        raise Failure(f"{source}: {error.strerror or error}") from error
    return parse_rules(text, source)


def fetch_text(*, client: str = "artifact", timeout_ms: int = _TIMEOUT_MS, **options: Any) -> bytes:
    """The text of an artifact, as clients that decide in process fetch it.

    Args:
        client: The client code.
        timeout_ms: How long it may take.
        options: Others of ``TargetClient.create``, about artifacts.

    Raises:
        Failure: It cannot be fetched, or is no artifact.
        OptionsError: An option cannot be used.
    """
    from target import TargetClient  # only this command needs all of it

    fetched: list[ArtifactPayload] = []
    failed: list[BaseException] = []
    told = threading.Event()

    def succeed(event: Any) -> None:
        fetched.append(event["artifact_payload"])
        told.set()

    def fail(event: Any) -> None:
        failed.append(event["error"])
        told.set()

    with TargetClient.create(
        client=client,
        organization_id=_ORGANIZATION,
        decisioning_method="on-device",
        polling_interval=0,
        maximum_wait_ready=0,
        telemetry_enabled=False,
        logger=_silent(),
        events={"artifact_download_succeeded": succeed, "artifact_download_failed": fail},
        **options,
    ) as target:
        told.wait(timeout_ms / 1000)
        state = target.status().artifact
    if fetched:
        return fetched[0].text
    why = f": {state.last_error}" if state is not None and state.last_error else ""
    raise Failure(failed[0] if failed else f"The artifact did not come within {timeout_ms} ms{why}")


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that others see all of it or what was there before. Raises Failure."""
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(name, 0o666 & ~_umask())
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        raise Failure(f"{path}: it cannot be written: {error.strerror or error}") from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _silent() -> Any:
    """A logger for what is told as an error anyway."""
    import logging

    logger = logging.Logger("target.cli")
    logger.addHandler(logging.NullHandler())
    return logger
