"""Frames of visitors of all types, and what a client that decides one row after the other says of them."""

from __future__ import annotations

import datetime
import decimal
import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pyarrow as pa
from hypothesis import strategies as st

from target.batch.sources import IDS
from target.decisioning.allocation import allocation_of, visitor_of
from target.decisioning.artifact import Artifact, parse_artifact
from target.decisioning.decide import decide
from target.decisioning.outcomes import as_id
from target.delivery.wire_form import tidy_request, write_request
from target.errors import OptionsError
from tests.kit.explained import ARTIFACTS, var
from tests.kit.rules import FIREFOX, NOW_S, build_offer

CLIENT = "acme"
MBOXES = ("hero", "quiet")
COLUMNS = (
    *("visitor", "mbox", "status", "activity_id", "activity_name", "experience_id", "experience_name"),
    *("option_id", "option_name", "option_type", "content", "bucket", "rule_key", "error"),
)


class Frame(NamedTuple):
    """Rows as an Arrow batch, and as what a caller of a client would write.

    Attributes:
        batch: The batch.
        rows: Values by column.
        options: What tells a BatchDecider of its columns.
    """

    batch: Any
    rows: list[dict[str, Any]]
    options: dict[str, Any]


def expect_rows(
    artifact: Artifact, frame: Frame, mboxes: tuple[str, ...], token: str | None, now_s: float
) -> Iterator[dict[str, Any]]:
    """What each row is to be answered with; ``error`` is only whether there is one."""
    for row in frame.rows:
        for index, name in enumerate(mboxes):
            yield _expect(artifact, _request(row, frame.options, name, index), name, token, now_s)


def _request(row: Mapping[str, Any], options: Mapping[str, Any], mbox: str, index: int) -> dict[str, Any]:
    """What a caller who has this row would ask a client."""
    places = {"country": "countryCode", "state": "stateCode"}
    address = options.get("address") or {}
    context: dict[str, Any] = {
        "geo": {places.get(name, name): row[column] for name, column in (options.get("geo") or {}).items()},
        "address": {{"referring_url": "referringUrl"}.get(name, name): row[column] for name, column in address.items()},
    }
    if options.get("user_agent"):
        context["userAgent"] = row[options["user_agent"]]
    parameters = {name: row[column] for name, column in (options.get("parameters") or {}).items()}
    return {
        "id": {IDS[name]: row[column] for name, column in options["id_columns"].items()},
        "context": {"channel": "web", **context},
        "execute": {"mboxes": [{"index": index, "name": mbox, "parameters": parameters}]},
    }


def _expect(artifact: Artifact, request: dict[str, Any], mbox: str, token: str | None, now_s: float) -> dict[str, Any]:
    told: dict[str, Any] = {**dict.fromkeys(COLUMNS), "mbox": mbox, "error": False}
    try:
        body = write_request(request)
    except OptionsError:
        return {**told, "error": True}
    tidy_request(body)
    visitor = visitor_of(body.get("id", {}))
    if visitor is None:
        return {**told, "error": True}
    if token is not None:
        body["property"] = {"token": token}
    decision = decide(body, artifact, client=CLIENT, now_s=now_s, new_id=lambda: "new")
    told["visitor"] = visitor
    if not decision.shown:
        tokens = [gap.property_tokens for gap in artifact.mboxes[mbox].gaps]
        is_gap = any(each is None or token in each for each in tokens) and mbox not in artifact.remote_mboxes
        told["status"] = "default" if not decision.remote_mboxes else "undecidable" if is_gap else "remote"
        return told
    rule = decision.shown[0][3]
    options = decision.response["execute"]["mboxes"][0]["options"]
    option = options[0] if options else {}
    meta = rule.meta
    return {
        **told,
        "status": "decided",
        "activity_id": rule.activity_id,
        "activity_name": as_id(meta.get("activity.name")),
        "experience_id": as_id(meta.get("experience.id")),
        "experience_name": as_id(meta.get("experience.name")),
        "option_id": as_id(meta.get("option.id")),
        "option_name": as_id(meta.get("option.name")),
        "option_type": option.get("type"),
        "content": _text(option.get("content")),
        "bucket": allocation_of(CLIENT, rule.activity_id, visitor),
        "rule_key": rule.key,
    }


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def as_told(batch: Any) -> list[dict[str, Any]]:
    """An output's rows; of an error only whether there is one, and then not whose row it is."""
    rows = [{**row, "error": row["error"] is not None} for row in batch.to_pylist()]
    return [{**row, "visitor": None} if row["error"] else row for row in rows]


