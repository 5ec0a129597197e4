"""One way to decide, for peers.py, in a process and mostly a venv of its own: answers commands, which are JSON lines.

``peers_calls.py WAY [DOMAIN]``, by the name of a function below; DOMAIN is where telemetry of ours goes. Every way
makes the same decision: the flag is on for half of the visitors whose attribute ``member`` is gold, and off for all
others. Of this project only what measures is imported, but for ours.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from benchmarks.measure import on_processor

#: Whether the flag is on for a visitor with this id, and this attribute.
Decide = Callable[[str, str], bool]


def launchdarkly() -> Decide:
    from ldclient import Config, Context, LDClient
    from ldclient.integrations.test_data import FlagBuilder, TestData

    class Rolled(FlagBuilder):  # type: ignore[misc]
        """TestData has no builder for a rollout, but the store that it fills reads one."""

        def _copy(self) -> Rolled:
            return self

        def _build(self, version: int) -> dict[str, Any]:
            flag: dict[str, Any] = super()._build(version)
            del flag["rules"][0]["variation"]
            halves = [{"variation": number, "weight": 50_000} for number in (0, 1)]
            flag["rules"][0]["rollout"] = {"variations": halves, "contextKind": "user"}
            return {**flag, "salt": "salt"}

    data = TestData.data_source()
    flag = Rolled("flag").boolean_flag().fallthrough_variation(False)
    data.update(flag.if_match("member", "gold").then_return(True))
    client = LDClient(Config("sdk-key", update_processor_class=data, send_events=False))

    def decide(visitor: str, member: str) -> bool:
        context = Context.builder(visitor).set("member", member).build()
        return client.variation("flag", context, False) is True

    return decide


def growthbook() -> Decide:
    from growthbook import GrowthBook

    rule = {"condition": {"member": "gold"}, "force": True, "coverage": 0.5, "hashAttribute": "id"}
    client = GrowthBook(features={"flag": {"defaultValue": False, "rules": [rule]}})

    def decide(visitor: str, member: str) -> bool:
        client.set_attributes({"id": visitor, "member": member})
        return client.get_feature_value("flag", False) is True

    return decide


def unleash() -> Decide:
    from UnleashClient import UnleashClient
    from UnleashClient.cache import FileCache

    rollout = {
        "name": "flexibleRollout",
        "parameters": {"rollout": "50", "stickiness": "userId", "groupId": "flag"},
        "constraints": [{"contextName": "member", "operator": "IN", "values": ["gold"]}],
    }
    cache = FileCache("peers", directory=tempfile.mkdtemp())
    cache.bootstrap_from_dict(
        {"version": 2, "features": [{"name": "flag", "type": "release", "enabled": True, "strategies": [rollout]}]}
    )
    client = UnleashClient(
        "http://127.0.0.1:9/api", "peers", cache=cache, disable_metrics=True, disable_registration=True
    )
    client.initialize_client(fetch_toggles=False)

    def decide(visitor: str, member: str) -> bool:
        return client.is_enabled("flag", {"userId": visitor, "properties": {"member": member}}) is True

    return decide


def flagsmith() -> Decide:
    from flag_engine.engine import get_evaluation_result

    conditions = [
        {"operator": "EQUAL", "property": "member", "value": "gold"},
        {"operator": "PERCENTAGE_SPLIT", "property": "$.identity.key", "value": "50"},
    ]
    on = {"key": "1", "name": "flag", "enabled": True, "value": None, "priority": 1}
    rules: dict[str, Any] = {
        "environment": {"key": "environment", "name": "production"},
        "features": {"flag": {**on, "enabled": False}},
        "segments": {
            "1": {"key": "1", "name": "gold", "overrides": [on], "rules": [{"type": "ALL", "conditions": conditions}]}
        },
    }

    def decide(visitor: str, member: str) -> bool:
        identity = {"identifier": visitor, "key": visitor, "traits": {"member": member}}
        return get_evaluation_result({**rules, "identity": identity})["flags"]["flag"]["enabled"] is True

    return decide


def openfeature() -> Decide:
    from openfeature import api
    from openfeature.evaluation_context import EvaluationContext
    from openfeature.flag_evaluation import FlagResolutionDetails, Reason
    from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider

    def evaluate(flag: Any, context: EvaluationContext) -> FlagResolutionDetails[bool]:
        """The rule, which this provider leaves to whoever uses it."""
        place = int.from_bytes(hashlib.sha1(f"flag.{context.targeting_key}".encode()).digest()[:4], "big")
        is_on = context.attributes.get("member") == "gold" and place < 1 << 31
        variant = "on" if is_on else "off"
        return FlagResolutionDetails(flag.variants[variant], reason=Reason.TARGETING_MATCH, variant=variant)

    flag = InMemoryFlag("off", {"on": True, "off": False}, context_evaluator=evaluate)
    api.set_provider_and_wait(InMemoryProvider({"flag": flag}))
    client = api.get_client()
    return lambda visitor, member: (
        client.get_boolean_value("flag", False, EvaluationContext(visitor, {"member": member})) is True
    )


def _our_client(domain: str | None) -> Any:
    """Of the same decision: half of an audience has one experience, half the other. Nothing is fetched."""
    from benchmarks.on_device_engine import build_artifact, build_rules
    from target import TargetClient

    rules = build_rules(1, lambda _: "flag", with_audience=True)
    for rule, is_on in zip(rules["flag"], (True, False), strict=True):
        rule["condition"]["and"][1] = {"==": ["gold", {"var": "mbox.member"}]}
        rule["consequence"]["options"][0]["content"] = {"on": is_on}
    return TargetClient.create(
        client="acme",
        organization_id="1234567890@AdobeOrg",
        decisioning_method="on-device",
        artifact_payload=build_artifact(rules),
        polling_interval=0,
        telemetry_enabled=domain is not None,
        server_domain=domain or "127.0.0.1:9",
        secure=False,
        edge_routing=False,
    )


def _asked(visitor: str, member: str) -> dict[str, Any]:
    mbox = {"name": "flag", "index": 1, "parameters": {"member": member}}
    return {"id": {"thirdPartyId": visitor}, "prefetch": {"mboxes": [mbox]}}


def get_offers(domain: str | None = None) -> Decide:
    client = _our_client(domain)

    def decide(visitor: str, member: str) -> bool:
        result = client.get_offers(request=_asked(visitor, member))
        options = result.options("flag")
        if result.target_cookie is None:
            raise RuntimeError("no cookie")
        return bool(options) and options[0].content["on"] is True

    return decide


def get_attributes(domain: str | None = None) -> Decide:
    client = _our_client(domain)

    def decide(visitor: str, member: str) -> bool:
        attributes = client.get_attributes(["flag"], request=_asked(visitor, member))
        return attributes.get_value("flag", "on", False) is True

    return decide


def paced(call: Callable[[], object], calls: int, rate: int) -> float:
    """The median of the seconds that each call takes when there are so many a second, and other work between them."""
    taken = []
    began = time.perf_counter()
    for number in range(calls):
        time.sleep(max(0.0, began + number / rate - time.perf_counter()))
        started = time.perf_counter()
        call()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def main() -> None:
    way, *where = sys.argv[1:]
    connected: list[object] = []
    if not where:
        # Nobody has to be asked: whoever tries to is refused, and that is told.
        socket.socket.connect = lambda _, address: connected.append(address) or _refuse()  # type: ignore
    decide: Decide = globals()[way](*where)
    numbers = itertools.count()

    def call() -> bool:
        return decide(f"visitor-{next(numbers)}", "gold")

    block = on_processor(call)
    for line in sys.stdin:
        asked = json.loads(line)
        match asked["do"]:
            case "try":
                answer: Any = [
                    sum(decide(f"v-{number}", member) for number in range(1000)) for member in ("gold", "no")
                ]
            case "calls":
                answer = block(asked["calls"])
            case "paced":
                answer = paced(call, asked["calls"], asked["rate"])
            case "versions":
                answer = {name: version(name) for name in asked["of"]}
            case "connected":
                answer = [str(address) for address in connected]
        print(json.dumps(answer), flush=True)


def _refuse() -> None:
    raise ConnectionRefusedError("peers are measured without a network")


if __name__ == "__main__":
    main()
