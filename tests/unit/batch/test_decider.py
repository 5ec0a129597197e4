"""BatchDecider: the same answers as a client, row by row."""

from __future__ import annotations

import datetime
import json
import pickle
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given

from target import ArtifactError, OptionsError, TargetClient
from target.batch import BatchDecider
from target.decisioning import artifact as artifacts
from tests.kit.batches import CASES, CLIENT, COLUMNS, MBOXES, Frame, as_told, expected
from tests.kit.explained import var
from tests.kit.rules import NOW_S, build_artifact, build_offer, build_rule

HALVES = [
    build_rule({"and": [{"<=": [0, var("allocation")]}, {"<=": [var("allocation"), 49.99]}]}, 1, ruleKey="low"),
    build_rule({"==": ["gold", var("mbox.level")]}, 2, ruleKey="gold"),
]
OPTIONS: dict[str, Any] = {"mboxes": ["hero"], "client": CLIENT, "id_columns": {"tnt_id": "id"}, "at": NOW_S}


def decide(artifact: Any, columns: dict[str, Any], **options: Any) -> list[dict[str, Any]]:
    decided: list[dict[str, Any]] = BatchDecider(artifact, **{**OPTIONS, **options})(
        pa.record_batch(columns)
    ).to_pylist()
    return decided


@given(case=CASES)
def test_the_same_as_a_client(case: tuple[dict[str, Any], Frame, str | None]) -> None:
    artifact, frame, token = case
    decider = BatchDecider(artifact, mboxes=MBOXES, client=CLIENT, property_token=token, at=NOW_S, **frame.options)
    decided = decider(frame.batch)
    decided.validate(full=True)
    assert decided.schema == decider.schema
    for told, wanted in zip(as_told(decided), expected(artifact, frame, token), strict=True):
        assert told == wanted


def test_the_same_as_a_real_client() -> None:
    artifact = build_artifact(*HALVES)
    ids = [f"visitor-{number}" for number in range(60)]
    levels = ["gold", "red", None] * 20
    rows = decide(artifact, {"id": ids, "level": levels}, parameters={"level": "level"})
    with TargetClient.create(
        client=CLIENT, organization_id="org", decisioning_method="on-device", artifact_payload=artifact, offline=True
    ) as client:
        for row, visitor, level in zip(rows, ids, levels, strict=True):
            asked = {"name": "hero", "parameters": {"level": level}}
            result = client.get_offers(request={"id": {"tntId": visitor}, "prefetch": {"mboxes": [asked]}})
            (part,) = result.meta.decisions
            assert (row["activity_id"], row["content"]) == (part.activity_id, result.content("hero"))
    assert {row["rule_key"] for row in rows} == {"low", "gold", None}


def test_columns_and_their_order() -> None:
    decider = BatchDecider(build_artifact(), **{**OPTIONS, "mboxes": ["quiet", "hero"]})
    decided = decider(pa.record_batch({"id": ["a", "b"]}))
    assert tuple(decider.schema.names) == COLUMNS
    assert [(row["visitor"], row["mbox"]) for row in decided.to_pylist()] == [
        ("a", "quiet"),
        ("a", "hero"),
        ("b", "quiet"),
        ("b", "hero"),
    ]


def test_ids_come_from_the_rule_and_tokens_on_request() -> None:
    meta = {"activity.name": "Sale", "experience.id": 3, "experience.name": "Red", "option.id": 7, "option.name": "Big"}
    artifact = build_artifact(build_rule(True, 5, meta=meta), responseTokens=["activity.name", "geo.city"])
    columns = {"id": ["a", "b", "c"], "city": ["BERN", None, "BERN"]}
    first, second, third = decide(artifact, columns, geo={"city": "city"}, response_tokens=True)
    told = {key: first[key] for key in ("activity_id", "activity_name", "experience_id", "experience_name")}
    assert told == {
        "activity_id": "5",
        "activity_name": "Sale",
        "experience_id": "3",
        "experience_name": "Red",
    }
    assert (first["option_id"], first["option_name"], first["option_type"]) == ("7", "Big", "html")
    tokens = {"activity.name": "Sale", "activity.decisioningMethod": "on-device"}
    assert json.loads(first["response_tokens"]) == {**tokens, "geo.city": "BERN"}
    assert json.loads(second["response_tokens"]) == tokens
    assert third["response_tokens"] == first["response_tokens"]
    assert "response_tokens" not in decide(artifact, {"id": ["a"]})[0]


def test_statuses() -> None:
    rules = {"hero": [build_rule({"odd": []})], "far": [build_rule(False)], "quiet": [], "near": [build_rule()]}
    artifact = build_artifact(rules={"mboxes": rules}, localMboxes=["hero", "quiet", "near"], remoteMboxes=["far"])
    rows = decide(artifact, {"id": ["a"]}, mboxes=["near", "quiet", "far", "hero"])
    assert [row["status"] for row in rows] == ["decided", "default", "remote", "undecidable"]