_TEXTS = st.sampled_from(["gold", "Gold", "GOLD", "red", "", " ", "120", "0x10", "é", "\U0001f600", "a.b", None])
_IDS = st.one_of(
    st.sampled_from(["8d2f0c31.38_0", "b", ".c", "d.", "", " ", "\u2003", "\x1f", "ü.ber", "\U0001f600", "a\nb", None]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=4),
    st.uuids().map(str),
)
_SPELLINGS = [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())]
_MOMENTS = st.datetimes(datetime.datetime(1970, 1, 1), datetime.datetime(2100, 1, 1))


def _spelt(values: st.SearchStrategy[Any]) -> list[tuple[Any, st.SearchStrategy[Any]]]:
    return [(kind, values) for kind in _SPELLINGS]


_NULL = [(pa.null(), st.none())]
_OF_TEXT = _spelt(_TEXTS) + _NULL
_OF_ID = [*_spelt(_IDS), (pa.int64(), st.one_of(st.none(), st.integers(-5, 2**62))), *_NULL]
_OF_NUMBER = [
    (pa.int32(), st.one_of(st.none(), st.integers(-200, 200))),
    (pa.uint64(), st.one_of(st.none(), st.integers(0, 2**64 - 1))),
    (pa.float64(), st.one_of(st.none(), st.floats())),
    (pa.float32(), st.one_of(st.none(), st.floats(width=32))),
]
_OF_PARAMETER = [
    *_OF_TEXT,
    *_OF_NUMBER,
    (pa.bool_(), st.one_of(st.none(), st.booleans())),
    (pa.decimal128(9, 2), st.one_of(st.none(), st.decimals(-9999, 9999, places=2).map(decimal.Decimal))),
    (pa.date32(), st.one_of(st.none(), st.dates())),
    (pa.timestamp("us"), st.one_of(st.none(), _MOMENTS)),
    (
        pa.timestamp("ms", "UTC"),
        st.one_of(st.none(), _MOMENTS.map(lambda at: at.replace(microsecond=0, tzinfo=datetime.UTC))),
    ),
    (pa.dictionary(pa.int32(), pa.float64()), st.one_of(st.none(), st.floats())),
]
_URLS = st.sampled_from(["https://stage.example.com/Sale?campaign=a", "https://s", "", " ", "no address", None])
_PLACES = st.sampled_from(["US", "us", "San Francisco", "SANFRANCISCO", "BERN", "", None])
_BROWSERS = st.sampled_from([FIREFOX, "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X)", "", None])
_FIELDS: dict[str, list[tuple[Any, st.SearchStrategy[Any]]]] = {
    "tnt_id": _OF_ID,
    "third_party_id": _OF_ID,
    "marketing_cloud_visitor_id": _OF_ID,
    "level": _OF_PARAMETER,
    "total": _OF_PARAMETER,
    "level_lc": _OF_PARAMETER,
    "favourite": _OF_PARAMETER,
    "favourite.colour": _OF_PARAMETER,
    "favourite.colour.dark": _OF_PARAMETER,
    ".odd": _OF_PARAMETER,
    "url": _spelt(_URLS) + _NULL,
    "referring_url": _spelt(_URLS),
    "country": _spelt(_PLACES) + _NULL,
    "city": _spelt(_PLACES),
    "latitude": _OF_NUMBER,
    "user_agent": _spelt(_BROWSERS),
}
_ID_FIELDS = ("tnt_id", "third_party_id", "marketing_cloud_visitor_id")
_PARAMETER_FIELDS = ("level", "total", "level_lc", "favourite", "favourite.colour", "favourite.colour.dark", ".odd")


