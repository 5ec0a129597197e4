"""Owns what every route shares: reading a body within a limit, JSON and errors in the shape of the API."""

from __future__ import annotations

import json
from typing import Any

from target.emulator.entries import Received
from target.emulator.faults import RETRY_AFTER_S, Fault

try:
    from starlette.requests import Request
    from starlette.responses import Response
except ModuleNotFoundError as missing:
    from target.emulator.extra import needs_extra

    raise needs_extra(missing) from missing


async def read_body(request: Request, limit: int) -> bytes | None:
    """The body, None where it has more than `limit` bytes. Raises ClientDisconnect."""
    # A body over the limit is read to its end, unkept: a client that is still writing could not read the 413.
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= limit:
            chunks.append(chunk)
        else:
            chunks.clear()
    return b"".join(chunks) if size <= limit else None


def failed(status: int | None) -> Response:
    """The answer to a call that was to fail; without a status the answer gets lost."""
    response = error(status or 503, "The emulator was told to fail this call")
    if status == 429:
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


def error(status: int, message: str, **more: Any) -> Response:
    """An error in the shape of the API."""
    if status == 304:  # which has no body
        return Response(status_code=status)
    return json_answer(status, {"status": status, "message": message, **more})


def json_answer(status: int, value: Any) -> Response:
    """JSON in ASCII: text that is no valid Unicode (a lone surrogate a client sent) can then be echoed."""
    return Response(json.dumps(value), status, media_type="application/json")


def fetch_of(request: Request, of: str, response: Response, fault: Fault | None) -> Received:
    """What the journal keeps of a request for rules or a place."""
    return Received(
        dict(request.query_params),
        dict(request.headers),
        None,
        status=status_of(response, fault),
        fault=None if fault is None else fault.name,
        of=of,
        path=request.scope["path"],
    )


def status_of(response: Response, fault: Fault | None) -> int | None:
    """What the journal says was answered."""
    return None if fault is not None and fault.fault == "reset" else response.status_code