def test_json_is_text() -> None:
    artifact = build_artifact(build_offer(True, 1, {"type": "json", "content": {"größe": [1, None]}}))
    assert decide(artifact, {"id": ["a"]})[0]["content"] == '{"größe":[1,null]}'


def test_a_bad_row_is_named_and_nobody_else_is_the_worse_for_it() -> None:
    columns = {"id": ["a", None, "c", " "], "total": [1.0, 2.0, float("nan"), float("inf")]}
    rows = decide(build_artifact(build_rule()), columns, parameters={"total": "total"})
    assert [row["status"] for row in rows] == ["decided", None, None, None]
    assert [row["error"] for row in rows] == [
        None,
        "row 2: it has no id: id.tntId (column 'id') is empty",
        "row 3: parameters.total must be a finite number",
        "row 4: parameters.total must be a finite number",
    ]
    decider = BatchDecider(build_artifact(), **OPTIONS)
    assert (
        decider(pa.record_batch({"id": pa.array([None], pa.string())}), first_row=70)["error"][0].as_py()[:7]
        == "row 70:"
    )


def test_what_is_no_text_is_a_bad_row() -> None:
    broken = pa.array([b"a", b"\xff", b"c"]).view(pa.string())
    rows = decide(build_artifact(build_rule()), {"id": broken})
    assert [row["visitor"] for row in rows] == ["a", None, "c"]
    assert rows[1]["error"] == "row 2: id.tntId (column 'id') must be text in UTF-8"
    rows = decide(build_artifact(build_rule()), {"id": ["a", "b", "c"], "p": broken}, parameters={"p": "p"})
    assert [row["status"] for row in rows] == ["decided", None, "decided"]
    far = pa.array([0, 10**18], pa.timestamp("s"))
    rows = decide(build_artifact(build_rule()), {"id": ["a", "b"], "p": far}, parameters={"p": "p"})
    assert [row["status"] for row in rows] == ["decided", None]
    assert "row 2: parameters.p (column 'p')" not in rows[1]["error"]
    assert rows[1]["error"].startswith("row 2: parameters.p cannot be read")


def test_a_column_of_moments() -> None:
    rule = build_rule({"<=": [1_600_000_000_000, var("current_timestamp"), 1_700_000_000_000]})
    moments = [datetime.datetime(2020, 1, 1), datetime.datetime(2023, 1, 1), None]
    for kind in ("s", "us", "ns"):
        columns = {"id": ["a", "b", "c"], "seen": pa.array(moments, pa.timestamp(kind, "Europe/Zurich"))}
        rows = decide(build_artifact(rule), columns, at="seen")
        assert [row["status"] for row in rows] == ["default", "decided", None]
        assert rows[2]["error"] == "row 3: at (column 'seen') is empty: it says when to decide"
    assert decide(build_artifact(rule), {"id": ["a"]}, at=datetime.datetime(2023, 1, 1))[0]["status"] == "decided"


def test_a_prefix_names_parameters() -> None:
    columns = {"id": ["a"], "p_level": ["gold"], "level": ["red"], "p_": ["x"]}
    assert decide(build_artifact(*HALVES[1:]), columns, parameters="p_")[0]["rule_key"] == "gold"


def test_tables_come_back_as_tables() -> None:
    chunks = pa.chunked_array([["a", "b"], [], ["c", None]])
    decider = BatchDecider(build_artifact(build_rule()), **OPTIONS)
    decided = decider(pa.table({"id": chunks}))
    assert isinstance(decided, pa.Table)
    assert decided.schema == decider.schema
    assert decided["visitor"].to_pylist() == ["a", "b", "c", None]
    assert decided["error"].to_pylist()[3].startswith("row 4:")
    assert decider(pa.table({"id": pa.array([], pa.string())})).num_rows == 0


def test_rules_may_be_text_or_a_file(tmp_path: Path) -> None:
    artifact = build_artifact(build_rule())
    text = json.dumps(artifact)
    path = tmp_path / "rules.json"
    path.write_text(text)
    for given_as in (artifact, text, f"\n {text}", text.encode(), path, str(path)):
        assert decide(given_as, {"id": ["a"]})[0]["status"] == "decided"


def test_it_is_pickled_as_text_and_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    decider = BatchDecider(build_artifact(*HALVES), **{**OPTIONS, "parameters": "p_"})
    sent = pickle.dumps(decider)
    calls = []
    parse = artifacts.parse_artifact_text

    def counted(text: bytes) -> Any:
        calls.append(threading.get_ident())
        return parse(text)

    monkeypatch.setattr("target.batch.decider.parse_artifact_text", counted)
    received = pickle.loads(sent)
    batch = pa.record_batch({"id": ["a", "b"], "p_level": ["gold", "red"]})
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(received, [batch] * 32))
    assert all(result.equals(decider(batch)) for result in results)
    assert len(calls) == 1
    assert len(pickle.dumps(received)) == len(sent)


