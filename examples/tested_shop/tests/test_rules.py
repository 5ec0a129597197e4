"""What the shop makes of each experience of an activity, whoever would see it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient


@pytest.mark.parametrize(("experience", "checkout"), [("A: express", "express"), ("B: legacy", "legacy")])
def test_checkout(
    browser: TestClient,
    target_rules: Callable[..., None],
    force_experience: Callable[..., None],
    experience: str,
    checkout: str,
) -> None:
    target_rules()  # those of the sample shop; a file of yours: target_rules("rules.json")
    force_experience("feature-flag-a", experience)
    assert browser.get("/checkout").text == f"<p>Checkout: {checkout}</p>"
