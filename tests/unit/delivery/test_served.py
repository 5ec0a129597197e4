"""Which activities an answer of the server shows, as its tokens tell; whatever the answer."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target.delivery.served import as_text, list_served
from target_delivery_api.models import DeliveryResponse

SUMMER = {"activity.id": "7", "activity.name": "Summer", "experience.id": 1, "experience.name": "B"}
WINTER = {"activity.id": "8"}


def option(tokens: Any) -> dict[str, Any]:
    return {"type": "html", "content": "<b>", "responseTokens": tokens}


def served(data: dict[str, Any]) -> list[tuple[Any, ...]]:
    response = DeliveryResponse.from_dict({"status": 200, **data})
    return [tuple(each.to_dict().values()) for each in list_served(response)]


def test_every_part_is_told_in_order() -> None:
    found = served(
        {
            "execute": {
                "pageLoad": {"options": [option(SUMMER), option(WINTER), option(SUMMER)]},
                "mboxes": [{"name": "home", "options": [option(SUMMER)]}, {"name": "cart", "options": []}],
            },
            "prefetch": {"views": [{"name": "list", "options": [option(WINTER)]}], "mboxes": [{"name": "later"}]},
        }
    )
    summer, winter, none = ("7", "Summer", "1", "B"), ("8", None, None, None), (None,) * 4
    assert found == [
        ("pageLoad", "target-global-mbox", "execute", "server", *summer),
        ("pageLoad", "target-global-mbox", "execute", "server", *winter),
        ("mbox", "home", "execute", "server", *summer),
        ("mbox", "cart", "execute", "default", *none),
        ("view", "list", "prefetch", "server", *winter),
        ("mbox", "later", "prefetch", "default", *none),
    ]


def test_an_offer_without_tokens_is_one_of_the_server() -> None:
    part = {"name": "home", "options": [{"type": "html", "content": "<b>"}]}
    assert served({"execute": {"mboxes": [part]}})[0][:4] == ("mbox", "home", "execute", "server")


def test_no_answer_shows_nothing() -> None:
    assert list(list_served(None)) == []


@pytest.mark.parametrize(
    ("value", "text"),
    [("A", "A"), (7, "7"), (True, None), (None, None), ([], None), (1.5, None), ("x" * 300, "x" * 250)],
)
def test_a_name_is_text(value: Any, text: str | None) -> None:
    assert as_text(value) == text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
TOKENS = st.dictionaries(st.sampled_from([*SUMMER]), JSON, max_size=4)
PLACE = st.fixed_dictionaries(
    {}, optional={"name": JSON, "options": st.lists(st.builds(option, TOKENS | JSON), max_size=3) | JSON}
)
PART = st.fixed_dictionaries(
    {}, optional={"pageLoad": PLACE | JSON, "mboxes": st.lists(PLACE, max_size=3) | JSON, "views": JSON}
)


@given(data=st.fixed_dictionaries({}, optional={"execute": PART | JSON, "prefetch": PART | JSON}))
def test_no_answer_that_is_taken_makes_it_raise(data: Any) -> None:
    try:
        response = DeliveryResponse.from_dict(data)
    except (TypeError, ValueError):
        return  # an answer that is refused
    for each in list_served(response):
        assert isinstance(each.name, str)
        assert each.reason in ("server", "default")
