"""AttributesProvider: JSON offers merged by mbox, and an error that says what is not there."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target import AttributeNotFound, AttributesProvider, OptionsError
from tests.kit.answers import HOSTILE, NAMES, USUAL, Answer, result_of


def json_option(**content: Any) -> dict[str, Any]:
    return {"type": "json", "content": content}


def provider_of(answer: dict[str, Any] | None) -> AttributesProvider:
    return AttributesProvider(result_of(answer))


FLAGS = provider_of(
    {
        "execute": {
            "mboxes": [
                {
                    "name": "feature-flag-a",
                    "options": [json_option(paymentGatewayVersion=2.3, showFeatureX=False, nothing=None)],
                }
            ]
        }
    }
)


def test_values() -> None:
    assert FLAGS.get_value("feature-flag-a", "paymentGatewayVersion") == 2.3
    assert FLAGS.get_value("feature-flag-a", "showFeatureX") is False
    assert FLAGS.get_value("feature-flag-a", "nothing") is None


@pytest.mark.parametrize(
    ("mbox", "key"), [("unknown-flag", "payment_experience"), ("feature-flag-a", "payment_experience"), ("", "")]
)
def test_an_unknown_attribute(mbox: str, key: str) -> None:
    with pytest.raises(KeyError) as caught:
        FLAGS.get_value(mbox, key)
    assert isinstance(caught.value, AttributeNotFound)
    assert str(caught.value).startswith(f"Attribute '{key}' does not exist for mbox '{mbox}'")


@pytest.mark.parametrize(
    ("answer", "merged"),
    [
        pytest.param(
            {"execute": {"mboxes": [{"name": "a", "options": [json_option(x=1), json_option(y=2)]}]}},
            {"a": {"x": 1, "y": 2}},
            id="options-are-merged",
        ),
        pytest.param(
            {"prefetch": {"mboxes": [{"name": "a", "options": [json_option(x=1, y=1), json_option(x=2)]}]}},
            {"a": {"x": 2, "y": 1}},
            id="later-over-earlier",
        ),
        pytest.param(
            {
                "execute": {"mboxes": [{"name": "a", "options": [json_option(x="execute")]}]},
                "prefetch": {"mboxes": [{"name": "a", "options": [json_option(x="prefetch", y="prefetch")]}]},
            },
            {"a": {"x": "execute", "y": "prefetch"}},
            id="execute-over-prefetch",
        ),
        pytest.param(
            {"execute": {"mboxes": [{"name": "a", "options": [{"type": "html", "content": "<b>"}]}]}},
            {"a": {}},
            id="only-json",
        ),
        pytest.param(
            {"execute": {"mboxes": [{"name": "a", "options": [{"type": "json", "content": [1]}]}]}},
            {"a": [1]},
            id="list",
        ),
        pytest.param({"execute": {"mboxes": [{"name": "a"}]}}, {"a": {}}, id="no-offer"),
        pytest.param({"execute": {"mboxes": [{"options": [json_option(x=1)]}]}}, {}, id="no-name"),
        pytest.param({"execute": {"pageLoad": {"options": [json_option(x=1)]}}}, {}, id="page-load-is-no-mbox"),
        pytest.param({"prefetch": {"views": [{"name": "v", "options": [json_option(x=1)]}]}}, {}, id="a-view-neither"),
        pytest.param({}, {}, id="empty"),
        pytest.param(None, {}, id="204"),
    ],
)
def test_as_object(answer: dict[str, Any] | None, merged: dict[str, Any]) -> None:
    provider = provider_of(answer)
    assert provider.as_object() == merged
    for name, attributes in merged.items():
        assert provider.as_object(name) == attributes
    assert provider.as_object("unknown") is None


def test_what_as_object_returned_may_be_changed() -> None:
    whole, one = FLAGS.as_object(), FLAGS.as_object("feature-flag-a")
    assert whole is not None
    assert one is not None
    whole.clear()
    one.clear()
    assert FLAGS.get_value("feature-flag-a", "paymentGatewayVersion") == 2.3


def test_the_whole_answer_is_at_hand() -> None:
    result = FLAGS.get_response()
    assert result.response is not None
    assert result.target_cookie is not None


TYPED: dict[str, Any] = {
    "on": True,
    "count": 3,
    "share": 0.5,
    "label": "a",
    "sizes": [1],
    "more": {"a": [1]},
    "none": None,
}
GETTERS: dict[str, Any] = {
    "get_bool": {"on": True},
    "get_int": {"count": 3},
    "get_float": {"count": 3.0, "share": 0.5},
    "get_str": {"label": "a"},
    "get_json": {"sizes": [1], "more": {"a": [1]}},
}


class TestTypedValues:
    @pytest.fixture
    def typed(self) -> AttributesProvider:
        return provider_of({"execute": {"mboxes": [{"name": "flags", "options": [json_option(**TYPED)]}]}})

    @pytest.mark.parametrize("getter", GETTERS)
    def test_a_value_of_another_type_gives_the_default_and_one_warning(
        self, typed: AttributesProvider, getter: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        default = object()
        for _ in range(3):
            read = {key: getattr(typed, getter)("flags", key, default) for key in TYPED}
            taken = {key: value for key, value in read.items() if value is not default}
            assert taken == GETTERS[getter]
            assert {key: type(value) for key, value in taken.items()} == {
                key: type(value) for key, value in GETTERS[getter].items()
            }
        told = [record.getMessage() for record in caplog.records]
        assert len(told) == len(set(told)) == len(TYPED) - len(GETTERS[getter])
        assert all(f"{getter} gives its default" in line and "'flags'" in line for line in told)
        assert {record.levelname for record in caplog.records} == {"WARNING"}

    @pytest.mark.parametrize("getter", [*GETTERS, "get_value"])
    def test_what_is_not_there_gives_the_default_and_no_warning(
        self, typed: AttributesProvider, getter: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        for provider, mbox, key in ((typed, "flags", "x"), (typed, "x", "on"), (provider_of(None), "flags", "on")):
            assert getattr(provider, getter)(mbox, key, 7) == 7
            assert getattr(provider, getter)(mbox, key, default=None) is None
        assert caplog.records == []

    def test_no_value_is_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        provider = provider_of({"execute": {"mboxes": [{"name": "a", "options": [json_option(x="MARKER")]}]}})
        assert provider.get_int("a", "x", 0) == 0
        assert "MARKER" not in caplog.text
        assert caplog.text.count("WARNING") == 1

    @pytest.mark.parametrize("number", [10**400, -(10**400)], ids=["much", "less"])
    def test_what_no_float_can_hold(self, number: int) -> None:
        provider = provider_of({"execute": {"mboxes": [{"name": "a", "options": [json_option(x=number)]}]}})
        assert provider.get_float("a", "x", 1.5) == 1.5
        assert provider.get_int("a", "x", 1) == number

    def test_json_may_be_changed(self, typed: AttributesProvider) -> None:
        typed.get_json("flags", "more", {})["a"].append(2)
        assert typed.get_json("flags", "more", {}) == {"a": [1]}

    @pytest.mark.parametrize("getter", [*GETTERS, "get_value"])
    def test_names_must_be_strings(self, typed: AttributesProvider, getter: str) -> None:
        for mbox, key in ((None, "on"), ("flags", 5)):
            with pytest.raises(OptionsError, match="must be a string"):
                getattr(typed, getter)(mbox, key, 1)


ITEMS = [{"id": "sku1", "price": 5}, {"id": "sku2", "price": 7}]


@pytest.mark.parametrize(
    ("contents", "as_object"),
    [
        ([ITEMS], ITEMS),
        (['{"items": []}'], '{"items": []}'),
        ([5], 5),
        ([0], 0),
        ([False], False),
        ([[]], []),
        ([None], {}),
        ([ITEMS, ITEMS], {}),
        ([ITEMS, {"x": 1}], {"x": 1}),
        ([{"x": 1}, 5], {"x": 1}),
        ([{}, 5], {}),
    ],
    ids=repr,
)
def test_a_json_offer_without_attributes_stays_readable(contents: list[Any], as_object: Any) -> None:
    options = [{"type": "json", "content": content} for content in contents]
    provider = provider_of({"execute": {"mboxes": [{"name": "a", "options": [{"type": "html"}, *options]}]}})
    assert provider.as_object("a") == as_object
    assert provider.as_object() == {"a": as_object}
    assert provider.get_value("a", "absent", "default") == "default"


def test_of_two_parts_of_an_answer_none_is_the_only_one() -> None:
    mboxes = {"mboxes": [{"name": "a", "options": [{"type": "json", "content": ITEMS}]}]}
    assert provider_of({"execute": mboxes}).as_object("a") == ITEMS
    assert provider_of({"execute": mboxes, "prefetch": mboxes}).as_object("a") == {}


@given(answer=USUAL | HOSTILE, name=NAMES, key=st.text(max_size=3))
def test_no_answer_makes_a_reader_raise(answer: Answer, name: str, key: str) -> None:
    provider = AttributesProvider(result_of(answer))
    whole, kept = provider.as_object(), pickle.loads(pickle.dumps(provider))
    assert kept.as_object() == whole
    assert (whole or {}).get(name) == provider.as_object(name)
    names = [key, *list(provider.as_object(name) or ())] if isinstance(provider.as_object(name), dict) else [key]
    for attribute in names:
        default = object()
        value = provider.get_value(name, attribute, default)
        for getter, kind in {"bool": bool, "int": int, "float": float, "str": str, "json": dict | list}.items():
            read = getattr(kept, f"get_{getter}")(name, attribute, default)
            assert read is default or (isinstance(read, kind) and read == value)