def _prefixed(name: str) -> str:
    return f"column of {name}"


@st.composite
def _frames(draw: st.DrawFn) -> Frame:
    ids = draw(st.lists(st.sampled_from(_ID_FIELDS), min_size=1, unique=True))
    others = draw(st.lists(st.sampled_from([name for name in _FIELDS if name not in ids]), unique=True))
    count = draw(st.integers(0, 6))
    names = [*ids, *(name for name in others if name not in _ID_FIELDS)]
    arrays, values = {}, {}
    for name in names:
        kind, items = draw(st.sampled_from(_FIELDS[name]))
        before, after = draw(st.integers(0, 2)), draw(st.integers(0, 1))
        given = draw(st.lists(items, min_size=before + count + after, max_size=before + count + after))
        array = pa.array(given, kind).slice(before, count)
        arrays[_prefixed(name)], values[_prefixed(name)] = array, array.to_pylist()
    batch = pa.RecordBatch.from_arrays(list(arrays.values()), names=list(arrays))
    rows = [{column: items[number] for column, items in values.items()} for number in range(count)]
    options: dict[str, Any] = {
        "id_columns": {name: _prefixed(name) for name in ids},
        "parameters": {name: _prefixed(name) for name in names if name in _PARAMETER_FIELDS},
        "address": {name: _prefixed(name) for name in names if name in ("url", "referring_url")},
        "geo": {name: _prefixed(name) for name in names if name in ("country", "city", "latitude")},
        "user_agent": _prefixed("user_agent") if "user_agent" in names else None,
    }
    return Frame(batch, rows, options)


_MORE = st.sampled_from(
    [
        {"==": ["red", var("mbox.favourite.colour_lc")]},
        {"in": ["gold", var("mbox.favourite")]},
        {"==": [120, var("mbox.total")]},
        {"==": ["gold", var("mbox.level_lc")]},
        {"in": [var("mbox.favourite.colour.dark"), ["red", 1, True, "2020-01-01"]]},
        {"or": [{"<": [50, var("allocation")]}, {"==": ["gold", var("mbox.level")]}]},
        {"and": [{"<=": [var("allocation"), 70]}, {"!": {"==": ["", var("mbox.level")]}}]},
        {"<": [var("geo.latitude"), 10]},
        var(""),
        var("mbox"),
        {"in": ["gold", {"var": ["mbox.total", "golden"]}]},
    ]
)
_CONTENTS = st.sampled_from(
    ["plain", "${mbox.level} of ${campaign.id}", "${favourite.colour}", "${mbox.name} ${index}", "${x}"]
)
_OWN_RULES = st.lists(
    st.builds(
        lambda condition, activity, content: build_offer(condition, activity, {"type": "html", "content": content}),
        _MORE,
        st.integers(1, 3),
        _CONTENTS,
    ),
    max_size=3,
)


def _with_rules(artifact: dict[str, Any], rules: list[dict[str, Any]]) -> dict[str, Any]:
    mboxes = artifact["rules"]["mboxes"]
    mboxes["hero"] = [*rules, *mboxes.get("hero", [])]
    mboxes.setdefault("quiet", [])
    return artifact


#: An artifact, a frame, and the token of a property.
CASES = st.tuples(st.builds(_with_rules, ARTIFACTS, _OWN_RULES), _frames(), st.sampled_from([None, "p", "other"]))


def expected(
    artifact: Mapping[str, Any], frame: Frame, token: str | None, now_s: float = NOW_S
) -> list[dict[str, Any]]:
    """The same of an artifact as JSON, for the mboxes of ``MBOXES``."""
    return list(expect_rows(parse_artifact(artifact), frame, MBOXES, token, now_s))
