"""Histories of the published document, of our own making: what changes, and how the comparison says it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from tests.generation.published import Published

Edit = Callable[[Published], Any]


class History(NamedTuple):
    """A change of the published document, and the lines that tell of it."""

    edit: Edit
    lines: tuple[str, ...]


def field(schema: str, name: str, **keywords: Any) -> Edit:
    return lambda document: document.properties(schema).update({name: keywords})


def changed(schema: str, name: str, **keywords: Any) -> Edit:
    return lambda document: document.properties(schema)[name].update(keywords)


def renamed(schema: str, old: str, new: str, *, in_place: bool = False) -> Edit:
    def edit(document: Published) -> None:
        properties = document.properties(schema)
        if in_place:
            items = [(new if name == old else name, value) for name, value in properties.items()]
            properties.clear()
            properties.update(items)
        else:
            properties[new] = properties.pop(old)
        required = document.schemas[schema].get("required", [])
        required[:] = [new if name == old else name for name in required]

    return edit


def removed(schema: str, name: str) -> Edit:
    def edit(document: Published) -> None:
        del document.properties(schema)[name]
        required = document.schemas[schema].get("required", [])
        required[:] = [each for each in required if each != name]

    return edit


def all_of(*edits: Edit) -> Edit:
    return lambda document: [edit(document) for edit in edits]


def enum(schema: str, *values: str) -> Edit:
    return lambda document: document.schemas[schema].update(enum=list(values))


def schemas(**added: Any) -> Edit:
    return lambda document: document.schemas.update(added)


def schema_renamed(old: str, new: str) -> Edit:
    def edit(document: Published) -> None:
        document.schemas = json.loads(json.dumps(document.schemas).replace(f'"{old}"', f'"{new}"'))

    return edit


def parameter(**keywords: Any) -> Edit:
    return lambda document: document.operation["parameters"].append(keywords)


def version(**keywords: Any) -> Edit:
    return lambda document: document.operation["parameters"][2].update(keywords)


PLACE = {
    "type": "object",
    "required": ["id"],
    "properties": {
        "id": {"type": "string", "maxLength": 30},
        "radius": {"type": "integer", "minimum": 1},
        "mood": {"$ref": "Mood"},
        "moods": {"type": "array", "maxItems": 5, "items": {"$ref": "Mood"}},
        "around": {"type": "array", "items": {"$ref": "Place"}},
    },
}
MOOD = {"type": "string", "enum": ["good", "bad"]}
KNOT = {
    "type": "object",
    "properties": {
        "inner": {"$ref": "Knot"},
        "loop": {"$ref": "Loop"},
        "byName": {"type": "object", "additionalProperties": {"$ref": "Knot"}},
        "all": {"type": "array", "items": {"$ref": "Knot"}},
    },
}
LOOP = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}, "back": {"$ref": "Knot"}}}
POST = "POST /rest/v1/delivery"

HISTORIES = {
    "a new field": History(
        field("Geo", "timeZone", type="string", maxLength=40), ("added property Geo.timeZone (string, maxLength 40)",)
    ),
    "a new field of what is derived": History(
        field("MboxRequest", "weight", type="number", format="double", minimum=0, maximum=1),
        ("added property MboxRequest.weight (number double, minimum 0, maximum 1)",),
    ),
    "a new field that is required": History(
        all_of(
            field("Trace", "level", type="integer"),
            lambda document: document.schemas["Trace"]["required"].append("level"),
        ),
        ("added property Trace.level (integer, required)",),
    ),
    "a new enum value": History(enum("ChannelType", "mobile", "tv", "web"), ("added enum value tv of ChannelType",)),
    "enum values that YAML may misread": History(
        enum("ChannelType", "mobile", "web", "on", "3d", "null"),
        tuple(f"added enum value {value} of ChannelType" for value in ("on", "3d", "null")),
    ),
    "an enum value removed": History(
        enum("OptionType", "html", "json", "redirect", "actions"), ("removed enum value dynamic of OptionType",)
    ),
    "new schemas with references of their own": History(
        all_of(schemas(Place=PLACE, Mood=MOOD), field("Geo", "place", **{"$ref": "Place"})),
        (
            "added property Geo.place (Place)",
            "added schema Place (object of id, radius, mood, moods, around)",
            "added schema Mood (string, enum good, bad)",
        ),
    ),
    "new schemas that hold themselves": History(
        all_of(schemas(Knot=KNOT, Loop=LOOP), field("Geo", "knot", **{"$ref": "Knot"})),
        (
            "added property Geo.knot (Knot)",
            "added schema Knot (object of inner, loop, byName, all)",
            "added schema Loop (object of name, back)",
        ),
    ),
    "a changed limit": History(changed("Geo", "zip", maxLength=16), ("changed Geo.zip: maxLength 12 -> 16",)),
    "a limit more": History(
        changed("Browser", "host", maxLength=250), ("changed Browser.host: maxLength none -> 250",)
    ),
    "a limit less": History(
        lambda document: document.properties("Geo")["zip"].pop("maxLength"), ("changed Geo.zip: maxLength 12 -> none",)
    ),
    "a limit of a list": History(
        changed("VisitorId", "customerIds", maxItems=100), ("changed VisitorId.customerIds: maxItems 50 -> 100",)
    ),
    "a removed field": History(
        removed("Geo", "stateCode"), ("removed property Geo.stateCode (string, minLength 1, maxLength 3)",)
    ),
    "a removed field that was required": History(
        removed("CustomerId", "integrationCode"),
        ("removed property CustomerId.integrationCode (string, maxLength 50)",),
    ),
    "a renamed field": History(renamed("Geo", "zip", "postalCode"), ("renamed property Geo.zip -> postalCode",)),
    "a renamed field that is required": History(
        renamed("CustomerId", "integrationCode", "dataSource"),
        ("renamed property CustomerId.integrationCode -> dataSource",),
    ),
    "a mere text renamed in its place": History(
        renamed("Browser", "language", "languages", in_place=True), ("renamed property Browser.language -> languages",)
    ),
    "a renamed schema": History(schema_renamed("Product", "Item"), ("renamed schema Product -> Item",)),
    "a removed schema": History(
        lambda document: document.schemas.pop("ABTOrder"),
        ("removed schema ABTOrder (object of id, decisionStackId, total, time, productIds)",),
    ),
    "a removed schema that was in use": History(
        all_of(lambda document: document.schemas.pop("Window"), removed("Context", "window")),
        ("removed schema Window (object of width, height)", "removed property Context.window (Window)"),
    ),
    "required more": History(
        lambda document: document.schemas["Window"].update(required=["width"]), ("changed Window.width: required",)
    ),
    "required less": History(
        lambda document: document.schemas["Context"].pop("required"), ("changed Context.channel: no longer required",)
    ),
    "a new parameter": History(
        parameter(name="trace-id", **{"in": "query"}, schema={"type": "string", "maxLength": 10}),
        (f"added parameter {POST} query trace-id (string, maxLength 10)",),
    ),
    "a parameter of the path": History(
        lambda document: document.item.update(
            parameters=[{"name": "X-Region", "in": "header", "required": True, "schema": {"type": "string"}}]
        ),
        (f"added parameter {POST} header X-Region (string, required)",),
    ),
    "a parameter that became required": History(version(required=True), (f"changed {POST} query version: required",)),
    "a parameter of another type": History(
        version(schema={"type": "integer"}), (f"changed type of {POST} query version: string -> integer",)
    ),
    "a removed parameter": History(
        lambda document: document.operation["parameters"].pop(), (f"removed parameter {POST} query version (string)",)
    ),
    "a changed type": History(
        field("Geo", "latitude", type="string"), ("changed type of Geo.latitude: number float -> string",)
    ),
    "a changed format": History(
        changed("MboxRequest", "index", format="int64"), ("changed MboxRequest.index: format int32 -> int64",)
    ),
    "another reference": History(
        field("Context", "screen", **{"$ref": "Window"}), ("changed type of Context.screen: Screen -> Window",)
    ),
    "one that became many": History(
        field("Context", "screen", type="array", maxItems=3, items={"$ref": "Screen"}),
        ("changed type of Context.screen: Screen -> array of Screen, maxItems 3",),
    ),
    "items of another type": History(
        changed("Notification", "tokens", items={"type": "integer"}),
        ("changed type of Notification.tokens[]: string -> integer",),
    ),
    "an enum written in place": History(
        field("Geo", "precision", type="string", enum=["city", "street"]),
        ("added property Geo.precision (string, enum city, street)",),
    ),
    "an object written in place": History(
        field("Geo", "box", type="object", required=["north"], properties={"north": {"type": "number"}}),
        ("added property Geo.box (object of north)",),
    ),
    "null": History(changed("Geo", "city", nullable=True), ("changed Geo.city: nullable none -> true",)),
    "null of a reference": History(
        field("Context", "geo", allOf=[{"$ref": "Geo"}], nullable=True),
        ("changed Context.geo: nullable none -> true",),
    ),
    "a keyword beside a reference": History(
        changed("Context", "geo", deprecated=True), ("changed Context.geo: deprecated none -> true",)
    ),
    "a keyword beside a reference of items": History(
        changed("VisitorId", "customerIds", items={"$ref": "CustomerId", "nullable": True}),
        ("changed VisitorId.customerIds[]: nullable none -> true",),
    ),
    "one of several": History(
        field("Geo", "region", oneOf=[{"type": "string"}, {"$ref": "Window"}]),
        ("added property Geo.region (one of (string | Window))",),
    ),
    "one more of several": History(
        lambda document: document.properties("Option")["content"]["oneOf"].append({"type": "number"}),
        (
            "changed type of Option.content: one of (string | object | array of anything) -> "
            "one of (string | object | array of anything | number)",
        ),
    ),
    "a base more": History(
        lambda document: document.schemas.update(Window={"allOf": [{"$ref": "Screen"}, document.schemas["Window"]]}),
        ("added base Screen of Window",),
    ),
    "an answer more": History(
        lambda document: document.operation["responses"].update(
            {400: {"description": "x", "content": {"application/json": {"schema": {"$ref": "UnexpectedError"}}}}}
        ),
        (f"added response {POST} response 400 (UnexpectedError)",),
    ),
    "another path": History(
        lambda document: setattr(document, "path", "/rest/v2/delivery"),
        (f"renamed operation {POST} -> POST /rest/v2/delivery",),
    ),
    "many at once": History(
        all_of(
            field("Geo", "timeZone", type="string"),
            changed("Geo", "zip", maxLength=16),
            removed("Geo", "stateCode"),
            schema_renamed("Product", "Item"),
            enum("ChannelType", "mobile", "web", "tv"),
        ),
        (
            "renamed schema Product -> Item",
            "added enum value tv of ChannelType",
            "added property Geo.timeZone (string)",
            "changed Geo.zip: maxLength 12 -> 16",
            "removed property Geo.stateCode (string, minLength 1, maxLength 3)",
        ),
    ),
}

#: What is not surely the same is not called renamed.
UNSURE = {
    "two went and two came": all_of(
        renamed("Address", "url", "page"),
        renamed("Address", "referringUrl", "before"),
    ),
    "a mere text for another": all_of(removed("Browser", "language"), field("Browser", "timezone", type="string")),
    "the last text for another": all_of(
        removed("Browser", "webGLRenderer"), field("Browser", "timezone", type="string")
    ),
    "another limit": all_of(removed("Geo", "zip"), field("Geo", "zipCode", type="string", maxLength=13)),
    "no longer required": all_of(
        removed("CustomerId", "integrationCode"), field("CustomerId", "dataSource", type="string", maxLength=50)
    ),
    "a schema that is used elsewhere": all_of(
        schema_renamed("Product", "Item"), field("RequestDetails", "product", type="string")
    ),
    "a parameter for another": lambda document: document.operation["parameters"][2].update(name="client"),
    "a number like many": all_of(removed("Window", "height"), field("Window", "dpi", type="number", format="double")),
}


def _reordered(document: Published) -> None:
    """Everything in another order, as far as order says nothing."""

    def turned(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: turned(value) for key, value in reversed(node.items())}
        if isinstance(node, list):
            return [turned(item) for item in reversed(node)]
        return node

    document.schemas = turned(document.schemas)
    document.item = turned(document.item)


def _other_words(document: Published) -> None:
    """Other descriptions, summaries, titles and examples, in every place."""

    def said(node: Any) -> None:
        if isinstance(node, dict):
            if "type" in node and isinstance(node["type"], str):
                node.update(description="Other words.", title="T", example=1, externalDocs={"url": "https://e.example"})
                node["x-vendor"] = {"any": "thing"}
            for value in list(node.values()):
                said(value)
        elif isinstance(node, list):
            for value in node:
                said(value)

    said(document.schemas)
    document.operation.update(summary="S", description="D", tags=["Delivery API"], operationId="other")


def _in_other_forms(document: Published) -> None:
    """The same said in other ways: 3.1's null and const, `allOf` taken apart, defaults spelt out."""
    window = document.schemas["Window"]
    document.schemas["Window"] = {
        "allOf": [{"properties": window["properties"]}, {"type": "object"}],
        "nullable": False,
    }
    mbox = document.schemas["MboxRequest"]
    own = mbox["allOf"][1]
    document.schemas["MboxRequest"] = {
        "allOf": mbox["allOf"][:1],
        "properties": own["properties"],
        "required": mbox["required"],
    }
    document.properties("Geo")["city"].update(minLength=0, deprecated=False)
    document.properties("Geo")["zip"].update(maxLength=12.0)
    document.properties("Context")["geo"] = {"oneOf": [{"$ref": "Geo"}]}
    document.schemas["ResponseTokens"].pop("type")


#: Changes that change nothing.
NOTHING: dict[str, Edit] = {
    "the same": lambda document: None,
    "another order": _reordered,
    "other words": _other_words,
    "other forms": _in_other_forms,
    "the limit that the other document has": changed("VisitorId", "thirdPartyId", maxLength=256),
    "a deviation that is no longer needed": lambda document: document.schemas["MboxRequest"].pop("required"),
}
