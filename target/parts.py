"""The parts of an answer that hold offers: mboxes, views and the page as a whole. No answer makes these raise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from target_delivery_api.models import DeliveryResponse, MboxResponse, PageLoadResponse, PrefetchMboxResponse, View


def mboxes_of(response: DeliveryResponse | None) -> Iterator[MboxResponse | PrefetchMboxResponse]:
    """Every mbox of an answer: those of ``execute``, then those of ``prefetch``."""
    for part in () if response is None else (response.execute, response.prefetch):
        if part is not None:
            yield from part.mboxes or ()


def page_loads_of(response: DeliveryResponse | None) -> Iterator[PageLoadResponse]:
    """What is answered for the page as a whole, in the same order."""
    for part in () if response is None else (response.execute, response.prefetch):
        if part is not None and part.page_load is not None:
            yield part.page_load


def views_of(response: DeliveryResponse | None) -> Iterator[View]:
    """Every view of an answer, which only ``prefetch`` has."""
    if response is not None and response.prefetch is not None:
        yield from response.prefetch.views or ()


def put_mboxes(response: DeliveryResponse, by_name: dict[str, list[Any]]) -> None:
    """Let ``response`` hold the mboxes ``by_name`` in the place of its own, and ``by_name`` those that it has alone."""
    own: dict[str, list[Any]] = {}
    for mbox in mboxes_of(response):
        if isinstance(mbox.name, str):
            own.setdefault(mbox.name, []).append(mbox)
    kept = [zip(mboxes, by_name.setdefault(name, mboxes), strict=True) for name, mboxes in own.items()]
    in_place_of = {id(mbox): other for pairs in kept for mbox, other in pairs}
    for part in (response.execute, response.prefetch):
        if part is not None and part.mboxes:
            part.mboxes = [in_place_of.get(id(mbox), mbox) for mbox in part.mboxes]


def named_in(data: Mapping[str, Any], name: str) -> list[tuple[str, Any]]:
    """The mboxes ``name`` of an answer in wire form, each after ``execute`` or ``prefetch``, in this order."""
    return [
        (mode, mbox)
        for mode in ("execute", "prefetch")
        for mbox in objects_in(data.get(mode), "mboxes")
        if mbox.get("name") == name
    ]


def first_content(data: Mapping[str, Any], name: str) -> Any:
    """What the first option of the mbox ``name`` holds in an answer in wire form; None where there is none."""
    for _, mbox in named_in(data, name):
        for option in objects_in(mbox, "options"):
            return option.get("content")
    return None


def objects_in(holder: Mapping[str, Any] | None, key: str) -> list[Any]:
    """The objects in the list ``key`` of an answer in wire form, in which anything may be null."""
    found = holder.get(key) if holder is not None else None
    if not found:
        return []
    return [each for each in found if each is not None] if None in found else found