def test_threads_may_share_it_whatever_their_batches() -> None:
    decider = BatchDecider(build_artifact(*HALVES), **{**OPTIONS, "parameters": "p_"})
    sizes = [1, 2, 3, 5, 8, 13, 21, 34] * 25
    batches = [
        pa.record_batch({"id": [f"v{row}" for row in range(size)], "p_level": [("gold", "red")[size % 2]] * size})
        for size in sizes
    ]
    wanted = {size: decider(batch).to_pylist() for size, batch in zip(sizes[:8], batches[:8], strict=True)}
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(decider, batches))
    finally:
        sys.setswitchinterval(before)
    assert all(result.to_pylist() == wanted[size] for size, result in zip(sizes, results, strict=True))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"mboxes": "hero"}, "mboxes must be a list of names"),
        ({"mboxes": []}, "mboxes must be a list of names"),
        ({"mboxes": [7]}, r"mboxes\[0\] is int"),
        ({"mboxes": ["hero", "hero"]}, "names 'hero' twice"),
        ({"mboxes": ["hero", "other"]}, "the rules know no mbox 'other'. They have: 'hero'"),
        ({"client": ""}, "client must be text"),
        ({"client": None}, "client must be text"),
        ({"property_token": 7}, "property_token must be text"),
        ({"id_columns": {}}, "id_columns must name the column of an id"),
        ({"id_columns": {"tntId": "id"}}, "'tntId' is not one of marketing_cloud_visitor_id, tnt_id"),
        ({"id_columns": "id"}, "id_columns must be a dict"),
        ({"id_columns": {"tnt_id": 3}}, r"id_columns\['tnt_id'\] must be the name of a column, not 3"),
        ({"parameters": {"": "id"}}, "'' is not a name"),
        ({"parameters": ""}, "parameters must be the name of a column"),
        ({"geo": {"zip": "id"}}, "'zip' is not one of country"),
        ({"user_agent": 3}, "user_agent must be the name of a column"),
        ({"at": "yesterday"}, "has no column 'yesterday', named for at"),
        ({"at": True}, "at must be a datetime"),
        ({"at": float("nan")}, "at must be a datetime"),
        ({"id_columns": {"tnt_id": "other"}}, "has no column 'other', named for id.tntId. It has: 'id', 'list'"),
        (
            {"parameters": {"p": "list"}},
            "'list', named for parameters.p, is of the type list<.*>, which cannot be read",
        ),
        ({"parameters": {"p": "bytes"}}, "of the type binary"),
        ({"parameters": {"p": "object"}}, "of the type struct<.*>, which cannot be read: it must hold text, numbers"),
        ({"parameters": {"p": "span"}}, "of the type duration"),
        ({"id_columns": {"tnt_id": "number"}}, "of the type double, which cannot be read: it must hold text or whole"),
        ({"user_agent": "number"}, "named for context.userAgent, is of the type double"),
        ({"geo": {"latitude": "id"}}, "is of the type string, which cannot be read: it must hold numbers"),
        ({"at": "number"}, "it must hold moments"),
        ({"parameters": "q_"}, "has no column that begins with 'q_'"),
    ],
)
def test_a_mistake_is_told_before_any_row(changes: dict[str, Any], told: str) -> None:
    columns = {
        "id": ["a"],
        "list": [[1]],
        "bytes": [b"a"],
        "object": [{"a": 1}],
        "number": [1.5],
        "span": [datetime.timedelta(1)],
    }
    with pytest.raises(OptionsError, match=told):
        decide(build_artifact(build_rule()), columns, **changes)


def test_two_columns_of_one_name() -> None:
    batch = pa.RecordBatch.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["id", "id"])
    with pytest.raises(OptionsError, match="has more than one column 'id'"):
        BatchDecider(build_artifact(), **OPTIONS)(batch)


@pytest.mark.parametrize("wrong", [7, None, "no/such/file.json", {"a": {1, 2}}])
def test_what_are_no_rules(wrong: Any) -> None:
    with pytest.raises(OptionsError, match="artifact"):
        BatchDecider(wrong, **OPTIONS)


@pytest.mark.parametrize("wrong", ["{}", b"", "[1]", {"version": "2.0"}])
def test_rules_that_are_none(wrong: Any) -> None:
    with pytest.raises(ArtifactError):
        BatchDecider(wrong, **OPTIONS)


def test_what_is_no_batch() -> None:
    with pytest.raises(OptionsError, match=r"must be a pyarrow.RecordBatch, not dict"):
        BatchDecider(build_artifact(), **OPTIONS)({"id": ["a"]})
