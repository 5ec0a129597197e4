"""The spec against the published structure of the API, and against its own rules."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from published.compare import compare
from published.deviations import applied, load
from published.reading import read
from tests.generation.spec import SCHEMAS, SPEC, own_properties, plain
from tests.kit.processes import ROOT

FACTS = ROOT.parent / "shared" / "facts" / "delivery-api.json"
OPERATION = SPEC["paths"]["/rest/v1/delivery"]["post"]


@pytest.fixture(scope="module")
def facts() -> dict[str, Any]:
    if not FACTS.is_file():
        pytest.skip("the published structure (../shared/facts/delivery-api.json) is not here")
    loaded: dict[str, Any] = json.loads(FACTS.read_text(encoding="utf-8"))
    return loaded


def test_the_spec_is_the_published_structure_but_for_the_named_deviations(facts: dict[str, Any]) -> None:
    published, notes = applied(read(FACTS), load())
    assert compare(read(ROOT / "openapi" / "delivery-api.yaml"), published) == []
    assert notes == [], "each deviation finds its place"
    assert len(published.schemas) == len(facts["schemas"]) == 63


def test_the_facts_hold_203_properties_and_the_spec_all_but_the_two_discriminators(facts: dict[str, Any]) -> None:
    published = sum(
        len(part.get("properties", {}))
        for schema in facts["schemas"].values()
        for part in [schema, *schema.get("allOf", [])]
    )
    assert len(list(own_properties())) == published - 2 == 203 - 2


def test_the_operation_is_the_published_one(facts: dict[str, Any]) -> None:
    assert list(SPEC["paths"]) == [facts["path"]]
    assert list(SPEC["paths"][facts["path"]]) == [facts["method"]]
    assert OPERATION["operationId"] == facts["operationId"]
    assert OPERATION["tags"] == facts["tags"]
    assert [plain(parameter) for parameter in OPERATION["parameters"]] == facts["parameters"]
    assert plain(OPERATION["requestBody"]["content"]["application/json"]["schema"]) == {"$ref": facts["requestBody"]}
    answers = {}
    for status, response in OPERATION["responses"].items():
        content = response.get("content")
        answers[status] = plain(content["application/json"]["schema"])["$ref"] if content else None
    assert answers == facts["responses"]
    assert [server["url"] for server in SPEC["servers"]] == facts["servers"]


def test_the_server_variable_has_a_default() -> None:
    assert SPEC["servers"][0]["variables"]["clientCode"]["default"]


def test_the_spec_is_openapi_3_0_with_a_version_of_its_own() -> None:
    assert re.fullmatch(r"3\.0\.\d", SPEC["openapi"])
    assert re.fullmatch(r"\d+\.\d+\.\d+", SPEC["info"]["version"])


def test_every_deviation_has_a_reason_and_is_marked_in_its_place() -> None:
    content = yaml.safe_load((ROOT / "openapi" / "deviations.yaml").read_text(encoding="utf-8"))
    entries = [*content["deviations"], *content["disagreements"]]
    assert [entry["number"] for entry in entries] == [1, 2, 3, 4, 5, 6, 7]
    assert all(len(entry["reason"].split()) > 5 for entry in entries)
    assert all(len(set(entry["documents"].values())) > 1 for entry in content["disagreements"])
    for entry in content["pages"]:
        followed: Any = read(ROOT / "openapi" / "delivery-api.yaml").tree()
        for step in entry["at"]:
            followed = followed[step]
        assert followed == entry["document"] != entry["page"]
        assert len(entry["reason"].split()) > 5
    text = (ROOT / "openapi" / "delivery-api.yaml").read_text(encoding="utf-8")
    assert {int(number) for number in re.findall(r"# Deviation (\d):", text)} == set(range(1, 8))


@pytest.mark.parametrize(
    ("schema", "name", "value"), [pytest.param(*row, id=".".join(row[:2])) for row in own_properties()]
)
def test_every_property_says_what_it_is(schema: str, name: str, value: Any) -> None:
    assert len(value.get("description", "").split()) >= 2
    assert "$ref" not in value, "OpenAPI 3.0 drops the text beside a $ref: write allOf"
    text = " ".join(value["description"].split())
    for limit in ("minLength", "maxLength", "maxItems", "minimum", "maximum"):
        if limit in value:
            assert str(value[limit]) in text, f"the text does not give {limit}"


def test_every_schema_parameter_and_answer_says_what_it_is() -> None:
    described = [
        *SCHEMAS.values(),
        *OPERATION["parameters"],
        *OPERATION["responses"].values(),
        OPERATION["requestBody"],
    ]
    described += [SPEC["info"], OPERATION, *SPEC["servers"], *SPEC["tags"]]
    assert [item for item in described if len(item.get("description", "").split()) < 2] == []
    assert len(described) >= 63 + 3 + 3
