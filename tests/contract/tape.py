"""Owns how vcrpy is used here: what makes a request match, what is scrubbed, and how a cassette is written."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import Any

import vcr
import yaml

from target.testing._scrubbing import scrub_request, scrub_response

CASSETTES = Path(__file__).parent / "cassettes"
RECORDED = CASSETTES / "recorded"  # from the emulator, by `make record`
LIVE = CASSETTES / "live"  # from an account, by `make record TARGET_CLIENT=... TARGET_ORG=...`
HANDMADE = CASSETTES / "handmade"

# Not the host: a cassette from a loopback port or a live account replays anywhere. Bodies are compared as text, which
# is strict (1 is not true), since scrubbing has brought the JSON of both sides into one form.
MATCH_ON = ("method", "path", "query", "raw_body")


def tape(folder: Path, record_mode: str = "none", secrets: Collection[str] = ()) -> vcr.VCR:
    """A VCR for the cassettes in `folder`; it replays, and refuses what it does not hold, unless told to record.

    Not for calls from several threads: vcrpy takes its patches back, process-wide, while it opens a connection.
    """
    recorder = vcr.VCR(
        cassette_library_dir=str(folder),
        record_mode=record_mode,
        match_on=MATCH_ON,
        serializer="readable",
        decode_compressed_response=True,
        before_record_request=scrub_request,
        before_record_response=partial(scrub_response, secrets=secrets),
    )
    recorder.register_serializer("readable", _Readable)
    return recorder


class _Readable:
    """Cassettes as YAML whose bodies are indented JSON, a line each, in the order a reader expects."""

    @staticmethod
    def deserialize(text: str) -> Any:
        return yaml.safe_load(text)

    @staticmethod
    def serialize(cassette: dict[str, Any]) -> str:
        return yaml.dump(cassette, Dumper=_Dumper, sort_keys=False)


class _Dumper(yaml.SafeDumper):
    pass


def _write_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _write_text)
