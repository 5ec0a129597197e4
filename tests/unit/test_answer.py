"""What a result says of an answer in one line, and that no answer makes it raise."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target import OptionsError, TargetDeliveryResponse
from tests.kit.answers import HOSTILE, NAMES, USUAL, Answer, result_of

HTML: dict[str, Any] = {"type": "html", "content": "<b>"}
LATER: dict[str, Any] = {"type": "json", "content": {"sizes": [1, 2]}, "eventToken": "t"}
DEFAULT: dict[str, Any] = {"eventToken": "default"}  # an option of a prefetch that shows the default content


def mboxes(**options: list[dict[str, Any]] | None) -> dict[str, Any]:
    return {"mboxes": [{"name": name} | ({} if of is None else {"options": of}) for name, of in options.items()]}


@pytest.mark.parametrize(
    ("answer", "content", "count"),
    [
        pytest.param({"execute": mboxes(home=[HTML])}, "<b>", 1, id="execute"),
        pytest.param({"prefetch": mboxes(home=[LATER, HTML])}, {"sizes": [1, 2]}, 2, id="the-first-of-a-prefetch"),
        pytest.param({"execute": mboxes(home=[HTML]), "prefetch": mboxes(home=[LATER])}, "<b>", 2, id="both"),
        pytest.param({"execute": mboxes(home=[]), "prefetch": mboxes(home=[HTML])}, "<b>", 1, id="prefetch-alone-has"),
        pytest.param({"execute": {"mboxes": [{"name": "home"}, *mboxes(home=[HTML])["mboxes"]]}}, "<b>", 1, id="twice"),
        pytest.param({"execute": mboxes(home=[{"type": "json", "content": 0}])}, 0, 1, id="zero-is-content"),
        pytest.param({"execute": mboxes(home=[{"type": "html", "content": ""}])}, "", 1, id="empty-text-is-content"),
        pytest.param({"prefetch": mboxes(home=[DEFAULT, HTML])}, "default", 2, id="default-content"),
        pytest.param({"execute": mboxes(home=None)}, "default", 0, id="no-activity"),
        pytest.param({"execute": mboxes(cart=[HTML])}, "default", 0, id="another-mbox"),
        pytest.param({"execute": {"pageLoad": {"options": [HTML]}}}, "default", 0, id="page-load-is-no-mbox"),
        pytest.param({"prefetch": {"views": [{"name": "home", "options": [HTML]}]}}, "default", 0, id="nor-is-a-view"),
        pytest.param({}, "default", 0, id="nothing"),
        pytest.param(None, "default", 0, id="204"),
    ],
)
def test_content_and_options(answer: Answer, content: Any, count: int) -> None:
    result = result_of(answer)
    assert result.content("home", "default") == content
    assert result.content("home") == (None if content == "default" else content)
    assert len(result.options("home")) == count


def test_the_options_are_the_models_of_the_answer() -> None:
    result = result_of({"execute": mboxes(home=[HTML]), "prefetch": mboxes(home=[LATER])})
    assert result.response is not None
    execute, prefetch = result.response.execute, result.response.prefetch
    assert [option.content for option in result.options("home")] == ["<b>", {"sizes": [1, 2]}]
    assert result.mbox("home") is execute.mboxes[0]
    assert result.options("home")[1] is prefetch.mboxes[0].options[0]
    assert result.mbox("cart") is None
    assert result_of({"prefetch": mboxes(home=None)}).mbox("home") is not None


def test_the_page_and_its_views() -> None:
    view = {"name": "checkout", "options": [LATER]}
    result = result_of(
        {
            "execute": {"pageLoad": {"options": [HTML]}},
            "prefetch": {"pageLoad": {"options": [LATER]}, "views": [view, {"name": "home"}, view]},
        }
    )
    assert [option.event_token for option in result.page_load()] == [None, "t"]
    assert [option.event_token for option in result.view("checkout")] == ["t", "t"]
    assert result.view("home") == result.view("absent") == []
    for other in (result_of({}), result_of(None), result_of({"execute": {"pageLoad": {}}, "prefetch": {}})):
        assert other.page_load() == other.view("checkout") == []


def test_what_is_returned_may_be_changed() -> None:
    result = result_of({"prefetch": mboxes(home=[LATER])})
    result.content("home")["sizes"].append(3)
    result.options("home").clear()
    result.page_load().append("x")  # type: ignore[arg-type]
    assert result.content("home") == {"sizes": [1, 2]}
    assert result.page_load() == []


@pytest.mark.parametrize("read", ["content", "options", "view", "mbox"])
@pytest.mark.parametrize("name", [None, 5, b"home", ["home"]], ids=repr)
def test_a_name_must_be_a_string(read: str, name: Any) -> None:
    with pytest.raises(OptionsError, match="must be a string"):
        getattr(result_of(None), read)(name)


def read_all(result: TargetDeliveryResponse, name: str) -> list[Any]:
    found = [result.content(name), result.options(name), result.page_load(), result.view(name), result.mbox(name)]
    assert isinstance(result.to_str(), str)
    assert len(repr(result)) < 200
    return found


@given(answer=USUAL | HOSTILE, name=NAMES | st.text(max_size=5))
def test_no_answer_makes_a_reader_raise(answer: Answer, name: str) -> None:
    result = result_of(answer)
    found = read_all(result, name)
    assert read_all(pickle.loads(pickle.dumps(result)), name) == found
    assert result.content(name, found) is not None
    if found[0] is not None:
        assert found[0] == result.options(name)[0].content
    if found[1]:
        assert found[4] is not None
