"""Makes the notifications that tell Target what was shown or clicked, of what an answer holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from target import config
from target.config import Runtime
from target.errors import OptionsError
from target.foreign import exact_text, is_a, is_text, items_of, kind_of, milliseconds_of, shown
from target.parts import mboxes_of, page_loads_of, views_of
from target.values import parse_flag, parse_string

if TYPE_CHECKING:
    from target_delivery_api.models import DeliveryResponse, Notification

DISPLAY = "display"
CLICK = "click"

_MOST_NAMES = 1000
_MOST_SHOWN = 20


class Shown(NamedTuple):
    """What was shown or clicked, and when.

    Attributes:
        mboxes: Their names.
        page_load: Whether the page as a whole was.
        views: Their names.
        timestamp: When, in milliseconds since 1970; None for now.
        selector: Of several clicks to report, which one: the metric's CSS selector. None for all of them.
        without_token: Whether something gets a notification even where no token says that Target wants one.
    """

    mboxes: Sequence[str]
    page_load: bool = False
    views: Sequence[str] = ()
    timestamp: int | None = None
    selector: str | None = None
    without_token: bool = False


def parse_names(name: str, value: object) -> list[str]:
    """Names, each once: one of them, or a collection. Raises OptionsError."""
    if value is None:
        return []
    if not is_text(value) and not is_a(value, list | tuple | set | frozenset):
        raise OptionsError(f"{name} must be a list of names, not {kind_of(value)}")
    given = [value] if is_text(value) else items_of(value, _MOST_NAMES, name)
    for item in given:
        if not is_text(item):
            raise OptionsError(f"{name} must hold names, which are strings, not {kind_of(item)}")
    return list(dict.fromkeys(map(exact_text, given)))


def parse_shown(mboxes: object, page_load: object, views: object, timestamp: object, selector: object = None) -> Shown:
    """What callers say of what was shown or clicked. Raises OptionsError."""
    if timestamp is not None and (timestamp := milliseconds_of(timestamp)) is None:
        raise OptionsError("timestamp must be milliseconds since 1970, or a datetime")
    return Shown(
        parse_names("mboxes", mboxes),
        page_load is not None and parse_flag("page_load", page_load),
        parse_names("views", views),
        timestamp,
        None if selector is None else parse_string("selector", selector),
    )


def build_notifications(
    response: DeliveryResponse | None, kind: str, what: Shown, runtime: Runtime | None = None
) -> list[Notification]:
    """The notifications of type ``kind`` about ``what``; none for what has no token, as where there is no answer.

    Raises:
        OptionsError: The answer does not hold something of it; the message names what it holds.
    """
    from target_delivery_api.models import Notification  # here, since a call that tells nothing needs none of them

    read = _display_tokens if kind == DISPLAY else _click_tokens
    runtime = runtime or config.default_runtime
    timestamp = int(runtime.now_s() * 1000) if what.timestamp is None else what.timestamp
    made: list[Notification] = []
    told: dict[str, set[str]] = {}  # of one mbox that is there twice, nothing counts twice
    for place, name, about in _places(response, what):
        tokens = {token: None for token in read(place, what.selector) if isinstance(token, str) and token}
        of_it = told.setdefault(name, set())
        new = [token for token in tokens if token not in of_it]
        of_it.update(new)
        if new or (what.without_token and not tokens):
            made.append(
                Notification(
                    id=runtime.new_id(),
                    type=kind,
                    timestamp=timestamp,
                    impression_id=runtime.new_id(),
                    tokens=new or None,
                    **about,
                )
            )
    return made


def _places(response: DeliveryResponse | None, what: Shown) -> Iterator[tuple[Any, str, dict[str, Any]]]:
    """Each part of the answer that is meant, a name for it, and what a notification says of it."""
    from target_delivery_api import models

    if response is None:
        for name in what.mboxes:
            yield models.MboxResponse(), f"mbox {name}", {"mbox": models.NotificationMbox(name=name)}
        return
    mboxes, views, page_loads = list(mboxes_of(response)), list(views_of(response)), list(page_loads_of(response))
    for name in what.mboxes:
        for mbox in _named(name, mboxes, "mbox"):
            state = _text(getattr(mbox, "state", None))  # which only a prefetch has
            yield mbox, f"mbox {name}", {"mbox": models.NotificationMbox(name=name, state=state)}
    for name in what.views:
        for view in _named(name, views, "view"):
            about = models.NotificationView(name=name, key=_text(view.key), state=_text(view.state))
            yield view, f"view {name}", {"view": about}
    if what.page_load and not page_loads:
        raise OptionsError("The answer holds nothing for the page as a whole: ask for pageLoad, or leave page_load out")
    for page_load in page_loads if what.page_load else ():
        yield page_load, "page", {"page_load": models.NotificationPageLoad(state=_text(page_load.state))}


def _named(name: str, places: list[Any], kind: str) -> list[Any]:
    if found := [place for place in places if place.name == name]:
        return found
    names = list(dict.fromkeys(shown(place.name) for place in places if isinstance(place.name, str)))
    held = ", ".join(names[:_MOST_SHOWN]) + (" and more" if len(names) > _MOST_SHOWN else "")
    raise OptionsError(f"The answer holds no {kind} {shown(name)}: {f'it holds {held}' if held else 'it holds none'}")


def _display_tokens(place: Any, _: str | None) -> Iterator[Any]:
    for option in place.options or ():
        yield option.event_token


def _click_tokens(place: Any, selector: str | None) -> Iterator[Any]:
    for metric in place.metrics or ():
        if metric.type == CLICK and selector in (None, metric.selector):
            yield metric.event_token
    for option in place.options or ():
        # Which the API's document does not know of, and some answers have.
        of_option = option.additional_properties.get("metrics")
        for metric in of_option if isinstance(of_option, list) else ():
            if isinstance(metric, dict) and metric.get("type") == CLICK and selector in (None, metric.get("selector")):
                yield metric.get("eventToken")


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
