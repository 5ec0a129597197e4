"""What parts of an answer show, as values."""

from __future__ import annotations

import dataclasses

import pytest

from target.reasons import PartDecision


def test_it_is_a_value() -> None:
    part = PartDecision("mbox", "home", "execute", "split", "100", "Sale", "1", "Red")
    assert part == PartDecision(**part.to_dict())
    assert list(part.to_dict()) == [field.name for field in dataclasses.fields(PartDecision)]
    with pytest.raises(dataclasses.FrozenInstanceError):
        part.name = "cart"  # type: ignore[misc]
