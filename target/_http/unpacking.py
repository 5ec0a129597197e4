"""Unpacks the body of an answer, piece by piece, to its very end.

A stream that lacks its end, be it the checksum alone, has to be an error, and urllib3 takes one for complete.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

from urllib3.exceptions import DecodeError

PIECE_BYTES = 65536
_MOST_ENCODINGS = 3
_GZIP, _ZLIB, _RAW = 31, 15, -15  # as zlib numbers formats


def unpack(pieces: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """The unpacked ``pieces`` of a body, none of them long, some of them empty.

    Args:
        pieces: What came; short ones, since each may be copied many times.
        encoding: The header ``Content-Encoding``.

    Raises:
        DecodeError: It is packed in another way, is damaged, or lacks its end.
    """
    names = [name.strip().lower() for name in encoding.split(",") if name.strip()]
    if len(names) > _MOST_ENCODINGS:
        raise DecodeError("packed too often")
    for name in reversed(names):
        if name in ("gzip", "x-gzip"):
            pieces = _inflate(pieces, _GZIP)
        elif name == "deflate":
            pieces = _inflate(pieces, None)
        elif name != "identity":
            raise DecodeError("packed in a way that was not asked for")
    return iter(pieces)


def _inflate(pieces: Iterable[bytes], kind: int | None) -> Iterator[bytes]:
    """One layer less of packing; ``kind`` None tells zlib's own format from the one without a head."""
    stream = None
    start = b""
    begun = False
    for piece in pieces:
        if kind is None:
            start += piece
            if len(start) < 2:
                continue
            kind = _ZLIB if start[0] & 15 == 8 and int.from_bytes(start[:2]) % 31 == 0 else _RAW
            piece = start
        while True:
            if stream is None:
                piece = piece.lstrip(b"\0") if begun else piece  # some pad what they packed
                if not piece:
                    break
                stream, begun = zlib.decompressobj(kind), True
            try:
                unpacked = stream.decompress(piece, PIECE_BYTES)
            except zlib.error:  # which is no error of HTTP
                unpacked = None
            if unpacked is None:
                raise DecodeError("damaged")
            yield unpacked
            if stream.eof:
                piece, stream = stream.unused_data, None  # another one may follow
            elif stream.unconsumed_tail or len(unpacked) == PIECE_BYTES:
                piece = stream.unconsumed_tail
            else:
                break
    if stream is not None or (start and not begun):
        raise DecodeError("ends before its end")
