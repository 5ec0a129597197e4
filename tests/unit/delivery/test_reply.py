"""What an answer means: a model, nothing after a 204, or an error that says what to do and shows no id."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target import ApiError, DeliveryResponse, TargetError, TransportError
from target.delivery.reply import MOST_BODY, Reply, assemble, parse_reply, require_taken
from target.delivery.request import Call, add_to_call
from tests.kit.built_calls import CLICK, NOW_S, PAGE_LOAD, expires, notify, offers

CALL = offers()


def answered(status: int, body: Any, reason: str = "Reason") -> Reply:
    return Reply(status, reason, body if isinstance(body, bytes) else json.dumps(body).encode())


@pytest.mark.parametrize("status", [200, 201, 206])
def test_a_success(status: int) -> None:
    response = parse_reply(answered(status, {"status": status, "requestId": "r", "future": {"a": 1}}), CALL)
    assert response is not None
    assert (response.status, response.request_id) == (status, "r")
    assert response.to_dict()["future"] == {"a": 1}


def test_an_empty_object_is_a_success() -> None:
    response = parse_reply(answered(200, {}), CALL)
    assert response is not None
    assert response.to_dict() == {}


@pytest.mark.parametrize("content", [b"", b"ignored"])
def test_204_is_nothing(content: bytes) -> None:
    assert parse_reply(answered(204, content), CALL) is None


@pytest.mark.parametrize("status", [100, 199, 300, 304])
@pytest.mark.parametrize("read", [parse_reply, require_taken])
def test_what_is_no_success_is_an_api_error_whatever_its_body_holds(read: Any, status: int) -> None:
    with pytest.raises(ApiError):
        read(answered(status, {}), CALL)


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (answered(200, b""), "The answer (200) is empty: check server_domain, or try again"),
        (
            answered(201, [1]),
            "The answer (201) is not a JSON object: check that server_domain serves the Delivery API",
        ),
        (
            answered(200, [0] * 40_000)._replace(most_values=30_000),
            "The answer (200) holds more values than may be (30000, an object counted as four): "
            "raise max_response_values, or ask for less",
        ),
    ],
)
def test_an_unusable_answer_says_what_to_do(reply: Reply, says: str) -> None:
    for read in (parse_reply, require_taken):
        with pytest.raises(TransportError) as caught:
            read(reply, CALL)
        assert str(caught.value) == says


def test_what_is_wrong_in_an_answer_is_told() -> None:
    with pytest.raises(TransportError) as caught:
        parse_reply(answered(200, {"execute": 5}), CALL)
    assert str(caught.value).startswith("The answer is not as the Delivery API documents it: ")
    assert not str(caught.value).endswith(("None", ": "))


MANY = 100_000
LISTS: list[tuple[str, Callable[[int], Any]]] = [
    ("notifications", lambda count: {"notifications": [{}] * count}),
    *(
        (f"{part}.{name}", lambda count, part=part, name=name: {part: {name: [{}] * count}})
        for part in ("execute", "prefetch")
        for name in ("mboxes", "views")
    ),
    *(
        (
            f"{part}.{name}.{listed}",
            lambda count, part=part, name=name, listed=listed: {
                part: {name: [{listed: [{}] * (count // 2 - 1)}, {listed: [{}] * (count - count // 2 - 1)}]}
            },
        )
        for part in ("execute", "prefetch")
        for name in ("mboxes", "views")
        for listed in ("options", "metrics")
    ),
    *(
        (f"{part}.pageLoad.{name}", lambda count, part=part, name=name: {part: {"pageLoad": {name: [{}] * count}}})
        for part in ("execute", "prefetch")
        for name in ("options", "metrics")
    ),
    ("one-more", lambda count: {"execute": {"mboxes": [{"options": [{}]}, *[{}] * (count - 2)]}}),
    ("both", lambda count: {"execute": {"mboxes": [{}] * (count - 1000)}, "prefetch": {"mboxes": [{}] * 1000}}),
]


@pytest.mark.parametrize("make", [make for _, make in LISTS], ids=[name for name, _ in LISTS])
def test_an_answer_that_lists_more_than_can_be_is_refused(make: Callable[[int], Any]) -> None:
    with pytest.raises(TransportError) as caught:
        parse_reply(answered(200, make(MANY + 1)), CALL)
    assert str(caught.value) == (
        "The answer (200) lists more than 100000 mboxes, views, options and metrics: ask for less"
    )


@pytest.mark.parametrize("odd", [{"execute": []}, {"execute": {"mboxes": 5}}, {"notifications": {}}])
def test_what_is_no_list_where_one_belongs_is_not_counted(odd: dict[str, Any]) -> None:
    with pytest.raises(TransportError, match="is not as the Delivery API documents it"):
        parse_reply(answered(200, {**odd, "padding": "x" * 2_000_000}), CALL)


def test_an_answer_that_lists_as_much_as_can_be_is_read() -> None:
    answer = {"execute": {"mboxes": [{"index": 1}, {"options": [{}] * (MANY - 2)}]}}
    response = parse_reply(answered(200, answer), CALL)
    assert response is not None
    assert response.execute.mboxes[1].options[-1].to_dict() == {}


def test_a_large_answer_is_read_until_the_check_ends_it() -> None:
    class Ended(Exception):
        pass

    def check() -> None:
        raise Ended

    with pytest.raises(Ended):
        parse_reply(answered(200, {}), CALL, check)
    asked: list[None] = []
    large = answered(200, {"padding": ["x" * 20] * 100_000})
    assert parse_reply(large, CALL, lambda: asked.append(None)) is not None
    assert len(asked) > 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (json.dumps({"message": "no", "more": [0] * 9_000}), "no"),
        (json.dumps({"message": "no", "m": [0] * 11_000}), "R"),
    ],
)
def test_an_error_answer_of_too_many_values_is_not_read(content: str, message: str) -> None:
    with pytest.raises(ApiError) as caught:
        parse_reply(answered(500, content.encode(), "R"), CALL)
    assert caught.value.message == message


@pytest.mark.parametrize(("size", "kept"), [(MOST_BODY, MOST_BODY), (MOST_BODY + 1, MOST_BODY - len("riding-1"))])
def test_of_an_error_answer_the_beginning_is_kept_without_what_may_be_cut_off(size: int, kept: int) -> None:
    call = add_to_call(offers(), [{"requestId": "riding-1"}])
    with pytest.raises(ApiError) as caught:
        parse_reply(answered(500, b"." * size), call)
    assert caught.value.body == "." * kept


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(b"", "is empty", id="empty"),
        pytest.param(b'{"status": 200, "execute": {"mb', "is not complete JSON", id="truncated"),
        pytest.param(b"<html></html>", "is not complete JSON", id="html"),
        pytest.param(b"\xff\xfe\xfd", "is not complete JSON", id="not-text"),
        pytest.param(b"[" * 100_000, "is not complete JSON", id="deep"),
        pytest.param(b"null", "is not a JSON object", id="null"),
        pytest.param(b"[]", "is not a JSON object", id="list"),
        pytest.param(b'"x"', "is not a JSON object", id="text"),
        pytest.param(b"5", "is not a JSON object", id="number"),
        pytest.param(b'{"execute": 5}', "is not as the Delivery API documents it", id="execute-is-a-number"),
        pytest.param(b'{"execute": {"mboxes": {}}}', "is not as the Delivery API documents it", id="mboxes-object"),
        pytest.param(b'{"id": "SECRET"}', "is not as the Delivery API documents it", id="id-is-text"),
    ],
)
def test_a_200_without_a_usable_object_is_a_transport_error(content: bytes, says: str) -> None:
    with pytest.raises(TransportError, match=says) as caught:
        parse_reply(answered(200, content), CALL)
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (400, "Mend the request"),
        (401, "Check the client code"),
        (403, "Check the client code"),
        (404, "Check server_domain"),
        (413, "Send less in one request"),
        (420, "one after another"),
        (429, "Slow down"),
        (500, "try again later"),
        (503, "try again later"),
        (302, "Redirects are not followed"),
        (418, "will fail again"),
    ],
)
def test_another_status_is_an_api_error(status: int, advice: str) -> None:
    body = {"status": status, "message": "Invalid request: Invalid imsOrg -  bad"}
    with pytest.raises(ApiError) as caught:
        parse_reply(answered(status, body), CALL)
    error = caught.value
    assert (error.status, error.message) == (status, "Invalid request: Invalid imsOrg -  bad")
    assert error.request_id == CALL.body["requestId"]
    assert json.loads(error.body) == body
    assert str(error).startswith(f"Adobe Target answered {status}: Invalid request: Invalid imsOrg -  bad. ")
    assert advice in str(error)


@pytest.mark.parametrize(
    ("content", "reason", "message"),
    [
        pytest.param(b"", "Bad Gateway", "Bad Gateway", id="no-body"),
        pytest.param(b"", "", "no reason given", id="no-body-no-reason"),
        pytest.param(b"<html>", "Bad Gateway", "Bad Gateway", id="html"),
        pytest.param(b'{"message": 5}', "Bad", "Bad", id="message-is-a-number"),
        pytest.param(b'{"message": ""}', "Bad", "Bad", id="message-is-empty"),
        pytest.param(b'["x"]', "Bad", "Bad", id="list"),
        pytest.param(b"\xff", "Bad", "Bad", id="not-text"),
        pytest.param(b"[" * 100_000, "Bad", "Bad", id="deep"),
        pytest.param(b'{"message": "a\\nb\\u001b[31m"}', "Bad", "a b [31m", id="control-characters"),
        pytest.param(json.dumps({"message": "x" * 9999}).encode(), "Bad", "x" * 500 + "...", id="long"),
    ],
)
def test_the_message_of_an_api_error(content: bytes, reason: str, message: str) -> None:
    with pytest.raises(ApiError) as caught:
        parse_reply(answered(400, content, reason), CALL)
    assert caught.value.message == message


VISITOR = {
    "tntId": "TNTMARKER.21_0",
    "thirdPartyId": "THIRDMARKER",
    "marketingCloudVisitorId": "ECIDMARKER",
    "customerIds": [{"id": "CUSTOMERMARKER", "integrationCode": "crm", "authenticatedState": "unknown"}],
}
MARKED = {
    "id": VISITOR,
    "property": {"token": "PROPERTYMARKER"},
    "trace": {"authorizationToken": "TRACEMARKER"},
    "preview": {"token": "PREVIEWMARKER"},
    "qaMode": {"token": "QAMARKER"},
    "notifications": [
        {**CLICK, "tokens": ["EVENTMARKER"], "mbox": {"name": "home", "state": "STATEMARKER"}, "impressionId": "i"}
    ],
    "experienceCloud": {
        "analytics": {"supplementalDataId": "SDIDMARKER"},
        "audienceManager": {"blob": "BLOBMARKER", "locationHint": 9},
    },
    "telemetry": {"entries": [{"telemetryServerToken": "TELEMETRYMARKER"}]},
    "context": {"geo": {"ipAddress": "IPMARKER1.2.3.4"}},
}
SECRETS = ["SESSIONMARKER", "TNTMARKER.21_0", "TNTMARKER", "THIRDMARKER", "ECIDMARKER", "CUSTOMERMARKER"]
SECRETS += ["PROPERTYMARKER", "TRACEMARKER", "PREVIEWMARKER", "QAMARKER", "EVENTMARKER", "STATEMARKER", "SDIDMARKER"]
SECRETS += ["BLOBMARKER", "TELEMETRYMARKER", "IPMARKER1.2.3.4", "OPTIONMARKER"]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("frame", ["{}", "Invalid: {}", "id={}&x", "'{}'", "_{}_", "x{}x", "{}\n{}", "a" * 495 + "{}"])
def test_an_id_that_the_answer_repeats_is_hidden(secret: str, frame: str) -> None:
    call = notify(
        MARKED, target_cookie=f"session#SESSIONMARKER#{expires()}", customer_ids={"shop": {"id": "OPTIONMARKER"}}
    )
    with pytest.raises(ApiError) as caught:
        parse_reply(answered(400, {"message": frame.replace("{}", secret)}), call)
    assert "MARKER" not in str(caught.value)
    assert "MARKER" not in repr(caught.value)
    assert "<hidden>" in caught.value.message or len(frame) > 400


def test_a_device_id_of_a_cookie_that_the_answer_repeats_is_hidden() -> None:
    call = offers(target_cookie=f"PC#TNTMARKER.21_0#{expires()}")
    with pytest.raises(ApiError) as caught:
        parse_reply(answered(400, {"message": "bad TNTMARKER"}), call)
    assert caught.value.message == "bad <hidden>"


def test_an_id_in_the_reason_phrase_is_hidden() -> None:
    with pytest.raises(ApiError) as caught:
        parse_reply(answered(400, b"", "session SESSIONMARKER"), offers(session_id="SESSIONMARKER"))
    assert caught.value.message == "session <hidden>"


@pytest.mark.parametrize(
    "message",
    ["size must be between 0 and 50", "unknown property of crm", "authenticated calls only", "notification10 is bad"],
)
def test_the_rest_of_a_message_stays_readable(message: str) -> None:
    ids = [{"id": "1", "integrationCode": "crm", "authenticatedState": "authenticated"}]
    call = notify({"notifications": [{**CLICK, "id": "1"}], "id": {"customerIds": ids}}, customer_ids={"crm": "2"})
    with pytest.raises(ApiError) as caught:
        parse_reply(answered(400, {"message": message}), call)
    assert caught.value.message == message


def test_numeric_ids_are_hidden_too() -> None:
    call = offers({**PAGE_LOAD, "id": {"thirdPartyId": 123456789}})
    with pytest.raises(ApiError) as caught:
        parse_reply(answered(400, {"message": "bad 123456789"}), call)
    assert caught.value.message == "bad <hidden>"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)
OPTION = JSON | st.fixed_dictionaries({}, optional={"type": JSON, "content": JSON, "responseTokens": JSON})
MBOX = JSON | st.fixed_dictionaries(
    {}, optional={"name": JSON, "options": JSON | st.lists(OPTION, max_size=2), "analytics": JSON, "trace": JSON}
)
MBOXES = JSON | st.lists(MBOX, max_size=2)
ANSWERS = st.fixed_dictionaries(
    {},
    optional={
        "status": JSON,
        "id": JSON | st.fixed_dictionaries({"tntId": JSON}),
        "edgeHost": JSON,
        "execute": JSON | st.fixed_dictionaries({}, optional={"pageLoad": MBOX, "mboxes": MBOXES}),
        "prefetch": JSON | st.fixed_dictionaries({}, optional={"pageLoad": MBOX, "views": MBOXES, "mboxes": MBOXES}),
        "notifications": JSON,
        "other": JSON,
        "message": JSON,
    },
)


@given(
    st.integers(200, 599),
    ANSWERS.map(json.dumps).map(str.encode) | JSON.map(json.dumps).map(str.encode) | st.binary(),
)
def test_any_answer_is_a_result_or_an_error_of_ours(status: int, content: bytes) -> None:
    try:
        response = parse_reply(Reply(status, "", content), CALL)
    except TargetError as error:
        copied = pickle.loads(pickle.dumps(error))
        shown, copied_shown = str(error), str(copied)
    else:
        shown = copied_shown = ""
        check_result(response)
    assert shown == copied_shown


def check_result(response: DeliveryResponse | None) -> None:
    result = assemble(CALL, response, NOW_S)
    assert repr(result)
    assert json.loads(json.dumps(result.to_dict())) == result.to_dict()
    assert pickle.loads(pickle.dumps(result)) == result
    assert copy.deepcopy(result) == result


@pytest.mark.parametrize(
    ("status", "content"),
    [
        (200, b'{"status":200}'),
        (204, b""),
        (200, b"<html>"),
        (200, b"[]"),
        (200, b""),
        (400, b'{"message":"no"}'),
        (503, b""),
    ],
)
def test_what_is_sent_in_the_background_is_taken_when_its_answer_could_be_read(status: int, content: bytes) -> None:
    def outcome_of(read: Callable[[Reply, Call], object]) -> object:
        try:
            read(Reply(status, "", content), CALL)
        except TargetError as error:
            return type(error), str(error)
        return None

    assert outcome_of(require_taken) == outcome_of(parse_reply)
