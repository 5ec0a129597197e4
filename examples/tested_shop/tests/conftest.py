"""The shop as browsers see it, with an emulated Target behind it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from shop.pages import create_app


@pytest.fixture
def browser(target_client_options: dict[str, Any]) -> Iterator[TestClient]:
    """A new visitor."""
    with TestClient(create_app(**target_client_options), base_url="https://shop.example") as visitor:
        yield visitor
