"""Queued notifications as data: how they are packed, read back whatever was made of them, and made a call again."""

from __future__ import annotations

import json
import math
from contextlib import nullcontext
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from target.delivery.entries import (
    MOST_CHARACTERS,
    build_call,
    notification_id,
    pack,
    read_entry,
    read_notification,
)
from target.delivery.request import Call
from target.errors import OptionsError
from target.protocols import Entry, Moment
from tests.kit.built_calls import CLICK, NOW_S, UTC_OFFSET_MINUTES, notify, runtime

NOW = Moment(NOW_S, 500.0)


def packed(call: Call) -> list[Entry]:
    return pack(call, runtime(), NOW)


def host(cluster: str | None) -> str:
    return f"http://edge{cluster}.example"


def test_what_is_packed_comes_out_as_it_would_have_been_sent() -> None:
    request = {
        "notifications": [CLICK, {**CLICK, "id": "n2", "impressionId": "kept"}],
        "context": {"channel": "mobile", "address": {"url": "https://example.com/ä"}},
        "property": {"token": "prop"},
        "environmentId": 7,
        "experienceCloud": {"analytics": {"logging": "client_side"}},
    }
    call = notify(request, session_id="s-1", target_cookie="PC#device.38_0#9999999999")
    entries = packed(call)
    assert [item.session_id for item in entries] == ["s-1", "s-1"]
    assert {item.queued_at for item in entries} == {int(NOW_S * 1000)}
    rebuilt = build_call(entries, True, runtime(), host)
    changed = {"requestId", "impressionId"}
    assert {key: value for key, value in rebuilt.body.items() if key not in changed} == {
        key: value for key, value in call.body.items() if key not in changed
    }
    assert json.loads(rebuilt.content) == rebuilt.body
    assert rebuilt.body["requestId"] == rebuilt.trace_id
    assert [item["impressionId"] for item in rebuilt.body["notifications"]][1] == "kept"
    assert (rebuilt.session_id, rebuilt.device_id, rebuilt.cluster) == ("s-1", "device.38_0", "38")
    assert rebuilt.base_url == "http://edge38.example"


def test_every_rebuilt_call_has_request_ids_of_its_own_and_the_same_impression_ids() -> None:
    entries = packed(notify({"notifications": [CLICK]}))
    shared = runtime()
    first, second = (build_call(entries, True, shared, host) for _ in range(2))
    assert first.body["requestId"] != second.body["requestId"]
    assert first.body["impressionId"] != second.body["impressionId"]
    assert first.body["notifications"] == second.body["notifications"]
    assert first.body["notifications"][0]["impressionId"]


def test_two_calls_of_one_visitor_share_an_envelope() -> None:
    one, other = (packed(notify({"notifications": [CLICK]}, session_id="s"))[0] for _ in range(2))
    assert one.envelope == other.envelope


@pytest.mark.parametrize(
    "request_",
    [
        {"context": {"address": {"url": "https://example.com/other"}}},
        {"property": {"token": "other"}},
        {"environmentId": 8},
        {"id": {"tntId": "other"}},
    ],
)
def test_what_says_something_else_about_the_visitor_does_not(request_: dict[str, Any]) -> None:
    one = packed(notify({"notifications": [CLICK]}, session_id="s"))[0]
    other = packed(notify({"notifications": [CLICK], **request_}, session_id="s"))[0]
    assert one.envelope != other.envelope


def test_the_order_of_keys_makes_no_other_envelope() -> None:
    contexts = [{"userAgent": "a", "channel": "web"}, {"channel": "web", "userAgent": "a"}]
    one, other = (packed(notify({"notifications": [CLICK], "context": item}))[0] for item in contexts)
    assert one.envelope == other.envelope


def test_the_servers_own_time_offset_is_filled_in_when_sent_and_a_callers_is_kept() -> None:
    filled = packed(notify({"notifications": [CLICK]}))
    assert "timeOffsetInMinutes" not in filled[0].envelope
    assert build_call(filled, True, runtime(), host).body["context"]["timeOffsetInMinutes"] == UTC_OFFSET_MINUTES
    own = packed(notify({"notifications": [CLICK], "context": {"timeOffsetInMinutes": -480}}))
    assert build_call(own, True, runtime(), host).body["context"]["timeOffsetInMinutes"] == -480


@pytest.mark.parametrize("part", ["execute", "prefetch"])
def test_offers_cannot_be_queued(part: str) -> None:
    call = notify({"notifications": [CLICK], part: {"mboxes": [{"name": "home"}]}})
    with pytest.raises(OptionsError, match=r"^Only notifications can be queued: ask for offers with get_offers$"):
        packed(call)


def test_telemetry_alone_cannot_be_queued() -> None:
    call = notify({"telemetry": {"entries": [{"requestId": "r", "timestamp": 1}]}})
    with pytest.raises(OptionsError, match=r"^Notifications list is required in request, with"):
        packed(call)


