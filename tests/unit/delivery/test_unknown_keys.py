"""Keys of a request that the API's document does not know are sent, and told of by name and place, without a value."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target import DeliveryRequest, MboxRequest
from target.delivery.wire_form import write_request
from target.loggers import Log
from target.notices import Notices
from target_delivery_api.types import Model

LOGGER = Log(logging.getLogger("shop"))
MBOX = {"name": "home"}
PLAIN = st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5)
JSON = st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner), max_leaves=5)


def told(request: Any, caplog: pytest.LogCaptureFixture, notices: Notices | None = None) -> list[str]:
    caplog.clear()
    write_request(request, notices or Notices(LOGGER))
    return caplog.messages


@pytest.mark.parametrize(
    ("request_", "where", "nearest"),
    [
        ({"exectue": {}}, "request.exectue", "execute"),
        ({"execute": {"mboxs": [MBOX]}}, "request.execute.mboxs", "mboxes"),
        (
            {"prefetch": {"mboxes": [MBOX, {**MBOX, "profile_parameters": {}}]}},
            "request.prefetch.mboxes[].profile_parameters",
            "profileParameters",
        ),
        ({"context": {"geo": {"ipaddress": "SECRET"}}}, "request.context.geo.ipaddress", "ipAddress"),
        ({"notifications": [{"id": "n", "mbox": {"nmae": "SECRET"}}]}, "request.notifications[].mbox.nmae", "name"),
        (DeliveryRequest.from_dict({"exectue": "SECRET"}), "request.exectue", "execute"),
        ({"execute": {"mboxes": [MboxRequest.from_dict({"nam": "SECRET"})]}}, "request.execute.mboxes[].nam", "name"),
    ],
)
def test_the_place_and_the_nearest_name_are_told(
    request_: Any, where: str, nearest: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert told(request_, caplog) == [
        f"{where} is not known to the Delivery API, and is sent as it is: is {nearest!r} meant?"
    ]


def test_a_key_that_is_no_name_may_be_an_id_and_is_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    (line,) = told({"id": {"jane@example.org": "SECRET", "x" * 41: 1}}, caplog)
    assert line.startswith("A key in request.id, which no field has for a name,")


@pytest.mark.parametrize(
    ("key", "place", "begins"),
    [
        ("x" * 40, f"request.id.{'x' * 40}", f"request.id.{'x' * 40} is not known"),
        ("x" * 41, "request.id.*", "A key in request.id, "),
        ("jane@example.org", "request.id.*", "A key in request.id, "),
    ],
)
def test_a_name_has_40_characters_at_most_and_what_is_none_shares_one_place(
    key: str, place: str, begins: str, caplog: pytest.LogCaptureFixture
) -> None:
    notices = Notices(LOGGER)
    (line,) = told({"id": {key: "SECRET"}}, caplog, notices)
    assert line.startswith(begins)
    assert notices.has_told(("unknown key", place))


def test_each_place_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    request = {"execute": {"mboxes": [{**MBOX, "paramters": {}}] * 50}, "exectue": {}}
    notices = Notices(LOGGER)
    assert len(told(request, caplog, notices)) == 2
    assert told(request, caplog, notices) == []


@pytest.mark.parametrize(
    "request_",
    [
        {"execute": {"mboxes": [{**MBOX, "parameters": {"any": "name"}, "profileParameters": {"an_y": 1}}]}},
        {"execute": {"mboxes": [MBOX]}, "trace": {"authorizationToken": "t"}},
        DeliveryRequest(),
    ],
)
def test_of_what_is_free_nothing_is_told(request_: Any, caplog: pytest.LogCaptureFixture) -> None:
    assert told(request_, caplog) == []


def test_a_refused_request_leaves_nothing_to_tell_of_the_next(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ValueError, match="execute"):
        write_request({"exectue": {}, "execute": 1}, Notices(LOGGER))
    assert told({"execute": {"mboxes": [MBOX]}}, caplog) == []


def keys_of(model: type[Model]) -> set[str]:
    return {key for key, _ in model.FIELDS.values()}


@given(st.dictionaries(st.text().filter(lambda key: key not in keys_of(DeliveryRequest)), JSON, max_size=30))
def test_whatever_the_keys_are_they_are_sent_and_no_value_is_told(unknown: dict[str, Any]) -> None:
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.Logger("apart")
    logger.addHandler(handler)
    assert write_request(unknown, Notices(Log(logger))) == unknown
    assert bool(lines) == bool(unknown)
    assert len(lines) <= 21
    assert all(len(line) < 200 for line in lines)
