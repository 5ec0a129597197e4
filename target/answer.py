"""Reads an answer: what an mbox, a view or the page as a whole is to show. No answer of an account makes it raise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from target.foreign import copied
from target.values import parse_string

if TYPE_CHECKING:
    from target_delivery_api.models import (
        DeliveryResponse,
        MboxResponse,
        Option,
        PageLoadResponse,
        PrefetchMboxResponse,
        View,
    )


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


def find_mbox(response: DeliveryResponse | None, name: str) -> MboxResponse | PrefetchMboxResponse | None:
    """The first mbox of that name. Raises OptionsError when ``name`` is no string."""
    name = parse_string("name", name)
    return next((mbox for mbox in mboxes_of(response) if mbox.name == name), None)


def options_of_mbox(response: DeliveryResponse | None, name: str) -> list[Option]:
    """The options of each mbox of that name. Raises OptionsError when ``name`` is no string."""
    name = parse_string("mbox", name)
    return [option for mbox in mboxes_of(response) if mbox.name == name for option in mbox.options or ()]


def options_of_page(response: DeliveryResponse | None) -> list[Option]:
    """The options of the page as a whole."""
    return [option for page_load in page_loads_of(response) for option in page_load.options or ()]


def options_of_view(response: DeliveryResponse | None, name: str) -> list[Option]:
    """The options of each view of that name. Raises OptionsError when ``name`` is no string."""
    name = parse_string("name", name)
    return [option for view in views_of(response) if view.name == name for option in view.options or ()]


def content_of(response: DeliveryResponse | None, name: str, default: Any) -> Any:
    """A copy of what the first option of that mbox holds, else ``default``. Raises as ``options_of_mbox``."""
    options = options_of_mbox(response, name)
    content = options[0].content if options else None
    return default if content is None else copied(content)
