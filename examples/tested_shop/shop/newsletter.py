"""A job that writes to customers, each as Target decides."""

from __future__ import annotations

from collections.abc import Iterable

from target import TargetClient, TargetError

PLAIN = "Our newest products"


def subjects(client: TargetClient, customers: Iterable[str]) -> dict[str, str]:
    """The subject of the letter to each customer; a plain one where Target is away."""
    found = {}
    for customer in customers:
        asked = {"execute": {"mboxes": [{"name": "newsletter"}]}, "id": {"thirdPartyId": customer}}
        try:
            letter = client.get_attributes(["newsletter"], request=asked)
            found[customer] = letter.get_str("newsletter", "subject", PLAIN)
        except TargetError:
            found[customer] = PLAIN
    return found
