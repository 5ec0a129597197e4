"""What of an answer a flag is: value, variant, reason, metadata; of rules, of a server, of what stands in for them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode, FlagNotFoundError, ParseError, TypeMismatchError
from openfeature.flag_evaluation import FlagType, Reason

from target import Experience, TargetClient, TargetDeliveryResponse
from target.emulator import Emulator, running
from target.integrations.openfeature import ProviderOptions, TargetProvider
from target.integrations.openfeature._answers import Answer
from target.integrations.openfeature._reading import read_flag
from tests.kit.calls import MakeClient
from tests.kit.loopback import Answer as Reply
from tests.kit.loopback import LoopbackServer
from tests.unit.integrations.openfeature.pages import VISITOR, json_offer, notified, showing

ON_DEVICE: dict[str, Any] = {"decisioning_method": "on-device", "polling_interval": 0}


def client_of(emulator: Emulator, **options: Any) -> TargetClient:
    account = {"client": "acmeclient", "organization_id": "1@AdobeOrg", "secure": False, "telemetry_enabled": False}
    return TargetClient.create(
        **{**account, "server_domain": emulator.server_domain, "cdn_base_path": emulator.url, **options}
    )


def visitor_in(experience: str, mbox: str, emulator: Emulator) -> EvaluationContext:
    """A visitor whose share is this experience."""
    with client_of(emulator, **ON_DEVICE) as client:
        for number in range(100):
            request = {"id": {"thirdPartyId": f"v-{number}"}, "prefetch": {"mboxes": [{"name": mbox}]}}
            (decision,) = client.get_offers(request=request).meta.decisions
            if decision.experience_name == experience:
                return EvaluationContext(f"v-{number}")
    raise AssertionError(experience)


def test_where_rules_decide_all_is_known() -> None:
    with running() as emulator:
        visitor = visitor_in("A: express", "feature-flag-a", emulator)
        with client_of(emulator, **ON_DEVICE) as client:
            details = TargetProvider(client).resolve_boolean_details("feature-flag-a.showFeatureX", False, visitor)
            assert (details.value, details.reason, details.variant) == (True, Reason.SPLIT, "A: express")
            assert details.flag_metadata == {
                "mbox": "feature-flag-a",
                "decisioning_method": "on-device",
                "decision": "split",
                "activity.id": "310002",
                "activity.name": "Express checkout",
                "experience.id": "0",
                "experience.name": "A: express",
                "offer.id": "700003",
                "offer.name": "express",
            }
            gold = EvaluationContext("v", {"membership": "gold"})
            by_audience = TargetProvider(client).resolve_string_details("greeting", "", gold)
            assert (by_audience.reason, by_audience.variant) == (Reason.TARGETING_MATCH, "A: gold")
            full = EvaluationContext("v", {"cartTotal": 120})
            assert TargetProvider(client).resolve_string_details("promo", "", full).variant == "A: full cart"


def test_an_experience_of_default_content_is_one_and_counts_where_the_answer_has_it(
    server: LoopbackServer, client: TargetClient
) -> None:
    option = {"eventToken": "shown", "responseTokens": {"experience.name": "B: default content"}}
    server.answer = showing(outlet=[option])
    provider = TargetProvider(client)
    for key in ("outlet", "outlet.title"):
        details = provider.resolve_string_details(key, "the default", VISITOR)
        assert (details.value, details.reason, details.error_code) == ("the default", Reason.DEFAULT, None)
        assert details.variant == "B: default content"
    provider.shutdown()
    assert [each["tokens"] for each in notified(server.received)] == [["shown"]] * 2


@pytest.mark.parametrize("options", [{}, ON_DEVICE], ids=["server", "device"])
def test_an_mbox_whose_activity_is_for_others_shows_the_default(options: dict[str, Any]) -> None:
    with running() as emulator, client_of(emulator, **options) as client:
        provider = TargetProvider(client)
        details = provider.resolve_string_details(
            "app", "the default", EvaluationContext("v", {"user_agent": "curl/8"})
        )
        assert (details.value, details.reason, details.variant) == ("the default", Reason.DEFAULT, None)
        number = provider.resolve_float_details("app", 3, EvaluationContext("v", {"user_agent": "curl/8"}))
        assert type(number.value) is float
        provider.shutdown()
        client.flush(2000)
        assert emulator.notifications == []


def test_what_only_the_server_can_decide_is_not_found_on_the_device() -> None:
    with running() as emulator:
        for options, code in ((ON_DEVICE, ErrorCode.FLAG_NOT_FOUND), ({"decisioning_method": "hybrid"}, None)):
            with client_of(emulator, **options) as client:
                details = TargetProvider(client).resolve_string_details("recommendations.title", "", VISITOR)
                assert details.error_code is code
        with client_of(emulator, **ON_DEVICE) as client:
            details = TargetProvider(client).resolve_string_details("no-such-mbox", "", VISITOR)
            assert details.error_code is ErrorCode.FLAG_NOT_FOUND


@pytest.mark.parametrize("options", [{}, ON_DEVICE], ids=["server", "device"])
def test_an_override_is_a_value_that_counts_for_nothing(options: dict[str, Any]) -> None:
    overrides: dict[str, Any] = {"home": {"a": 1}, "prices": "<b>text</b>", "none": None}
    with running() as emulator, client_of(emulator, **options, allow_overrides=True, overrides=overrides) as client:
        provider = TargetProvider(client)
        of = provider.resolve_integer_details("home.a", 0, VISITOR)
        assert (of.value, of.reason, of.flag_metadata["decision"]) == (1, Reason.DISABLED, "override")
        assert provider.resolve_string_details("prices", "", VISITOR).value == "<b>text</b>"
        nothing = provider.resolve_string_details("none.title", "the default", VISITOR)
        assert (nothing.value, nothing.reason) == ("the default", Reason.DISABLED)
        if options:
            client.override("feature-flag-a", Experience("B: legacy", activity="Express checkout"))
            chosen = provider.resolve_boolean_details("feature-flag-a.showFeatureX", True, VISITOR)
            assert (chosen.value, chosen.reason, chosen.variant) == (False, Reason.DISABLED, "B: legacy")
        provider.shutdown()
        client.flush(2000)
        assert emulator.notifications == []


BOT = EvaluationContext("v", {"user_agent": "Googlebot/2.1 (+http://www.google.com/bot.html)"})


@pytest.mark.parametrize(
    ("options", "context", "decision"), [({"offline": True}, VISITOR, "offline"), ({"exclude_bots": True}, BOT, "bot")]
)
def test_offline_and_bots_are_the_default_without_a_call(
    options: dict[str, Any], context: EvaluationContext, decision: str
) -> None:
    with running() as emulator, client_of(emulator, **options) as client:
        provider = TargetProvider(client)
        details = provider.resolve_boolean_details("feature-flag-a.showFeatureX", True, context)
        assert (details.value, details.reason) == (True, Reason.DISABLED)
        assert details.flag_metadata["decision"] == decision
        provider.shutdown()
        assert emulator.received == []


def test_of_a_servers_tokens_none_of_the_visitor_is_metadata(server: LoopbackServer, client: TargetClient) -> None:
    tokens = {"activity.id": 5, "experience.id": 1, "profile.email": "secret", "geo.city": "secret", "offer.name": "o"}
    server.answer = showing(home=[json_offer({"a": 1}, responseTokens=tokens)])
    details = TargetProvider(client).resolve_integer_details("home.a", 0, VISITOR)
    assert details.variant == "1"
    assert details.flag_metadata == {
        "mbox": "home",
        "decisioning_method": "server-side",
        "decision": "server",
        "activity.id": "5",
        "experience.id": "1",
        "offer.name": "o",
    }


def test_json_offers_of_one_mbox_are_merged_and_values_may_be_alone(
    server: LoopbackServer, client: TargetClient
) -> None:
    server.answer = showing(
        merged=[json_offer({"a": 1, "b": 1}), {"type": "html", "content": "x"}, json_offer({"b": 2}), json_offer([3])],
        alone=[json_offer(True)],
        listed=[json_offer([1, 2])],
        number=[json_offer(3)],
        mixed=[{"type": "actions", "content": []}, {"type": "html", "content": "<p>"}],
    )
    provider = TargetProvider(client)
    assert provider.resolve_object_details("merged", {}, VISITOR).value == {"a": 1, "b": 2}
    assert provider.resolve_boolean_details("alone", False, VISITOR).value is True
    assert provider.resolve_object_details("listed", [], VISITOR).value == [1, 2]
    assert provider.resolve_float_details("number", 0.0, VISITOR).value == 3.0
    assert provider.resolve_string_details("mixed", "", VISITOR).value == "<p>"


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply({"message": "visitor-1 is unknown"}, 400), ErrorCode.GENERAL),
        (Reply({"message": "visitor-1"}, 503), ErrorCode.GENERAL),
        (Reply(b"visitor-1", 200), ErrorCode.GENERAL),
        (Reply({"status": 200}, 200), ErrorCode.FLAG_NOT_FOUND),
        (Reply(b"", 204), ErrorCode.FLAG_NOT_FOUND),
        (Reply({"prefetch": {"mboxes": [{"name": "other"}]}}, 200), ErrorCode.FLAG_NOT_FOUND),
    ],
)
def test_an_answer_that_is_none_is_an_error_without_ids(
    server: LoopbackServer, make_client: MakeClient, reply: Reply, code: ErrorCode
) -> None:
    server.answer = lambda _: reply
    details = TargetProvider(make_client(retries=0)).resolve_boolean_details("home", True, VISITOR)
    assert (details.value, details.reason, details.error_code) == (True, Reason.ERROR, code)
    assert "visitor-1" not in repr(details)


def test_a_closed_client_is_not_ready(make_client: MakeClient) -> None:
    client = make_client()
    client.close()
    details = TargetProvider(client).resolve_boolean_details("home", True, VISITOR)
    assert details.error_code is ErrorCode.PROVIDER_NOT_READY


@pytest.mark.parametrize("exposure", ["prefetch", "execute"])
@pytest.mark.parametrize("options", [{}, ON_DEVICE], ids=["server", "device"])
def test_what_is_read_counts_once_whichever_way(options: dict[str, Any], exposure: Any) -> None:
    with running() as emulator:
        visitor = visitor_in("A: express", "feature-flag-a", emulator)
        with client_of(emulator, **options) as client:
            given: ProviderOptions = {"mboxes": ["feature-flag-a"], "exposure": exposure}
            provider = TargetProvider(client, **given)
            assert provider.resolve_boolean_details("feature-flag-a.showFeatureX", False, visitor).value is True
            provider.shutdown()
            client.flush(3000)
        (counted,) = [each for each in emulator.counts() if each.id == "310002"]
        assert [experience.impressions for experience in counted.experiences] == [1, 0]


def test_what_could_not_be_read_was_not_shown(server: LoopbackServer, client: TargetClient) -> None:
    server.answer = showing(home=[json_offer({"a": 1})])
    provider = TargetProvider(client)
    for key, kind in (("home.a", "string"), ("home.b", "integer"), ("home", "boolean")):
        assert getattr(provider, f"resolve_{kind}_details")(key, None, VISITOR).error_code is not None
    provider.shutdown()
    assert notified(server.received) == []


contents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab.", max_size=3), inner, max_size=3),
    max_leaves=8,
)
KINDS = {FlagType.BOOLEAN: bool, FlagType.STRING: str, FlagType.INTEGER: int, FlagType.FLOAT: float}


@given(contents, st.text("mab.", max_size=8), st.sampled_from(FlagType))
def test_whatever_an_offer_holds_a_flag_is_of_its_type_or_an_error(content: Any, key: str, kind: FlagType) -> None:
    answer = Answer(TargetDeliveryResponse.from_data({"prefetch": {"mboxes": {"m": content}}}), False)
    try:
        details = read_flag(f"m.{key}" if key else "m", kind, None, ["m"], {"m": answer}, False).details
    except (FlagNotFoundError, ParseError, TypeMismatchError):
        return
    if details.value is not None:
        assert type(details.value) is KINDS.get(kind, type(details.value))
        assert kind is not FlagType.OBJECT or isinstance(details.value, dict | list)
