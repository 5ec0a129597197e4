"""The emulator refuses what the API refuses, with the API's status and message shape, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from target.emulator.validation import find_problem, parse_body
from tests.generation.spec import SCHEMAS, target

QUERY = {"imsOrgId": "acme@AdobeOrg", "sessionId": "session-1"}
WEB = {"context": {"channel": "web"}}
NOTIFICATION = {"id": "n1", "type": "display", "timestamp": 1}


def mboxes(*entries: Any) -> dict[str, Any]:
    return WEB | {"execute": {"mboxes": list(entries)}}


def mbox(**fields: Any) -> dict[str, Any]:
    return mboxes({"name": "home"} | fields)


def notification(**fields: Any) -> dict[str, Any]:
    return WEB | {"notifications": [NOTIFICATION | fields]}


def context(**fields: Any) -> dict[str, Any]:
    return {"context": {"channel": "web"} | fields}


def visitor(**fields: Any) -> dict[str, Any]:
    return WEB | {"id": fields}


def analytics(**fields: Any) -> dict[str, Any]:
    return WEB | {"experienceCloud": {"analytics": fields}}


REFUSED: list[tuple[Any, str]] = [
    ([], "body must be an object"),
    (None, "body must be an object"),
    ("text", "body must be an object"),
    ({}, "context must not be null"),
    ({"context": None}, "context must not be null"),
    ({"context": []}, "context must be an object"),
    ({"context": {}}, "context.channel must not be null"),
    ({"context": {"channel": "tv"}}, "context.channel must be one of mobile, web"),
    (context(beacon="yes"), "context.beacon must be true or false"),
    (context(geo={"ipAddress": "1.2.3"}), "context.geo.ipAddress must be an IP address"),
    (context(geo={"ipAddress": 1}), "context.geo.ipAddress must be an IP address"),
    (context(geo={"countryCode": "CHE"}), "context.geo.countryCode size must be between 2 and 2"),
    (context(mobilePlatform={"deviceType": "phone"}), "context.mobilePlatform.platformType must not be null"),
    (context(address={"url": "x" * 4097}), "context.address.url size must be between 0 and 4096"),
    (WEB | {"requestId": "x" * 129}, "requestId size must be between 0 and 128"),
    (WEB | {"environmentId": 1.5}, "environmentId must be an integer"),
    (WEB | {"environmentId": True}, "environmentId must be an integer"),
    (WEB | {"environmentId": 2**63}, f"environmentId must be less than or equal to {2**63 - 1}"),
    (WEB | {"property": {}}, "property.token must not be null"),
    (WEB | {"trace": {}}, "trace.authorizationToken must not be null"),
    (visitor(tntId="x" * 129), "id.tntId size must be between 0 and 128"),
    (visitor(tntId="a.b.c"), "id.tntId must have no dot but the one before its cluster"),
    (visitor(thirdPartyId="x" * 257), "id.thirdPartyId size must be between 0 and 256"),
    (visitor(marketingCloudVisitorId="x" * 129), "id.marketingCloudVisitorId size must be between 0 and 128"),
    (visitor(marketingCloudVisitorId=5), "id.marketingCloudVisitorId must be a string"),
    (visitor(customerIds=[{"id": "1"}]), "id.customerIds[0].integrationCode must not be null"),
    (
        visitor(customerIds=[{"id": "1", "integrationCode": "crm", "authenticatedState": 1}]),
        "id.customerIds[0].authenticatedState must be one of unknown, authenticated, logged_out",
    ),
    (visitor(customerIds=[None] * 51), "id.customerIds size must be between 0 and 50"),
    (mboxes(*[{"name": "home"}] * 51), "execute.mboxes size must be between 0 and 50"),
    (WEB | {"prefetch": {"mboxes": [{"name": "m"}] * 51}}, "prefetch.mboxes size must be between 0 and 50"),
    (WEB | {"execute": {"mboxes": {}}}, "execute.mboxes must be a list"),
    (mboxes(None), "execute.mboxes[0] must not be null"),
    (mboxes("home"), "execute.mboxes[0] must be an object"),
    (mboxes({"index": 1}), "execute.mboxes[0].name must not be null"),
    (mbox(name=" "), "execute.mboxes[0].name must not be blank"),
    (mbox(name="x" * 251), "execute.mboxes[0].name size must be between 0 and 250"),
    (mbox(name="buy-clicked"), "execute.mboxes[0].name must not end with -clicked"),
    (mbox(index="1"), "execute.mboxes[0].index must be an integer"),
    (mbox(index=2**31), f"execute.mboxes[0].index must be less than or equal to {2**31 - 1}"),
    (mbox(parameters=[]), "execute.mboxes[0].parameters must be an object"),
    (mbox(parameters={"a": 1}), "execute.mboxes[0].parameters.a must be a string"),
    (mbox(parameters={"a": None}), "execute.mboxes[0].parameters.a must not be null"),
    (mbox(parameters={"a": "x" * 5001}), "execute.mboxes[0].parameters.a size must be between 0 and 5000"),
    (mbox(parameters={"": "x"}), "execute.mboxes[0].parameters name must not be blank"),
    (mbox(parameters={"x" * 129: "x"}), "execute.mboxes[0].parameters name size must be between 0 and 128"),
    (mbox(parameters={"profile.a": "x"}), "execute.mboxes[0].parameters name must not start with profile."),
    (
        mbox(parameters={"orderId": "x"}),
        "execute.mboxes[0].parameters name must not be orderId, which is reserved; use order",
    ),
    (
        mbox(parameters={str(number): "x" for number in range(51)}),
        "execute.mboxes[0].parameters size must be between 0 and 50",
    ),
    (mbox(profileParameters={"a": []}), "execute.mboxes[0].profileParameters.a must be a string"),
    (mbox(order={"total": -1}), "execute.mboxes[0].order.total must be greater than or equal to 0"),
    (mbox(order={"total": "1"}), "execute.mboxes[0].order.total must be a number"),
    (mbox(order={"time": "noon"}), "execute.mboxes[0].order.time must be a date and time in ISO 8601"),
    (mbox(order={"time": 5}), "execute.mboxes[0].order.time must be a date and time in ISO 8601"),
    (
        mbox(order={"purchasedProductIds": ["x" * 60] * 6}),
        "execute.mboxes[0].order.purchasedProductIds size must be between 0 and 250",
    ),
    (mbox(product={"categoryId": "x" * 129}), "execute.mboxes[0].product.categoryId size must be between 0 and 128"),
    (WEB | {"prefetch": {"views": [{"name": "x" * 129}]}}, "prefetch.views[0].name size must be between 0 and 128"),
    (WEB | {"prefetch": {"views": [{"key": "x" * 513}]}}, "prefetch.views[0].key size must be between 0 and 512"),
    (WEB | {"execute": {"pageLoad": []}}, "execute.pageLoad must be an object"),
    (WEB | {"notifications": [{}]}, "notifications[0].id must not be null"),
    (notification(id=5), "notifications[0].id must be a string"),
    (notification(id="x" * 201), "notifications[0].id size must be between 0 and 200"),
    (notification(type=None), "notifications[0].type must not be null"),
    (notification(type="hover"), "notifications[0].type must be one of click, display"),
    (notification(timestamp="now"), "notifications[0].timestamp must be an integer"),
    (notification(impressionId="x" * 129), "notifications[0].impressionId size must be between 0 and 128"),
    (notification(tokens="abc"), "notifications[0].tokens must be a list"),
    (notification(mbox={"name": ""}), "notifications[0].mbox.name must not be blank"),
    (notification(mbox={"name": "m"}, view={"name": "v"}), "notifications[0] must not have both mbox and view"),
    (notification(mobx={"name": "m"}), "notifications[0].mobx is not a known field"),
    (
        WEB | {"notifications": [NOTIFICATION, NOTIFICATION | {"type": "x"}]},
        "notifications[1].type must be one of click, display",
    ),
    (analytics(supplementalDataId="ab"), "experienceCloud.analytics.supplementalDataId size must be between 33 and 33"),
    (
        analytics(supplementalDataId="x" * 33),
        "experienceCloud.analytics.supplementalDataId must be two times 16 hexadecimal digits with a dash",
    ),
    (analytics(logging="both"), "experienceCloud.analytics.logging must be one of server_side, client_side"),
    (
        WEB | {"experienceCloud": {"audienceManager": {"locationHint": 0}}},
        "experienceCloud.audienceManager.locationHint must be greater than or equal to 1",
    ),
    (
        WEB | {"qaMode": {"previewIndexes": [{"activityIndex": 0}]}},
        "qaMode.previewIndexes[0].activityIndex must be greater than or equal to 1",
    ),
    (WEB | {"telemetry": {"entries": [{"mode": "far"}]}}, "telemetry.entries[0].mode must be one of edge, local"),
]


@pytest.mark.parametrize(("body", "problem"), REFUSED, ids=[problem for _, problem in REFUSED])
def test_a_broken_rule_is_a_400_in_the_shape_of_the_api(body: Any, problem: str, emulator: Any, post: Any) -> None:
    response = post(emulator, body)
    assert response.status == 400
    assert response.json() == {"status": 400, "message": f"Invalid request: {problem}"}
    assert emulator.notifications == []


SESSION = "sessionId must be printable ASCII without space ? / { }"


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ({"sessionId": "s"}, "imsOrgId must not be null"),
        ({"sessionId": "s", "imsOrgId": ""}, "imsOrgId must not be null"),
        ({"imsOrgId": "o"}, "sessionId must not be null"),
        ({"imsOrgId": "o", "sessionId": ""}, "sessionId size must be between 1 and 128"),
        ({"imsOrgId": "o", "sessionId": "x" * 129}, "sessionId size must be between 1 and 128"),
        *[({"imsOrgId": "o", "sessionId": f"a{character}b"}, SESSION) for character in " ?/{}\té\x7f"],
    ],
)
def test_a_broken_query_is_a_400(query: dict[str, str], problem: str, emulator: Any, post: Any) -> None:
    response = post(emulator, WEB, query)
    assert (response.status, response.json()["message"]) == (400, f"Invalid request: {problem}")


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b"NaN", b'{"a":1e999}', b"[" * 100_000, b"1" * 5000])
def test_a_body_that_is_not_json_is_a_400(raw: bytes, emulator: Any, post: Any) -> None:
    response = post(emulator, raw)
    assert response.status == 400
    assert response.json()["message"].startswith("Invalid request: body is not JSON (")
    assert emulator.received[0].body is None


@pytest.mark.parametrize(
    "body",
    [
        WEB,
        WEB | {"execute": None, "prefetch": None, "notifications": None, "id": None, "trace": None},
        WEB | {"execute": {"pageLoad": {}}, "prefetch": {"views": [{}]}},
        WEB | {"anythingNew": {"is": ["ignored"]}},
        mboxes(*[{"name": "home"}] * 50),
        mbox(parameters={str(number): "x" * 5000 for number in range(50)}),
        mbox(order={"purchasedProductIds": ["x" * 60] * 5, "time": "2024-02-29T12:00:00.000Z", "total": 0}),
        visitor(tntId="0123456789abcdef.38_0"),
        visitor(tntId="0123456789abcdef"),
        context(geo={"ipAddress": " 2001:db8::1 "}, channel="mobile"),
        analytics(supplementalDataId="0123456789ABCDEF-0123456789abcdef"),
        notification(mbox={"name": "home", "state": "s"}, tokens=["t"], order={"id": "1"}),
    ],
)
def test_a_valid_request_has_no_problem(body: Any) -> None:
    assert find_problem(QUERY, body) is None


def test_the_documented_curl_calls_name_the_client_instead_of_the_organization() -> None:
    assert find_problem({"client": "acme", "sessionId": "a#1"}, WEB) is None


def test_json_is_read_as_it_is() -> None:
    assert parse_body(b'{"a": [1, 2.5, null, "\\ud800"]}') == {"a": [1, 2.5, None, "\ud800"]}


# Every limit of the API's document, one by one, so that none is forgotten by the emulator.

Wrap = Callable[[Any], Any]
OWN_FORMAT = ("supplementalDataId", "ipAddress", "time")


def flat(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with references resolved and `allOf` merged."""
    if "$ref" in schema:
        return flat(SCHEMAS[schema["$ref"].rpartition("/")[2]])
    merged = {key: value for key, value in schema.items() if key != "allOf"}
    for part in schema.get("allOf", []):
        resolved = flat(part)
        merged = resolved | merged | {"properties": resolved.get("properties", {}) | merged.get("properties", {})}
    return merged