def test_telemetry_rides_along_once() -> None:
    told = {"requestId": "r", "timestamp": 1}
    entries = packed(notify({"notifications": [CLICK], "telemetry": {"entries": [told]}}))
    assert json.loads(build_call(entries, True, runtime(), host).content)["telemetry"] == {"entries": [told]}
    assert b"telemetry" not in build_call(entries, False, runtime(), host).content
    missed = [item._replace(misses=1) for item in entries]
    assert b"telemetry" not in build_call(missed, True, runtime(), host).content
    two = packed(notify({"notifications": [CLICK, {**CLICK, "id": "n2"}], "telemetry": {"entries": [told]}}))
    assert [item.telemetry for item in two] == [json.dumps([told], separators=(",", ":")), None]
    assert [item.telemetry for item in packed(notify({"notifications": [CLICK]}))] == [None]


def test_what_is_too_large_to_be_read_back_is_not_queued() -> None:
    with pytest.raises(OptionsError, match="characters"):
        packed(notify({"notifications": [{**CLICK, "tokens": ["x" * MOST_CHARACTERS]}]}))
    for more in ({"more": [{}] * 30_000}, {"more": [0] * 110_000}):
        with pytest.raises(OptionsError) as caught:
            packed(notify({"notifications": [{**CLICK, **more}]}))
        assert str(caught.value) == (
            "A notification and its request may have 4194304 characters and 100000 values as JSON "
            "(an object counts as four): put less in it"
        )


def test_the_characters_of_all_that_is_stored_count() -> None:
    request = {"notifications": [{**CLICK, "tokens": [""]}], "telemetry": {"entries": [{"requestId": "r"}]}}
    (entry,) = packed(notify(request))
    left = MOST_CHARACTERS - sum(map(len, (entry.envelope, entry.notification, entry.telemetry or "")))
    for more, is_queued in ((left, True), (left + 1, False)):
        request["notifications"] = [{**CLICK, "tokens": ["x" * more]}]
        with nullcontext() if is_queued else pytest.raises(OptionsError):
            packed(notify(request))


