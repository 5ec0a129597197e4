"""A body is the same whether all of it has come or not, and bounded either way."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import aiohttp
from aiohttp.base_protocol import BaseProtocol
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from target import TransportError
from target._http.aio.bodies import read_body

MOST = 20


class Response:
    """What is looked at of one."""

    status = 200
    raw_headers = ()
    content_length = None

    def __init__(self, content: aiohttp.StreamReader) -> None:
        self.content = content
        self.headers: CIMultiDict[str] = CIMultiDict()


async def read(pieces: list[bytes], at_once: int, fails: bool) -> bytes | str:
    """The body that comes in ``pieces``, so many of them before it is read."""
    loop = asyncio.get_running_loop()
    protocol = BaseProtocol(loop)
    body = aiohttp.StreamReader(protocol, 2**16, loop=loop)
    protocol.connection_made(cast("Any", _Transport()))
    ends = not fails and not pieces[at_once:]
    for piece in pieces[:at_once]:
        body.feed_data(piece)
    if ends:  # by the time that it is read
        body.feed_eof()
    task = asyncio.ensure_future(read_body(cast("Any", Response(body)), MOST))
    await asyncio.sleep(0)
    for piece in pieces[at_once:]:
        body.feed_data(piece)
        await asyncio.sleep(0)
    if fails:
        body.set_exception(aiohttp.ClientPayloadError())
    elif not ends:
        body.feed_eof()
    try:
        return await task
    except (TransportError, aiohttp.ClientPayloadError) as error:
        return type(error).__name__


class _Transport:
    def get_extra_info(self, _: str) -> None:
        return None

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


@given(st.lists(st.binary(min_size=1, max_size=8), max_size=6), st.integers(0, 6), st.booleans())
def test_pieces_are_joined_whenever_they_come(pieces: list[bytes], at_once: int, fails: bool) -> None:
    whole = b"".join(pieces)
    expected = "TransportError" if len(whole) > MOST else "ClientPayloadError" if fails else whole
    assert asyncio.run(read(pieces, at_once, fails)) == expected
