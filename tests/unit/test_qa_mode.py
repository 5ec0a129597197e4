"""QA mode: what a link asks for, and the cookie that keeps it; bad values are ignored and never shown."""

from __future__ import annotations

import base64
import json
import logging
import time
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import target
from target import OptionsError, QAMode, QAModePreviewIndex
from target.qa_mode import MAX_COOKIE_LENGTH, qa_mode_from_cookie, qa_mode_from_url, qa_mode_to_cookie

TOKEN = "mhFIzJSF7JWb-RsnakpBqi_s83Kb7rmaLFR0pHm7A3w"
LINK = f"https://shop.example/a?b=c&at_preview_token={TOKEN}"
INDEX, LISTED = "at_preview_index", "at_preview_listed_activities_only"
TRUE_IDS, FALSE_IDS = "at_preview_evaluate_as_true_audience_ids", "at_preview_evaluate_as_false_audience_ids"


def wire(link: str) -> dict[str, Any] | None:
    qa_mode = qa_mode_from_url(link)
    return None if qa_mode is None else qa_mode.to_dict()


def pairs(*indexes: tuple[int, int | None]) -> list[dict[str, int]]:
    return [QAModePreviewIndex(activity_index=a, experience_index=e).to_dict() for a, e in indexes]


def test_they_are_exported() -> None:
    assert target.qa_mode_from_url is qa_mode_from_url
    assert target.qa_mode_to_cookie is qa_mode_to_cookie
    assert target.qa_mode_from_cookie is qa_mode_from_cookie


