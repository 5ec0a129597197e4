"""The mboxes of a request: which are sent, and with what index."""

from __future__ import annotations

import copy
import logging
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target import DeliveryRequest, ExecuteRequest, MboxRequest, OptionsError, PrefetchRequest
from target.delivery import mboxes
from target.delivery.mboxes import add_mboxes, fill_indexes, fill_parts, valid_mboxes
from target.loggers import Log
from tests.kit.built_calls import offers
from tests.kit.properties import examples

LOGGER = Log(logging.getLogger("target.tests.mboxes"))


@pytest.mark.parametrize(
    ("given", "filled"),
    [
        pytest.param([None, None, None], [0, 1, 2], id="none-given"),
        pytest.param([5, None, None], [5, 6, 7], id="after-the-given"),
        pytest.param([None, 5, None, 2], [6, 5, 7, 2], id="highest-wherever-it-stands"),
        pytest.param([0, None], [0, 1], id="zero-counts-as-given"),
        pytest.param([3, 3], [3, 3], id="given-ones-are-kept"),
        pytest.param([-5, None], [-5, -4], id="negative"),
        pytest.param([], [], id="empty"),
    ],
)
def test_missing_indexes_count_up_from_the_highest_given(given: list[int | None], filled: list[int]) -> None:
    mboxes = [{"name": "a"} if index is None else {"name": "a", "index": index} for index in given]
    before = copy.deepcopy(mboxes)
    assert [mbox["index"] for mbox in fill_indexes(mboxes)] == filled
    assert mboxes == before


def test_a_null_index_counts_as_missing() -> None:
    assert fill_indexes([{"name": "a", "index": None}]) == [{"name": "a", "index": 0}]


def test_indexes_are_filled_list_by_list() -> None:
    request = DeliveryRequest(
        execute=ExecuteRequest(mboxes=[MboxRequest(name="a", index=7), MboxRequest(name="b")]),
        prefetch=PrefetchRequest(mboxes=[MboxRequest(name="c"), MboxRequest(name="d")]),
    )
    body = offers(request).body
    assert body["execute"]["mboxes"] == [{"index": 7, "name": "a"}, {"index": 8, "name": "b"}]
    assert body["prefetch"]["mboxes"] == [{"index": 0, "name": "c"}, {"index": 1, "name": "d"}]


@pytest.mark.parametrize(
    ("mbox", "reason"),
    [
        pytest.param({"index": 1}, "it has no name", id="no-name"),
        pytest.param({"name": None}, "it has no name", id="null"),
        pytest.param({"name": ""}, "it has no name", id="empty"),
        pytest.param({"name": " \t"}, "it has no name", id="blank"),
        pytest.param({"name": 5}, "it has no name", id="number"),
        pytest.param({"name": "x" * 251}, "its name is longer than 250 characters", id="too-long"),
        pytest.param("home", "it is str, not an object", id="text"),
        pytest.param(None, "it is NoneType, not an object", id="none"),
    ],
)
def test_an_invalid_mbox_is_dropped_and_logged(mbox: Any, reason: str, caplog: pytest.LogCaptureFixture) -> None:
    good = {"name": "x" * 250}
    assert valid_mboxes([good, mbox, good], "request.execute", LOGGER) == [good, good]
    lines = [(record.levelname, record.getMessage()) for record in caplog.records]
    said = f"Mbox validation failed for: request.execute.mboxes[1]: {reason}; it is not sent"
    assert lines == [("ERROR", said)]


def test_the_log_line_never_shows_the_mbox(caplog: pytest.LogCaptureFixture) -> None:
    valid_mboxes([{"parameters": {"mail": "SECRET"}}, "SECRET", ["SECRET"]], "request.prefetch", LOGGER)
    assert len(caplog.records) == 3
    assert "SECRET" not in caplog.text


@pytest.mark.parametrize("part", ["execute", "prefetch"])
def test_a_request_whose_mboxes_are_all_invalid_is_refused(part: str) -> None:
    with pytest.raises(OptionsError, match=f"is required in {part}; an mbox needs a name"):
        offers({part: {"mboxes": [{"index": 0}, {"name": ""}]}})


def named(*indexes_by_name: tuple[str, int]) -> list[dict[str, Any]]:
    return [{"name": name, "index": index} for name, index in indexes_by_name]


@pytest.mark.parametrize(
    ("execute", "prefetch", "names", "added"),
    [
        pytest.param([], [], ["a", "b", "c"], [("a", 1), ("b", 2), ("c", 3)], id="empty-request"),
        pytest.param([("foo", 6), ("jab", 2)], [], ["foo", "bar", "baz"], [("bar", 7), ("baz", 8)], id="after-execute"),
        pytest.param([], [("foo", 6), ("jab", 2)], ["foo", "bar", "baz"], [("bar", 1), ("baz", 2)], id="not-prefetch"),
        pytest.param([("a", 0)], [("b", 9)], ["a", "b"], [], id="all-known"),
        pytest.param([("a", 0)], [], ["b"], [("b", 1)], id="after-zero"),
        pytest.param([], [], ["a", "a", "b", "a"], [("a", 1), ("b", 2)], id="asked-twice"),
        pytest.param([("a", 3)], [], [], [], id="nothing-asked"),
    ],
)
def test_add_mboxes(
    execute: list[tuple[str, int]], prefetch: list[tuple[str, int]], names: list[str], added: list[tuple[str, int]]
) -> None:
    before = named(*execute)
    result = add_mboxes(before, named(*prefetch), names)
    assert result == named(*execute, *added)
    assert before == named(*execute)


def test_added_mboxes_follow_the_indexes_that_were_filled_in() -> None:
    request = DeliveryRequest(execute=ExecuteRequest(mboxes=[MboxRequest(name="a"), MboxRequest(name="b")]))
    mboxes = offers(request, added=("b", "c")).body["execute"]["mboxes"]
    assert mboxes == named(("a", 0), ("b", 1), ("c", 2))


class Lines(logging.Logger):
    """A log of its own."""

    def __init__(self) -> None:
        super().__init__("lines")
        self.told: list[str] = []

    def handle(self, record: logging.LogRecord) -> None:
        self.told.append(record.getMessage())


PARTS = st.fixed_dictionaries(
    {},
    optional={
        "mboxes": st.lists(
            st.fixed_dictionaries(
                {},
                optional={
                    "name": st.sampled_from(("a", "b", "c", "", " ", "x" * 251, None, 5)),
                    "index": st.sampled_from((0, 1, 7, None)),
                    "parameters": st.just({"a": "1"}),
                },
            ),
            max_size=3,
        ),
        "pageLoad": st.sampled_from(({}, None)),
        "views": st.sampled_from(([], [{"name": "home"}], None)),
        "more": st.sampled_from((None, [], {}, 1)),
    },
)


@settings(max_examples=examples(2000))
@given(
    st.fixed_dictionaries({}, optional={"execute": PARTS, "prefetch": PARTS, "context": st.just({})}),
    st.lists(st.sampled_from(("a", "b", "new")), max_size=2),
)
def test_parts_that_need_nothing_are_what_looking_closely_makes_of_them(body: dict[str, Any], added: list[str]) -> None:
    def filled(looks_closely: bool) -> tuple[Any, str | None, list[str]]:
        made, lines = copy.deepcopy(body), Lines()
        with pytest.MonkeyPatch.context() as patch:
            if looks_closely:
                patch.setattr(mboxes, "_is_ready", lambda _: False)
            try:
                fill_parts(made, Log(lines), added)
            except OptionsError as error:
                return made, str(error), lines.told
        return made, None, lines.told

    assert filled(False) == filled(True)
