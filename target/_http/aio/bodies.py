"""Bodies through aiohttp: large ones are sent in pieces, packed ones unpacked so that the loop can do other things."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

import aiohttp

from target._http import failures
from target._http.unpacking import PIECE_BYTES, unpack

_MOST_HEADERS = 100  # as http.client has it
_LARGE_BYTES = 2**20  # above which aiohttp warns of bodies that are written at once


def body_to_send(content: bytes, headers: Mapping[str, str]) -> tuple[bytes | AsyncIterator[bytes], Mapping[str, str]]:
    """``content`` as aiohttp takes it, and the headers that go with it."""
    if len(content) <= _LARGE_BYTES:
        return content, headers
    return _pieces(content), {**headers, "Content-Length": str(len(content))}


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), PIECE_BYTES):
        yield content[start : start + PIECE_BYTES]


async def read_body(response: aiohttp.ClientResponse, most: int) -> bytes:
    """The unpacked body.

    Raises:
        TransportError: It is larger than ``most``, or belongs to no final answer.
        DecodeError: It is not packed as its head says, or not to its end.
    """
    if response.status < 200:
        raise failures.not_final(response.status)
    if len(response.raw_headers) > _MOST_HEADERS:
        raise failures.too_many_headers(_MOST_HEADERS)
    if (response.content_length or 0) > most:
        raise failures.too_large(most)
    body = response.content
    content = body.read_nowait() if body.is_eof() else await _read(body, most)  # of a small one all has come by now
    if len(content) > most:
        raise failures.too_large(most)
    encodings = response.headers.getall("Content-Encoding", [])
    return await _unpack(content, ", ".join(encodings), most) if encodings else content


async def _read(body: aiohttp.StreamReader, most: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while size <= most and (chunk := await body.readany()):
        size += len(chunk)
        chunks.append(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def _unpack(content: bytes, encoding: str, most: int) -> bytes:
    """The body piece by piece, so that a small one cannot become a huge one."""
    packed = (content[start : start + PIECE_BYTES] for start in range(0, len(content), PIECE_BYTES))
    chunks: list[bytes] = []
    size = 0
    for chunk in unpack(packed, encoding):
        size += len(chunk)
        if size > most:
            raise failures.too_large(most)
        if chunk:
            chunks.append(chunk)
        await asyncio.sleep(0)  # the loop has other things to do, and a deadline may pass
    return b"".join(chunks)