@pytest.mark.parametrize(
    ("query", "read"),
    [
        pytest.param("", {}, id="token-alone"),
        pytest.param("#fragment", {}, id="fragment"),
        pytest.param(f"&{INDEX}=1_2", {"previewIndexes": pairs((1, 2))}, id="index"),
        pytest.param(f"&{INDEX}=1_2&{INDEX}=2_1", {"previewIndexes": pairs((1, 2), (2, 1))}, id="index-repeated"),
        pytest.param(f"&{INDEX}=1_2,2_1", {"previewIndexes": pairs((1, 2), (2, 1))}, id="index-with-comma"),
        pytest.param(
            f"&{INDEX}=3_1,1_2&{INDEX}=2_1", {"previewIndexes": pairs((3, 1), (1, 2), (2, 1))}, id="index-both-ways"
        ),
        pytest.param(f"&{INDEX}=1%5F2%2C2%5f1", {"previewIndexes": pairs((1, 2), (2, 1))}, id="index-percent-encoded"),
        pytest.param(f"&{INDEX}=+1_2+,+,2_1,", {"previewIndexes": pairs((1, 2), (2, 1))}, id="index-spaces-and-gaps"),
        pytest.param(f"&{INDEX}=4", {"previewIndexes": pairs((4, None))}, id="activity-without-experience"),
        pytest.param(f"&{LISTED}=true", {"listedActivitiesOnly": True}, id="listed-only"),
        pytest.param(f"&{LISTED}=TRUE", {"listedActivitiesOnly": True}, id="listed-only-upper-case"),
        pytest.param(f"&{LISTED}=false", {"listedActivitiesOnly": False}, id="not-listed-only"),
        pytest.param(f"&{LISTED}=true&{LISTED}=false", {"listedActivitiesOnly": False}, id="listed-only-the-last"),
        pytest.param(f"&{TRUE_IDS}=1,22&{TRUE_IDS}=333", {"evaluateAsTrueAudienceIds": [1, 22, 333]}, id="true-ids"),
        pytest.param(f"&{FALSE_IDS}=4473470", {"evaluateAsFalseAudienceIds": [4473470]}, id="false-ids"),
        pytest.param(f"&{INDEX}=&{LISTED}=&{TRUE_IDS}=&{FALSE_IDS}=,", {}, id="blank-values"),
        pytest.param(f"&{INDEX}&at_preview_other=1&AT_PREVIEW_INDEX=1_1", {}, id="unknown-fields"),
        pytest.param("&at_preview_token=second", {}, id="the-first-token"),
        pytest.param(
            f"&{INDEX}=1_2&{LISTED}=true&{TRUE_IDS}=1&{FALSE_IDS}=2",
            {
                "previewIndexes": pairs((1, 2)),
                "listedActivitiesOnly": True,
                "evaluateAsTrueAudienceIds": [1],
                "evaluateAsFalseAudienceIds": [2],
            },
            id="everything",
        ),
    ],
)
def test_a_link_is_read(query: str, read: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    assert wire(LINK + query) == {"token": TOKEN, **read}
    assert caplog.records == []


@pytest.mark.parametrize("token", ["a+b/c==", "ü".encode().hex(), "a,b", "a%b", '"<script>"', "~" * 512])
def test_a_token_may_be_percent_encoded(token: str) -> None:
    assert wire(f"https://a.example/?at_preview_token={quote(token, safe='')}") == {"token": token}


@pytest.mark.parametrize("link", [f"/a?at_preview_token={TOKEN}", f"?at_preview_token={TOKEN}", f"//h/?{LINK[26:]}"])
def test_a_link_may_be_relative(link: str) -> None:
    assert wire(link) == {"token": TOKEN}


@pytest.mark.parametrize(
    "link",
    [
        "",
        "https://shop.example/",
        f"https://shop.example/?{INDEX}=1_2&{LISTED}=true",
        "https://shop.example/?at_preview_token=",
        "https://shop.example/?at_preview_token=&at_preview_index=1_2",
        "https://shop.example/?at_preview_token=%20",
        "https://shop.example/?at_preview_token",
        f"https://shop.example/#at_preview_token={TOKEN}",
        f"https://shop.example/at_preview_token={TOKEN}",
        f"https://shop.example/?xat_preview_token={TOKEN}",
        "https://[malformed/?a=b",
        "https://shop.example/?" + "a=b&" * 1000,
        None,
        5,
        LINK.encode(),
    ],
)
def test_without_a_token_there_is_no_qa_mode_and_no_log_line(link: Any, caplog: pytest.LogCaptureFixture) -> None:
    assert qa_mode_from_url(link) is None
    assert caplog.records == []


@pytest.mark.parametrize(
    ("field", "good", "bad", "key", "kept"),
    [
        *(
            pytest.param(INDEX, "1_2", bad, "previewIndexes", pairs((1, 2)), id=f"index-{bad}")
            for bad in (
                "SECRET",
                "0_1",
                "1_0",
                "-1_1",
                "1_2_3",
                "1_",
                "_1",
                "1.5",
                "٣_1",
                "9" * 10,
                "1 2",
                "1e3",
                "1__2",
            )
        ),
        *(
            pytest.param(TRUE_IDS, "7", bad, "evaluateAsTrueAudienceIds", [7], id=f"audience-{bad}")
            for bad in ("SECRET", "-1", "1.5", "٣", "1" * 19, "0x1", "1_2", "+1x")
        ),
        pytest.param(FALSE_IDS, "7", "SECRET", "evaluateAsFalseAudienceIds", [7], id="false-audience"),
        *(
            pytest.param(LISTED, "true", bad, "listedActivitiesOnly", True, id=f"listed-{bad}")
            for bad in ("SECRET", "1", "yes", "tru")
        ),
    ],
)
def test_bad_values_are_ignored_with_one_log_line(
    field: str, good: str, bad: str, key: str, kept: Any, caplog: pytest.LogCaptureFixture
) -> None:
    assert wire(f"{LINK}&{urlencode({field: f'{bad},{good},{bad}'})}") == {"token": TOKEN, key: kept}
    assert [(entry.name, entry.levelno) for entry in caplog.records] == [("target", logging.WARNING)]
    assert caplog.messages == [f"QA mode: 2 malformed or surplus values of {field} are ignored"]
    assert TOKEN not in caplog.text


def test_every_field_has_a_line_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    assert wire(f"{LINK}&{INDEX}=SECRET&{LISTED}=SECRET&{TRUE_IDS}=SECRET,SECRET&{FALSE_IDS}=SECRET") == {
        "token": TOKEN
    }
    assert [message.split()[-3] for message in caplog.messages] == [LISTED, INDEX, TRUE_IDS, FALSE_IDS]
    assert "SECRET" not in caplog.text


@pytest.mark.parametrize("token", ["a b", "a%0Ab", "%C3%BC", "a" * 513, "%00", "%ED%A0%80"])
def test_a_malformed_token_is_no_qa_mode(token: str, caplog: pytest.LogCaptureFixture) -> None:
    assert wire(f"https://a.example/?at_preview_token={token}&{INDEX}=1_1") is None
    assert caplog.messages == ["QA mode: 1 malformed or surplus values of at_preview_token are ignored"]


@pytest.mark.parametrize("link", [LINK.replace("shop.example", "[shop"), LINK + "&a=b" * 1000, LINK + "&" * 100_000])
def test_a_malformed_link_is_logged(link: str, caplog: pytest.LogCaptureFixture) -> None:
    assert qa_mode_from_url(link) is None
    assert caplog.messages == ["A QA link is malformed or has too many parameters, and is ignored"]


def test_surplus_values_are_ignored(caplog: pytest.LogCaptureFixture) -> None:
    qa_mode = qa_mode_from_url(f"{LINK}&{TRUE_IDS}={','.join(map(str, range(150)))}")
    assert qa_mode is not None
    assert qa_mode.evaluate_as_true_audience_ids == list(range(100))
    assert caplog.messages == [f"QA mode: 50 malformed or surplus values of {TRUE_IDS} are ignored"]


def test_a_link_that_fits_into_no_cookie_is_ignored(caplog: pytest.LogCaptureFixture) -> None:
    assert qa_mode_from_url(f"{LINK}&{INDEX}={','.join(['123456789_123456789'] * 100)}") is None
    assert caplog.messages == ["A QA link is longer than any that Target makes, and is ignored"]


@pytest.mark.parametrize("unit", [",", "1_2,", "%2C", "%", "&", "&at_preview_index=1_1", "=", "#", "?", "1", "+", ";"])
def test_a_megabyte_is_read_in_no_time(unit: str) -> None:
    start = time.thread_time()
    qa_mode_from_url(f"{LINK}&{INDEX}=" + unit * (1_000_000 // len(unit)))
    assert time.thread_time() - start < 1


LINKS = st.lists(
    st.tuples(
        st.sampled_from(["at_preview_token", INDEX, LISTED, TRUE_IDS, FALSE_IDS]),
        st.sampled_from(["1_2", "1", "true", "false", "1,2", "SECRET", ",", ""]) | st.text(max_size=20),
    ),
    max_size=12,
).map(lambda fields: f"{LINK}&{urlencode(fields, errors='replace')}")


@given(LINKS | st.text().map(lambda text: LINK + text))
@example(LINK + "\ud800")
def test_what_a_link_asks_for_always_survives_the_cookie(link: str) -> None:
    qa_mode = qa_mode_from_url(link)
    if qa_mode is not None:
        value = qa_mode_to_cookie(qa_mode)
        assert len(value) <= MAX_COOKIE_LENGTH
        assert qa_mode_from_cookie(value) == qa_mode


# ----------------------------------------------------------------------------------------------------------- the cookie

NUMBERS = st.integers(1, 999_999_999)
QA_MODES = st.builds(
    QAMode,
    token=st.from_regex(r"[!-~]{1,512}", fullmatch=True),
    listed_activities_only=st.none() | st.booleans(),
    preview_indexes=st.none()
    | st.lists(
        st.builds(QAModePreviewIndex, activity_index=NUMBERS, experience_index=st.none() | NUMBERS),
        min_size=1,
        max_size=20,
    ),
    evaluate_as_true_audience_ids=st.none() | st.lists(st.integers(0, 10**18 - 1), min_size=1, max_size=10),
    evaluate_as_false_audience_ids=st.none() | st.lists(st.integers(0, 10**18 - 1), min_size=1, max_size=10),
)


@given(QA_MODES)
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_a_cookie_gives_back_what_was_put_into_it(qa_mode: QAMode) -> None:
    value = qa_mode_to_cookie(qa_mode)
    assert value.startswith("1.")
    assert set(value) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_")
    assert qa_mode_from_cookie(value) == qa_mode


def test_a_qa_mode_that_fits_into_no_cookie_is_refused() -> None:
    ids = list(range(10**17, 10**17 + 300))
    with pytest.raises(OptionsError, match="needs a cookie of"):
        qa_mode_to_cookie(QAMode(token="SECRET", evaluate_as_true_audience_ids=ids))


@pytest.mark.parametrize("value", [None, ""])
def test_no_cookie_is_no_qa_mode_and_no_log_line(value: str | None, caplog: pytest.LogCaptureFixture) -> None:
    assert qa_mode_from_cookie(value) is None
    assert caplog.records == []


def cookie(data: Any) -> str:
    text = data if isinstance(data, bytes) else json.dumps(data).encode()
    return f"1.{base64.urlsafe_b64encode(text).decode()}"


@pytest.mark.parametrize(
    "value",
    [
        "garbage",
        "1",
        "1.",
        "1.!",
        "1.é",
        "1.\ud800",
        "2." + cookie({"token": "SECRET"})[2:],
        cookie({"token": "SECRET"})[2:],
        "1." + "A" * MAX_COOKIE_LENGTH,
        "1." + "A" * 1_000_000,
        cookie(b'{"token":"SECRET"}' + b" " * 4000),
        cookie(b"\xff\xfe"),
        cookie(b"{"),
        cookie(b"[" * 2800),
        cookie(b"1" * 2800),
        cookie(b"1e999"),
        *(cookie(data) for data in (None, 5, "SECRET", [], ["SECRET"], {}, {"token": ""}, {"token": "SECRET\n"})),
        *(
            cookie({"token": "SECRET", "previewIndexes": indexes})
            for indexes in (5, None, "SECRET", ["SECRET"], [None], [{}], [{"experienceIndex": 1}])
        ),
        cookie({"token": "SECRET", "evaluateAsTrueAudienceIds": 5}),
        cookie({"token": "SECRET", "evaluateAsFalseAudienceIds": None}),
    ],
)
def test_a_cookie_that_was_tampered_with_is_ignored_with_one_log_line(
    value: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert qa_mode_from_cookie(value) is None
    assert [(entry.name, entry.levelno) for entry in caplog.records] == [("target", logging.WARNING)]
    assert "SECRET" not in caplog.text


@pytest.mark.parametrize(
    ("field", "value", "kept"),
    [
        ("listedActivitiesOnly", "SECRET", {}),
        ("listedActivitiesOnly", 1, {}),
        ("listedActivitiesOnly", None, {}),
        ("previewIndexes", [{"activityIndex": 1}, {"activityIndex": 0}], {"previewIndexes": [{"activityIndex": 1}]}),
        ("previewIndexes", [{"activityIndex": 1, "experienceIndex": "SECRET"}], {}),
        ("previewIndexes", [{"activityIndex": True, "experienceIndex": [1]}], {}),
        ("evaluateAsTrueAudienceIds", [1, -1, 1.5, None, True, [2], {}, 10**30], {"evaluateAsTrueAudienceIds": [1]}),
        ("evaluateAsFalseAudienceIds", ["SECRET", 2], {"evaluateAsFalseAudienceIds": [2]}),
    ],
)
def test_bad_values_in_a_cookie_are_ignored_one_by_one(
    field: str, value: Any, kept: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    qa_mode = qa_mode_from_cookie(cookie({"token": "t", field: value}))
    assert qa_mode is not None
    assert qa_mode.to_dict() == {"token": "t", **kept}
    assert len(caplog.records) == 1
    assert "SECRET" not in caplog.text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["token", "previewIndexes", "activityIndex", "evaluateAsTrueAudienceIds"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)


@given(JSON.map(cookie) | st.text() | st.text().map("1.".__add__) | st.binary().map(cookie))
def test_any_cookie_is_read_or_ignored(value: str) -> None:
    qa_mode = qa_mode_from_cookie(value)
    assert qa_mode is None or qa_mode_from_cookie(qa_mode_to_cookie(qa_mode)) == qa_mode


@given(QA_MODES, st.integers(0, 200), st.characters())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_one_character_changed_never_raises(qa_mode: QAMode, place: int, character: str) -> None:
    value = qa_mode_to_cookie(qa_mode)
    changed = qa_mode_from_cookie(value[:place] + character + value[place + 1 :])
    assert changed is None or isinstance(changed, QAMode)