def minimal(schema: dict[str, Any]) -> Any:
    schema = flat(schema)
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "object")
    if kind == "object":
        least = {key: minimal(schema["properties"][key]) for key in schema.get("required", [])}
        if {"name", "index"} <= set(schema.get("properties", {})):  # an mbox without a name is refused
            least["name"] = "home"
        return least
    simple = {"string": "x" * schema.get("minLength", 1), "array": [], "boolean": True}
    return simple.get(kind, schema.get("minimum", 1))


def bad_values(schema: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    kind = schema.get("type", "object")
    yield "type", [] if kind in ("object", "string") else "x"
    if "enum" in schema:
        yield "enum", "bogus"
    if "maxLength" in schema:
        yield "maxLength", "x" * (schema["maxLength"] + 1)
    if schema.get("minLength"):
        yield "minLength", "x" * (schema["minLength"] - 1)
    if "minimum" in schema:
        yield "minimum", schema["minimum"] - 1
    if "maximum" in schema:
        yield "maximum", schema["maximum"] + 1
    if schema.get("format") in ("int32", "int64"):
        yield schema["format"], 2 ** (int(schema["format"][3:]) - 1)
    if "maxItems" in schema:
        yield "maxItems", [minimal(schema["items"])] * (schema["maxItems"] + 1)
    if "maxProperties" in schema:
        yield "maxProperties", {f"p{number}": "x" for number in range(schema["maxProperties"] + 1)}
    if isinstance(schema.get("additionalProperties"), dict) and schema["additionalProperties"].get("type") == "string":
        yield "additionalProperties", {"p": 1}
    for key in schema.get("required", []):
        yield f"required {key}", {other: value for other, value in minimal(schema).items() if other != key}


def nested(wrap: Wrap, parent: dict[str, Any], key: str, value: Any) -> Any:
    return wrap(parent | {key: value})


def walk(
    schema: dict[str, Any], path: str, wrap: Wrap, above: tuple[str, ...] = ()
) -> Iterator[tuple[str, dict[str, Any], Wrap]]:
    """Every place of a document. What holds itself is shown once within itself, and not walked through again."""
    name, _ = target(schema)
    is_seen, above = name in above, (*above, name) if name else above
    schema = flat(schema)
    if path:
        yield path, schema, wrap
    if is_seen:
        return
    for key, part in schema.get("properties", {}).items():
        least = minimal(schema) | ({} if path else WEB)
        yield from walk(part, f"{path}.{key}".lstrip("."), partial(nested, wrap, least, key), above)
    if "items" in schema:
        yield from walk(schema["items"], f"{path}[0]", lambda value: wrap([value]), above)


PLACES = list(walk(SCHEMAS["DeliveryRequest"], "", lambda value: value))
BAD = [(path, rule, wrap(value)) for path, schema, wrap in PLACES for rule, value in bad_values(schema)]


def test_every_limit_of_the_document_is_checked() -> None:
    assert len(BAD) > 300
    passed = [f"{path}: {rule}" for path, rule, body in BAD if find_problem(QUERY, body) is None]
    assert passed == []
    misnamed = [
        (path, problem)
        for path, _, body in BAD
        if (problem := find_problem(QUERY, body)) and not problem.startswith(f"Invalid request: {path}")
    ]
    assert misnamed == []


def test_the_longest_text_the_document_allows_is_accepted() -> None:
    longest = [
        (path, wrap("x" * schema["maxLength"]))
        for path, schema, wrap in PLACES
        if "maxLength" in schema and not path.endswith(OWN_FORMAT)
    ]
    assert len(longest) > 50
    assert [(path, problem) for path, body in longest if (problem := find_problem(QUERY, body))] == []
