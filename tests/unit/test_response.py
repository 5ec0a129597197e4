"""Results and cookies: read-only mappings with attributes, JSON-ready, safe to print."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Mapping
from http.cookies import SimpleCookie
from typing import Any

import pytest

from target import DeliveryResponse, Meta, OptionsError, TargetCookie, TargetDeliveryResponse
from target.delivery.identity import parse_target_cookie
from target.delivery.reply import assemble
from target.reasons import PartDecision
from tests.kit.built_calls import NOW_S, expires, offers

COOKIE = TargetCookie("mbox", "session#a%7Cb#1570321860|PC#d.38_0#1633564800", 63244800)
ANSWER = {
    "status": 200,
    "id": {"tntId": "DEVICEMARKER.38_0"},
    "execute": {"mboxes": [{"index": 0, "name": "home", "options": [{"type": "html", "content": "<b>"}]}]},
}


def result() -> TargetDeliveryResponse:
    call = offers(target_cookie=f"session#SESSIONMARKER#{expires()}")
    return assemble(call, DeliveryResponse.from_dict(ANSWER), NOW_S)


@pytest.mark.parametrize("record", [COOKIE, result(), result().meta], ids=["cookie", "result", "meta"])
class TestRecords:
    def test_is_a_mapping_with_attributes(self, record: Any) -> None:
        assert isinstance(record, Mapping)
        assert len(record) == len(list(record)) == len(dict(record))
        for key in record:
            assert record[key] == getattr(record, key)
            assert key in record
        assert record.get("nothing", "default") == "default"

    @pytest.mark.parametrize("key", ["nothing", "", "_sent", "to_dict", "maxAge", 5, None], ids=repr)
    def test_other_keys_do_not_exist(self, record: Any, key: Any) -> None:
        assert key not in record
        with pytest.raises(KeyError):
            record[key]

    def test_is_read_only(self, record: Any) -> None:
        for key in [*record, "another"]:
            with pytest.raises(AttributeError):
                setattr(record, key, None)
            with pytest.raises(AttributeError):
                delattr(record, key)
        with pytest.raises(TypeError):
            record["name"] = 1

    def test_is_json(self, record: Any) -> None:
        plain = record.to_dict()
        assert list(plain) == list(record)
        assert json.loads(json.dumps(plain)) == plain

    @pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda record: pickle.loads(pickle.dumps(record))])
    def test_can_be_copied_and_pickled(self, record: Any, copied: Any) -> None:
        other = copied(record)
        assert other == record
        assert type(other) is type(record)
        assert other.to_dict() == record.to_dict()

    def test_its_repr_shows_no_id(self, record: Any) -> None:
        assert "MARKER" not in repr(record)
        assert "a%7Cb" not in repr(record)
        assert repr(record).startswith(type(record).__name__)


def test_a_cookie_equals_the_documented_dict() -> None:
    assert {"name": "mbox", "value": COOKIE.value, "max_age": 63244800} == COOKIE
    assert {**COOKIE}["max_age"] == COOKIE["max_age"] == COOKIE.max_age


@pytest.mark.parametrize(
    ("options", "attributes"),
    [
        ({}, "Path=/; SameSite=Lax; Secure"),
        ({"path": "/shop"}, "Path=/shop; SameSite=Lax; Secure"),
        ({"domain": ".example.com"}, "Path=/; Domain=.example.com; SameSite=Lax; Secure"),
        ({"secure": False}, "Path=/; SameSite=Lax"),
        ({"same_site": "None"}, "Path=/; SameSite=None; Secure"),
        ({"same_site": None}, "Path=/; Secure"),
        ({"path": "", "same_site": "", "secure": False}, ""),
    ],
    ids=repr,
)
def test_set_cookie_header(options: dict[str, Any], attributes: str) -> None:
    wanted = f"mbox={COOKIE.value}; Max-Age=63244800"
    assert COOKIE.set_cookie_header(**options) == (f"{wanted}; {attributes}" if attributes else wanted)


def test_at_js_can_read_the_cookie() -> None:
    assert "httponly" not in COOKIE.set_cookie_header().lower()


@pytest.mark.parametrize("name", ["path", "domain", "same_site"])
@pytest.mark.parametrize("bad", ["/; HttpOnly", "a\r\nSet-Cookie: x=1", "a\n", "ü", "a\x00"], ids=repr)
def test_an_attribute_cannot_end_the_header(name: str, bad: str) -> None:
    with pytest.raises(OptionsError, match="must be printable ASCII without a semicolon"):
        COOKIE.set_cookie_header(**{name: bad})  # type: ignore[arg-type]


def test_a_browser_sends_back_what_the_next_call_reads() -> None:
    first = assemble(offers(session_id="a|b#c", target_cookie=f"PC#d(1).38_0#{expires()}"), None, NOW_S)
    assert first.target_cookie is not None
    jar = SimpleCookie()
    jar[first.target_cookie.name] = first.target_cookie.value  # as frameworks do, quoting included
    for sent in (first.target_cookie.set_cookie_header().split(";")[0], jar.output(header="").strip().split(";")[0]):
        value = sent.removeprefix("mbox=")
        assert parse_target_cookie(value, NOW_S) == {"session": "a|b#c", "PC": "d(1).38_0"}
        assert parse_target_cookie(SimpleCookie(sent)["mbox"].value, NOW_S) == {"session": "a|b#c", "PC": "d(1).38_0"}


def test_the_repr_of_a_result_tells_its_status() -> None:
    assert repr(result()).startswith("TargetDeliveryResponse(status=200, ")
    assert repr(assemble(offers(), None, NOW_S)).startswith("TargetDeliveryResponse(status=None, ")


PART = PartDecision("mbox", "home", "execute", "split", "100", "Sale", "1")


def test_what_was_decided_is_made_when_it_is_read_and_once() -> None:
    asked = []

    def outcomes() -> list[PartDecision]:
        asked.append(1)
        return [PART]

    meta = Meta("on-device", [], [], outcomes)
    assert repr(meta) == "Meta(decisioning_method='on-device', remote_mboxes=[0], remote_views=[0])"
    assert meta == {"decisioning_method": "on-device", "remote_mboxes": [], "remote_views": []}
    assert asked == []
    assert meta.decisions == [PART]
    assert meta.decisions is meta.decisions
    assert asked == [1]


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda record: pickle.loads(pickle.dumps(record))])
def test_what_was_decided_is_kept_by_copies(copied: Any) -> None:
    meta = Meta("on-device", ["till"], [], lambda: [PART])
    again = copied(meta)
    assert (again.decisions, again) == ([PART], meta)
    assert again.to_dict() == meta.to_dict()
    assert meta.to_dict() == {
        "decisioning_method": "on-device",
        "remote_mboxes": ["till"],
        "remote_views": [],
        "decisions": [PART.to_dict()],
    }


def test_the_server_does_not_say_what_it_decided() -> None:
    meta = Meta("server-side", [], [])
    assert meta.decisions == pickle.loads(pickle.dumps(meta)).decisions == []
    assert "decisions" not in meta.to_dict()
