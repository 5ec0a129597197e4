"""What a result says of its answer in one line, and the notifications that tell what became of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from target.foreign import copied
from target.parts import first_content, mboxes_of, named_in, page_loads_of, put_mboxes, views_of
from target.values import parse_string

if TYPE_CHECKING:
    from datetime import datetime

    from target_delivery_api.models import (
        AnalyticsResponse,
        DeliveryResponse,
        MboxResponse,
        Notification,
        Option,
        PrefetchMboxResponse,
    )

    #: An answer as a model, and what is gathered of it.
    Whole = tuple[DeliveryResponse | None, tuple[Any, ...]]


class Reading(NamedTuple):
    """How models are made of an answer in wire form.

    Attributes:
        response: Makes the whole one.
        mbox: Makes an mbox of it; the first argument is ``execute`` or ``prefetch``.
        gather: Makes of the whole one ``analytics_details``, ``trace`` and ``response_tokens``.
    """

    response: Callable[[Any], DeliveryResponse]
    mbox: Callable[[str, Any], MboxResponse | PrefetchMboxResponse]
    gather: Callable[[DeliveryResponse], tuple[Any, ...]]


_IN_PARTS: Whole = (None, ())


class Unread:
    """An answer of which is made what somebody looks at, when he first does: mboxes alone, or all of it at once, since
    whoever has the response may change it. What the first of several threads makes, all get.

    Args:
        reading: What makes it.
        data: The response in wire form; only to be read.
    """

    __slots__ = ("_data", "_made", "_reading")

    def __init__(self, reading: Reading | None, data: Mapping[str, Any] | None) -> None:
        self._data = data
        self._reading = reading
        # "first": the Whole, or _IN_PARTS where an mbox came before it. Then "mboxes" has those, by their names, and
        # "whole" it, once somebody wants it after all.
        self._made: dict[str, Any] = {}

    @classmethod
    def made(cls, response: DeliveryResponse | None, gathered: tuple[Any, ...]) -> Unread:
        """The same of an answer that is a model already, or of none."""
        self = cls(None, None)
        self._made["first"] = response, gathered
        return self

    @property
    def data(self) -> Mapping[str, Any] | None:
        """The response in wire form; None where that is not at hand, or its reader may have changed a model."""
        return None if self._made else self._data

    def value(self, key: str, attribute: str) -> Any:
        """A field of the response that is a mere value, by its key and its attribute; no model is made for it."""
        data = self.data
        if data is not None:
            return copied(data.get(key))
        response = self.response()
        return None if response is None else getattr(response, attribute)

    def response(self) -> DeliveryResponse | None:
        """The model of all of it."""
        return self._both()[0]

    def gathered(self) -> tuple[Any, ...]:
        """What is gathered of it."""
        return self._both()[1]

    def mboxes(self, name: str) -> list[Any]:
        """The models of the mboxes ``name``, those of ``execute`` first; of no others, where nobody wanted them yet."""
        data, reading, made = self._data, self._reading, self._made
        if data is None or reading is None or made.setdefault("first", _IN_PARTS) is not _IN_PARTS or "whole" in made:
            return [mbox for mbox in mboxes_of(self.response()) if mbox.name == name]
        by_name = made.setdefault("mboxes", {})
        if (found := by_name.get(name)) is None:
            found = by_name.setdefault(name, [reading.mbox(mode, mbox) for mode, mbox in named_in(data, name)])
        return found  # type: ignore[no-any-return]

    def _whole(self) -> Whole | None:
        first = self._made.get("first")
        return self._made.get("whole") if first is _IN_PARTS else first

    def _both(self) -> Whole:
        data, reading, made = self._data, self._reading, self._made
        whole = self._whole()
        if whole is None:
            assert reading is not None  # it goes when all was made
            response = reading.response(data)
            whole = made.setdefault("first", (response, reading.gather(response)))
            if whole is _IN_PARTS:
                put_mboxes(response, made.setdefault("mboxes", {}))
                whole = made.setdefault("whole", (response, reading.gather(response)))
            # What has become models need not be held twice. In this order: who still finds what reads has the data.
            self._reading = self._data = None
        return whole


class Answer:
    """The part of a result that reads its ``response``, whatever that holds or lacks."""

    __slots__ = ()

    _answer: Unread

    @property
    def response(self) -> DeliveryResponse | None:
        """The DeliveryResponse; None when the API answered without a body (204)."""
        return self._answer.response()

    @property
    def analytics_details(self) -> list[AnalyticsResponse] | None:
        """AnalyticsResponse of every part of the answer, in order."""
        return self._answer.gathered()[0]  # type: ignore[no-any-return]

    @property
    def trace(self) -> list[dict[str, Any]] | None:
        """Trace maps, in the same order."""
        return self._answer.gathered()[1]  # type: ignore[no-any-return]

    @property
    def response_tokens(self) -> list[dict[str, Any]] | None:
        """Response token maps of every option, in the same order."""
        return self._answer.gathered()[2]  # type: ignore[no-any-return]

    def content(self, mbox: str, default: Any = None) -> Any:
        """What the first option of ``mbox`` holds, yours to change: text, or the value of a JSON offer.

        Where a call asked for the mbox in ``execute`` and in ``prefetch``, options of ``execute`` come first.

        Args:
            mbox: Its name.
            default: What to return where the answer has no such mbox, the mbox no option, or the option no content, as
                when no activity applies or the visitor is to see the default content; and where there is no answer.

        Raises:
            OptionsError: ``mbox`` is no string. No answer makes this raise.
        """
        data = self._answer.data
        if data is None:
            options = self.options(mbox)
            content = options[0].content if options else None
        else:
            content = first_content(data, parse_string("mbox", mbox))
        return default if content is None else copied(content)

    def options(self, mbox: str) -> list[Option]:
        """All options of ``mbox``, those of ``execute`` first; empty where there are none. Raises as ``content``."""
        name = parse_string("mbox", mbox)
        return [option for found in self._answer.mboxes(name) for option in found.options or ()]

    def page_load(self) -> list[Option]:
        """All options of the page as a whole, those of ``execute`` first; empty where there are none."""
        return [option for page_load in page_loads_of(self.response) for option in page_load.options or ()]

    def view(self, name: str) -> list[Option]:
        """All options of the view ``name``; empty where there are none. Raises as ``content``."""
        name = parse_string("name", name)
        return [option for view in views_of(self.response) if view.name == name for option in view.options or ()]

    def mbox(self, name: str) -> MboxResponse | PrefetchMboxResponse | None:
        """The mbox ``name``, that of ``execute`` first; None where the answer has none. Raises as ``content``."""
        return next(iter(self._answer.mboxes(parse_string("name", name))), None)

    def displayed(
        self,
        *mboxes: str,
        page_load: bool = False,
        views: Sequence[str] | str = (),
        timestamp: float | datetime | None = None,
    ) -> list[Notification]:
        """Notifications that these were shown, with the event tokens of their options, for ``client.notify`` or
        ``send_notifications``. None for what has no token: default content, and what ``execute`` has counted.

        Args:
            mboxes: Names of mboxes.
            page_load: Whether the page as a whole was shown.
            views: Names of views.
            timestamp: When, in milliseconds since 1970, or as a datetime (UTC where it names no offset). Default: now.

        Raises:
            OptionsError: The answer does not hold one of them; the message names what it holds. Where there is no
                answer at all, nothing is told.
        """
        return self._told("display", mboxes, page_load, views, timestamp)

    def clicked(
        self,
        *mboxes: str,
        page_load: bool = False,
        views: Sequence[str] | str = (),
        timestamp: float | datetime | None = None,
        selector: str | None = None,
    ) -> list[Notification]:
        """Notifications that these were clicked, with the event tokens of their click metrics. None for what has none.

        Args:
            mboxes: As for ``displayed``, as are ``page_load``, ``views`` and ``timestamp``.
            selector: The CSS selector of the metric that was clicked, where a page or a view has several. Default: all.

        Raises:
            OptionsError: As ``displayed``.
        """
        return self._told("click", mboxes, page_load, views, timestamp, selector)

    def _told(
        self, kind: str, mboxes: tuple[str, ...], page_load: bool, views: object, when: object, selector: object = None
    ) -> list[Notification]:
        from target.shown import build_notifications, parse_shown  # which a page that only asks never needs

        return build_notifications(self.response, kind, parse_shown(mboxes, page_load, views, when, selector))
