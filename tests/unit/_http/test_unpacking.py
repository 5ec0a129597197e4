"""Packed bodies: unpacked to their very end, or an error, on every way an answer comes."""

from __future__ import annotations

import gzip
import itertools
import random
import socket
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3.exceptions import DecodeError

from target import TransportError
from target._http.deadline import Deadline
from target._http.unpacking import PIECE_BYTES, unpack
from target._on_device.download import Downloads
from target.config import parse_client_options
from tests.faults.cells import PROBE
from tests.kit.calls import ACCOUNT
from tests.kit.raw_servers import GOOD_BODY, raw_server, say
from tests.kit.ways import WAYS

TEXT = b'{"a": [1, 2, 3], "text": "' + random.Random(7).randbytes(3000).hex().encode() + b'"}'


def raw_deflate(content: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(content) + stream.flush()


PACKED = {
    "gzip": gzip.compress(TEXT),
    "x-gzip": gzip.compress(TEXT),
    "GZIP": gzip.compress(TEXT),
    "deflate": zlib.compress(TEXT),
    " deflate ": raw_deflate(TEXT),
    "gzip, gzip": gzip.compress(gzip.compress(TEXT)),
    "deflate, identity, gzip": gzip.compress(zlib.compress(TEXT)),
    "identity": TEXT,
    "": TEXT,
}


def cut(content: bytes, *ends: int) -> Iterator[bytes]:
    return (content[start:end] for start, end in itertools.pairwise([0, *sorted(ends), len(content)]))


@pytest.mark.parametrize("encoding", PACKED)
@given(ends=st.lists(st.integers(0, 3000), max_size=6))
def test_what_is_packed_is_unpacked_however_it_is_cut(encoding: str, ends: list[int]) -> None:
    assert b"".join(unpack(cut(PACKED[encoding], *ends), encoding)) == TEXT


@pytest.mark.parametrize("encoding", [name for name in PACKED if name.strip() not in ("", "identity")])
def test_what_lacks_any_part_of_its_end_is_an_error(encoding: str) -> None:
    packed = PACKED[encoding]
    for size in (*range(1, 40), *range(len(packed) - 40, len(packed))):
        with pytest.raises(DecodeError, match=r"ends before its end|damaged"):
            b"".join(unpack([packed[:size]], encoding))


def test_members_one_after_the_other_are_one_body() -> None:
    members = gzip.compress(b"ab") + gzip.compress(b"") + gzip.compress(b"cd")
    for pieces in ([members], [members[i : i + 1] for i in range(len(members))], [members, b"\0" * 9, b"\0"]):
        assert b"".join(unpack(pieces, "gzip")) == b"abcd"
    for more in (b"x", b"\x1f\x8b", gzip.compress(b"ef")[:-1], b"\0\0x"):
        with pytest.raises(DecodeError):
            b"".join(unpack([members + more], "gzip"))


@pytest.mark.parametrize(
    "encoding", ["br", "zstd", "compress", "gzip, br", "chunked", "gzip;q=1", "gzip,gzip,gzip,gzip"]
)
def test_what_nobody_asked_for_is_an_error(encoding: str) -> None:
    with pytest.raises(DecodeError, match=r"not asked for|too often"):
        b"".join(unpack([TEXT], encoding))


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "gzip, gzip"])
def test_no_body_at_all_is_an_empty_one(encoding: str) -> None:
    assert b"".join(unpack([], encoding)) == b""


def test_a_small_body_becomes_large_only_piece_by_piece() -> None:
    bomb = gzip.compress(gzip.compress(b" " * 30_000_000))
    pieces = list(map(len, unpack(cut(bomb, *range(0, len(bomb), PIECE_BYTES)), "gzip, gzip")))
    assert max(pieces) <= PIECE_BYTES
    assert sum(pieces) == 30_000_000


def test_many_members_that_hold_nothing_are_told_of_one_by_one() -> None:
    """So that who reads them can look at the clock."""
    assert len(list(unpack([gzip.compress(b"") * 1000], "gzip"))) == 1000


def reply(body: bytes, encoding: str, framing: str) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\n"
    if framing == "length":
        return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    if framing == "until closed":
        return f"{head}Connection: close\r\n\r\n".encode() + body
    chunk = b"%x\r\n%s\r\n" % (len(body), body)
    return (
        f"{head}Transfer-Encoding: chunked\r\n\r\n".encode()
        + chunk
        + (b"" if framing == "no last chunk" else b"0\r\n\r\n")
    )


GZIP, ZLIB = gzip.compress(GOOD_BODY), zlib.compress(GOOD_BODY)
CASES = [
    (GZIP[:-missing], "gzip", framing) for missing in (1, 4, 8, 9) for framing in ("length", "until closed", "chunked")
] + [(ZLIB[:-1], "deflate", "length"), (ZLIB[:-4], "deflate", "chunked"), (GZIP, "gzip", "no last chunk")]
IDS = [f"{len(body)} of {encoding}, {framing}" for body, encoding, framing in CASES]


@pytest.mark.parametrize("way", WAYS)
def test_an_answer_without_its_end_is_an_error(way: str) -> None:
    for body, encoding, framing in CASES:
        with raw_server(say(reply(body, encoding, framing))) as server:
            client = WAYS[way](
                **ACCOUNT, server_domain=server.domain, secure=False,
                edge_routing=False, timeout=5000,
            )  # fmt: skip
            try:
                with pytest.raises(TransportError, match="could not be read"):
                    client.call(PROBE)
            finally:
                client.close()


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_a_file_without_its_end_is_an_error(case: tuple[bytes, str, str]) -> None:
    downloads = Downloads(parse_client_options(ACCOUNT))
    with raw_server(say(reply(*case))) as server, pytest.raises(TransportError, match="could not be read"):
        downloads.get(f"http://{server.domain}/rules.json", {}, Deadline(5))
    downloads.close()


@pytest.mark.parametrize("framing", ["length", "until closed", "chunked"])
def test_a_file_to_its_end_is_read(framing: str) -> None:
    downloads = Downloads(parse_client_options(ACCOUNT))
    with raw_server(say(reply(ZLIB, "deflate", framing))) as server:
        assert downloads.get(f"http://{server.domain}/rules.json", {}, Deadline(5)).content == GOOD_BODY
    downloads.close()


@pytest.mark.parametrize("way", WAYS)
def test_packed_nothing_without_end_is_an_error(way: str) -> None:
    members = gzip.compress(b"") * 1000

    def behave(sock: socket.socket) -> None:
        say(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n")(sock)
        while True:
            sock.sendall(members)

    with raw_server(behave) as server:
        client = WAYS[way](
            **ACCOUNT, server_domain=server.domain, secure=False,
            edge_routing=False, timeout=20_000, max_response_bytes=1_000_000,
        )  # fmt: skip
        try:
            with pytest.raises(TransportError, match="max_response_bytes"):
                client.call(PROBE)
        finally:
            client.close()
