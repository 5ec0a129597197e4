"""Calls of the three methods for one visitor, and what arrived of that visitor at the loopback server."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from target import AttributesProvider, TargetClient, Visitor
from tests.kit.loopback import Received

ORGANIZATION = "1234@AdobeOrg"
ECID = "07327024324407615852294135870030620007"
BLOB = "RKhpRz8krg2tLO6pguXWp5olkAcUniQYPHaMWWgdJ3xzPWQmdj0y"
COOKIE = f"1|MCMID|{ECID}|MCAAMLH-9585281503|9|MCAAMB-9585281503|{BLOB}"
OPTED_OUT = f"{COOKIE}|MCOPTOUT-9585281503s|1"
OWN_SDID = "2C9C1AA0B5A3D8F1-0123456789ABCDEF"
SDID = re.compile(r"[0-9A-F]{16}-[0-9A-F]{16}")

#: Makes a call whose request has these further parts, with these options.
Call = Callable[..., Any]


def get_offers(client: TargetClient, own: dict[str, Any] | None = None, **options: Any) -> Any:
    return client.get_offers({"request": {"execute": {"pageLoad": {}}, **(own or {})}, **options})


def get_attributes(client: TargetClient, own: dict[str, Any] | None = None, **options: Any) -> Any:
    return client.get_attributes(["flag"], {"request": {"context": {}, **(own or {})}, **options})


def send_notifications(client: TargetClient, own: dict[str, Any] | None = None, **options: Any) -> Any:
    click = {"id": "n1", "type": "click", "timestamp": 1570320000000}
    return client.send_notifications({"request": {"notifications": [click], **(own or {})}, **options})


METHODS = [get_offers, get_attributes, send_notifications]
every_method = pytest.mark.parametrize("call", METHODS, ids=lambda method: method.__name__)


def envelope(answered: Any) -> Any:
    """The result, also of a method that wraps it."""
    return answered.get_response() if isinstance(answered, AttributesProvider) else answered


def visitor(cookie: str | None = COOKIE, **customer_ids: Any) -> Visitor:
    made = Visitor(ORGANIZATION, cookie)
    made.set_customer_ids(customer_ids)
    return made


def customer_id(code: str, id_: str, state: str = "unknown") -> dict[str, str]:
    return {"id": id_, "integrationCode": code, "authenticatedState": state}


def customer_ids(received: Received) -> list[tuple[str, str]]:
    return [(entry["integrationCode"], entry["id"]) for entry in received.body["id"].get("customerIds", ())]


def supplemental_data_id(received: Received) -> str | None:
    return received.body["experienceCloud"]["analytics"].get("supplementalDataId")