@pytest.mark.parametrize("piece", ["{},", "[],", "0,"])
def test_a_row_of_too_many_values_is_not_parsed(piece: str) -> None:
    (entry,) = packed(notify({"notifications": [CLICK]}))
    more = piece * (MOST_CHARACTERS // 2 // len(piece))
    row = [1, entry.session_id, entry.cluster, entry.envelope, entry.notification, None, 1, 1.0, 1.0, 0]
    assert read_entry(row, NOW) is not None
    for position in (3, 4):
        values = list(row)
        values[position] = values[position].replace("{", f'{{"more":[{more}0],', 1)  # type: ignore[attr-defined]
        assert read_entry(values, NOW) is None


# --- ages


@pytest.mark.parametrize(
    ("since", "now", "age_s"),
    [
        (Moment(1000, 50), Moment(1010, 60), 10),
        (Moment(1000, 50), Moment(1000 + 172_800, 60), 10),  # the time of day was set forward
        (Moment(1000, 50), Moment(1000 - 172_800, 60), 10),  # and back
        (Moment(100, 50), Moment(1_700_000_000, 60), 10),  # it was set for the first time
        (Moment(1000, 9000), Moment(1010, 60), 10),  # the machine started again
        (Moment(1000, 50), Moment(1010, 9000), 10),  # and has run for longer than before
        (Moment(1000, 9000), Moment(900, 60), 0),  # both
        (Moment(1000, 50), Moment(1000, 60), 0),
        (Moment(1000, 50), Moment(1000.5, 60), 0.5),
    ],
)
def test_an_age_is_right_whatever_became_of_one_clock(since: Moment, now: Moment, age_s: float) -> None:
    assert packed(notify({"notifications": [CLICK]}))[0]._replace(since=since).age_s(now) == age_s


# --- rows of unknown origin


def row(**fields: Any) -> list[Any]:
    """A sound row, but for ``fields``."""
    sound = {
        "seq": 1,
        "session_id": "s",
        "cluster": "38",
        "envelope": '{"body":{}}',
        "notification": json.dumps(CLICK),
        "telemetry": None,
        "queued_at": 5,
        "wall_s": 1.0,
        "steady_s": 2.0,
        "misses": 1,
    }
    return list({**sound, **fields}.values())


def test_a_sound_row_is_read_as_it_was_packed() -> None:
    telemetry = {"entries": [{"requestId": "r"}]}
    call = notify({"notifications": [CLICK], "telemetry": telemetry}, target_cookie="PC#device.38_0#9999999999")
    (entry,) = packed(call)
    assert entry.seq == 0  # until the store gives it one
    values = [*entry[:7], *entry.since, entry.misses]
    assert read_entry(values, Moment(0, 0)) == entry


@pytest.mark.parametrize(
    "cluster",
    ["x@evil.example/", "38.evil.example", "../38", "38/", "", 38, 3.8, b"38", "٣٨", "12345", None, "38\n", "?a"],
)
def test_no_row_picks_a_host(cluster: object) -> None:
    forged = json.dumps({"body": {}, "cluster": cluster if not isinstance(cluster, bytes) else "evil.example"})
    entry = read_entry(row(cluster=cluster, envelope=forged), NOW)
    assert entry is not None
    assert entry.cluster is None
    asked: list[str | None] = []
    call = build_call([entry], True, runtime(), lambda known: asked.append(known) or "http://mine.example")
    assert (asked, call.base_url, call.cluster) == ([None], "http://mine.example", None)


@pytest.mark.parametrize(
    "fields",
    [
        {"session_id": "a/b?c"},
        {"session_id": ""},
        {"session_id": b"s"},
        {"session_id": 7},
        {"envelope": "no json"},
        {"envelope": "[]"},
        {"envelope": "{}"},
        {"envelope": '{"body":[]}'},
        {"envelope": '{"body":{"context":"web"}}'},
        {"envelope": '{"body":{"id":[]}}'},
        {"envelope": '{"body":{"x":NaN}}'},
        {"envelope": '{"body":{"x":1e999}}'},
        {"envelope": '{"body":' + '{"a":' * 100_000},
        {"envelope": '{"body":{"execute":{"pageLoad":{}}}}'},
        {"envelope": '{"body":{"notifications":[]}}'},
        {"envelope": b'{"body":{}}'},
        {"envelope": None},
        {"notification": "null"},
        {"notification": "{}"},
        {"notification": '{"id":7,"type":"click","timestamp":1}'},
        {"notification": '{"id":"n","type":"buy","timestamp":1}'},
        {"notification": '{"id":"n","type":"click","timestamp":' + "1" * 5000 + "}"},
        {"notification": 7.5},
        {"notification": None},
    ],
)
def test_a_row_that_cannot_be_sent_is_not_read(fields: dict[str, Any]) -> None:
    assert read_entry(row(**fields), NOW) is None


@pytest.mark.parametrize(
    ("fields", "read"),
    [
        ({"telemetry": "no json"}, {"telemetry": None}),
        ({"telemetry": "[1]"}, {"telemetry": None}),
        ({"telemetry": b"[]"}, {"telemetry": None}),
        ({"misses": "many"}, {"misses": 0}),
        ({"misses": -5}, {"misses": 0}),
        ({"misses": 2**62}, {"misses": 1000}),
        ({"queued_at": -1}, {"queued_at": 0}),
        ({"queued_at": 2**62}, {"queued_at": 2**62}),
        ({"queued_at": "yesterday"}, {"queued_at": 0}),
        ({"wall_s": "x", "steady_s": b"y"}, {"since": NOW}),
        ({"wall_s": math.inf, "steady_s": -math.inf}, {"since": NOW}),
    ],
)
def test_what_else_is_wrong_with_a_row_is_mended(fields: dict[str, Any], read: dict[str, Any]) -> None:
    entry = read_entry(row(**fields), NOW)
    assert entry is not None
    assert {name: getattr(entry, name) for name in read} == read


@pytest.mark.parametrize(
    ("notification", "found"),
    [
        ('{"id": "n"}', "n"),
        ('{"id": 7}', ""),
        ("{}", ""),
        ("[]", ""),
        ("no json", ""),
        (b'{"id": "n"}', ""),
        (None, ""),
    ],
)
def test_the_id_of_a_notification_of_unknown_origin(notification: Any, found: str) -> None:
    (entry,) = packed(notify({"notifications": [CLICK]}))
    assert notification_id(entry._replace(notification=notification)) == found


def test_a_device_id_that_is_no_text_is_none_and_the_cluster_is_named_by_the_entry() -> None:
    entry = read_entry(row(envelope='{"body":{"id":{"tntId":7}}}'), NOW)
    assert entry is not None
    call = build_call([entry], True, runtime(), host)
    assert (call.device_id, call.names_cluster) == (None, True)


_values = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.text(max_size=20),
    st.binary(max_size=20),
    st.sampled_from(['{"body":{}}', json.dumps(CLICK), "38", "[]", "{}"]),
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["body", "context", "id", "tntId", "type", "timestamp"]), inner, max_size=4
            )
        ),
        max_leaves=10,
    ).map(json.dumps),
)


@given(st.lists(_values, min_size=9, max_size=9))
@example(["s", None, '{"body":{"context":{},"id":{"tntId":{}}}}', json.dumps(CLICK), "[{}]", None, None, None, None])
def test_whatever_a_row_holds_it_is_a_call_to_a_host_of_ours_or_nothing(values: list[Any]) -> None:
    entry = read_entry([1, *values], NOW)
    if entry is None:
        return
    call = build_call([entry], True, runtime(), host)
    assert call.base_url in {"http://edgeNone.example", f"http://edge{entry.cluster}.example"}
    assert entry.cluster is None or entry.cluster.isdigit()
    assert json.loads(call.content)["notifications"] == [read_notification(entry.notification)]
    assert entry.age_s(NOW) >= 0


@pytest.mark.parametrize(("values", "is_read"), [(90_000, True), (110_000, False)])
def test_a_row_holds_no_more_values_than_are_queued(values: int, is_read: bool) -> None:
    notification = json.dumps({**CLICK, "more": [0] * values})
    assert (read_entry(row(notification=notification), NOW) is not None) is is_read
