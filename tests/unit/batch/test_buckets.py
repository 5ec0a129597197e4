"""Hashes of whole columns are those of single visitors."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from target.batch.buckets import Buckets, without_blanks, without_suffix
from target.decisioning.allocation import allocation_of, visitor_of

TEXTS = st.one_of(
    st.sampled_from(["", "a", "a\nb", "\n", "\u0a0a", "ü", "\U0001f600", "a.b", ".", "..", ".a"]),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.uuids().map(str),
)


@given(texts=st.lists(st.one_of(st.none(), TEXTS), max_size=20), client=TEXTS, activity=TEXTS)
def test_places_are_those_of_a_client(texts: list[str | None], client: str, activity: str) -> None:
    found = Buckets(client, pa.array(texts, pa.string())).of(activity).to_pylist()
    wanted = [None if text is None else allocation_of(client, activity, text) for text in texts]
    assert [None if place is None else place / 100 for place in found] == wanted


@pytest.mark.parametrize("odd", ["plain", "a\nb", "ü"])
def test_more_than_are_hashed_at_once(odd: str) -> None:
    texts = [f"visitor-{number}" for number in range(1500)]
    texts[700] = odd
    found = Buckets("acme", pa.array(texts)).of("7").to_pylist()
    assert [place / 100 for place in found] == [allocation_of("acme", "7", text) for text in texts]


@given(text=TEXTS)
def test_suffixes(text: str) -> None:
    (stem,) = without_suffix(pa.array([text])).to_pylist()
    assert stem == (visitor_of({"tntId": text}) or "")


@given(
    text=st.one_of(
        TEXTS, st.text("\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2003\u2028\u3000\u200b\ufeffa", max_size=3)
    )
)
def test_blanks(text: str) -> None:
    assert without_blanks(pa.array([text])).to_pylist() == [text if text.strip() else None]


@pytest.mark.waits
def test_every_character_that_is_blank() -> None:
    texts = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    kept = without_blanks(pa.array(texts)).to_pylist()
    assert [text for text, left in zip(texts, kept, strict=True) if left is None] == [t for t in texts if t.isspace()]
