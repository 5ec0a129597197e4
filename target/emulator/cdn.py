"""Owns the rules as a CDN serves them: GET /{client}/{environment}/v1[/{property}]/rules.json."""

from __future__ import annotations

import gzip

from target.emulator.desk import Desk
from target.emulator.faults import suffer
from target.emulator.replies import failed, fetch_of
from target.emulator.rules import Rules

try:
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import Request
    from starlette.responses import Response
except ModuleNotFoundError as missing:
    from target.emulator.extra import needs_extra

    raise needs_extra(missing) from missing

PATHS = ("/{client}/{environment}/v1/rules.json", "/{client}/{environment}/v1/{property}/rules.json")
# A swapped file is to be seen by the next who asks, whatever cache is on the way.
_HEADERS = {"Cache-Control": "no-cache", "Vary": "Accept-Encoding"}


class Cdn:
    """The artifact's endpoint. Every client, environment and property has the same rules."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._packed: tuple[str, bytes] = ("", b"")

    async def answer(self, request: Request) -> Response:
        """The rules, or that they are the ones that the caller has."""
        fault = self._desk.faults.take("rules")
        if fault is not None and fault.stops_early:
            response = failed(fault.status)
        else:  # large ones take a moment to pack, while calls go on
            response = await run_in_threadpool(self._rules, request)
        self._desk.journal.add(fetch_of(request, "rules", response, fault))
        return await suffer(request, response, fault, self._desk.stopping)

    def _rules(self, request: Request) -> Response:
        rules = self._desk.stage.published
        headers = {**_HEADERS, "ETag": rules.etag}
        if _is_known(request.headers.getlist("if-none-match"), rules.etag):
            return Response(status_code=304, headers=headers)
        text = rules.text
        if _takes_gzip(request.headers.getlist("accept-encoding")):
            headers["Content-Encoding"] = "gzip"
            text = self._zipped(rules)
        return Response(text, headers=headers, media_type="application/json")

    def _zipped(self, rules: Rules) -> bytes:
        etag, packed = self._packed
        if etag != rules.etag:
            packed = gzip.compress(rules.text, mtime=0)
            self._packed = (rules.etag, packed)
        return packed


def _is_known(given: list[str], etag: str) -> bool:
    """Whether one of the ETags in If-None-Match is this one (RFC 9110, 13.1.2: compared weakly)."""
    known = [one.strip().removeprefix("W/") for line in given for one in line.split(",")]
    return etag in known or "*" in known


def _takes_gzip(given: list[str]) -> bool:
    """Whether Accept-Encoding allows gzip (RFC 9110, 12.5.3)."""
    weights: dict[str, float] = {}
    for entry in ",".join(given).split(","):
        coding, _, parameter = entry.partition(";")
        name, _, weight = parameter.partition("=")
        try:
            weights[coding.strip().lower()] = float(weight) if name.strip().lower() == "q" else 1.0
        except ValueError:
            weights[coding.strip().lower()] = 0.0
    return weights.get("gzip", weights.get("*", 0.0)) > 0
