"""AttributesProvider: JSON offers merged by mbox, and an error that says what is not there."""

from __future__ import annotations

from typing import Any

import pytest

from target import AttributeNotFound, AttributesProvider, DeliveryResponse
from target.delivery.reply import assemble
from tests.kit.built_calls import NOW_S, offers


def json_option(**content: Any) -> dict[str, Any]:
    return {"type": "json", "content": content}


def provider_of(answer: dict[str, Any] | None) -> AttributesProvider:
    response = None if answer is None else DeliveryResponse.from_dict(answer)
    return AttributesProvider(assemble(offers(), response, NOW_S))


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
            {"a": {}},
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
