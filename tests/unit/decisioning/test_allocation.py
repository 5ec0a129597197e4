from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target.decisioning.allocation import Allocations, allocation_of, hash_text, visitor_of


def murmur3(text: str) -> int:
    """The algorithm as published, over blocks of two UTF-16 units, and with nothing but whole numbers."""
    units: list[int] = []
    for char in text:
        code = ord(char)
        units += [code] if code < 0x10000 else [0xD800 + ((code - 0x10000) >> 10), 0xDC00 + (code & 0x3FF)]

    def scramble(block: int) -> int:
        block = block * 0xCC9E2D51 & 0xFFFFFFFF
        block = (block << 15 | block >> 17) & 0xFFFFFFFF
        return block * 0x1B873593 & 0xFFFFFFFF

    digest = 0
    for low, high in zip(units[::2], units[1::2], strict=False):
        digest ^= scramble(low | high << 16)
        digest = (digest << 13 | digest >> 19) & 0xFFFFFFFF
        digest = (digest * 5 + 0xE6546B64) & 0xFFFFFFFF
    if len(units) % 2:
        digest ^= scramble(units[-1])
    digest ^= 2 * len(units)
    digest = (digest ^ digest >> 16) * 0x85EBCA6B & 0xFFFFFFFF
    digest = (digest ^ digest >> 13) * 0xC2B2AE35 & 0xFFFFFFFF
    digest ^= digest >> 16
    return digest - 0x100000000 if digest & 0x80000000 else digest


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("someClientId.123456.tntId123.salty", -1846592194),
        ("targettesting.125880.4c038b35f1b1453d80a3e7da8208c617.campaign", -683299703),
    ],
)
def test_known_hashes(text: str, expected: int) -> None:
    assert hash_text(text) == expected


@pytest.mark.parametrize("text", ["\ud83d", "a\ude00", "\U0001f600", "ä"])
def test_halves_of_characters_have_a_hash(text: str) -> None:
    assert hash_text(text) == murmur3(text)


@pytest.mark.parametrize("text", [".38_0", "a.b"])
def test_only_a_device_id_has_a_suffix(text: str) -> None:
    assert visitor_of({"marketingCloudVisitorId": text}) == visitor_of({"thirdPartyId": text}) == text
    assert visitor_of({"tntId": text}) == ("a" if text == "a.b" else text)


@given(st.text(alphabet=st.characters(codec=None, exclude_categories=[]), max_size=40))
def test_hash_is_murmur3_over_utf16_units(text: str) -> None:
    assert hash_text(text) == murmur3(text)


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ({"marketingCloudVisitorId": "ecid123", "tntId": "tntId123", "thirdPartyId": "thirtPartyId123"}, 29.06),
        ({"tntId": "tntId123", "thirdPartyId": "thirtPartyId123"}, 21.94),
        ({"tntId": "tntId123.28_0"}, 21.94),
        ({"tntId": "tntId123.28_0.9"}, 21.94),
        ({"thirdPartyId": "thirtPartyId123"}, 73.15),
    ],
)
def test_known_allocations(ids: dict[str, str], expected: float) -> None:
    visitor = visitor_of(ids)
    assert visitor is not None
    assert allocation_of("someClientId", "123456", visitor, "salty") == expected


@pytest.mark.parametrize(
    "ids",
    [
        {},
        {"customerIds": [{"id": "a", "integrationCode": "b"}]},
        {"tntId": "", "thirdPartyId": None, "marketingCloudVisitorId": 5},
    ],
)
def test_no_id_makes_no_visitor(ids: dict[str, object]) -> None:
    assert visitor_of(ids) is None


@given(st.text(), st.text(), st.text())
def test_allocation_is_a_percentage(client: str, activity: str, visitor: str) -> None:
    place = allocation_of(client, activity, visitor)
    assert 0 <= place < 100
    assert place == round(place, 2)


def test_each_activity_is_computed_once() -> None:
    allocations = Allocations("acme", "visitor")
    first = allocations["1"]
    assert allocations == {"1": first}
    assert allocations["2"] != first
    assert first == allocation_of("acme", "1", "visitor", "0")
