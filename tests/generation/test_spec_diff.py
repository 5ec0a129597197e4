"""What `spec.py diff` says of histories of the published document, in each of its forms."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

import spec
from published import deviations
from published.reading import read
from tests.generation.histories import HISTORIES, NOTHING, UNSURE, Edit, changed, field
from tests.generation.ours import OURS, PLACES
from tests.generation.published import Published, as_yaml

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Exit code, output and errors of `spec.py diff`."""

    def ran(*arguments: str | Path) -> tuple[int, str, str]:
        code = spec.main(["diff", *map(str, arguments)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return ran


@pytest.fixture(autouse=True)
def read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own files are read once for all tests; half a second is saved each time."""
    monkeypatch.setattr(deviations, "load", lambda: PLACES)
    monkeypatch.setattr(spec, "read", lambda source: copy.deepcopy(OURS) if source == spec.SPEC else read(source))


@pytest.fixture
def document() -> Published:
    return Published()


def differences(output: str) -> set[str]:
    return {line.strip() for line in output.splitlines() if line.startswith("  ")}


def edited(edit: Edit) -> Published:
    document = Published()
    edit(document)
    return document


@pytest.mark.parametrize("name", HISTORIES)
def test_a_change_is_said_in_words(name: str, tmp_path: Path, run: Run) -> None:
    code, output, _ = run(edited(HISTORIES[name].edit).file(tmp_path / "api.json"))
    assert differences(output) == set(HISTORIES[name].lines)
    assert code == 1


@pytest.mark.parametrize("name", NOTHING)
def test_no_change_is_equal(name: str, tmp_path: Path, run: Run) -> None:
    code, output, _ = run(edited(NOTHING[name]).file(tmp_path / "api.json"))
    assert code == 0, output
    assert output.startswith("equal: ")
    assert "descriptions and other prose are our own and not compared" in output


@pytest.mark.parametrize("name", UNSURE)
def test_what_is_not_surely_the_same_is_removed_and_added(name: str, tmp_path: Path, run: Run) -> None:
    code, output, _ = run(edited(UNSURE[name]).file(tmp_path / "api.json"))
    assert code == 1
    assert "renamed" not in output
    assert {line.split()[0] for line in differences(output)} >= {"removed", "added"}


@pytest.mark.waits
def test_a_checkout_and_its_document_say_the_same_as_one_file(tmp_path: Path, run: Run) -> None:
    history = HISTORIES["new schemas with references of their own"]
    document = edited(history.edit)
    folder = document.checkout(tmp_path / "checkout", text=as_yaml)
    for source in (folder, folder / "delivery" / "api.yaml", document.file(tmp_path / "api.yaml")):
        code, output, _ = run(source)
        assert (code, differences(output)) == (1, set(history.lines)), source


def test_a_schema_in_another_file_is_no_change(document: Published, tmp_path: Path, run: Run) -> None:
    assert run(document.checkout(tmp_path / "a"))[0] == 0
    move = {
        "Geo": "common/components/Geo.yaml",
        "Screen": "delivery/components/Window.yaml",
        "Metric": "other/all.yaml",
    }
    assert run(document.checkout(tmp_path / "b", move=move))[0] == 0


def test_files_that_hold_one_schema_and_nothing_else(document: Published, tmp_path: Path, run: Run) -> None:
    folder = document.checkout(tmp_path)
    geo = folder / "delivery" / "components" / "Geo.yaml"
    geo.write_text(yaml.safe_dump(yaml.safe_load(geo.read_text())["Geo"]), encoding="utf-8")
    context = folder / "delivery" / "components" / "Context.yaml"
    context.write_text(context.read_text().replace("./Geo.yaml#/Geo", "./Geo.yaml"), encoding="utf-8")
    assert '"./Geo.yaml"' in context.read_text()
    assert run(folder)[0] == 0


def test_a_bundle_that_lists_files(document: Published, tmp_path: Path, run: Run) -> None:
    """components/schemas of references, by which whole files get their names."""
    folder = tmp_path / "schemas"
    folder.mkdir()
    bundle = document.bundle()
    listed = bundle["components"]["schemas"]
    for name, schema in listed.items():
        text = json.dumps(schema).replace("#/components/schemas/", "../api.json#/components/schemas/")
        (folder / f"{name.lower()}-v1.json").write_text(text, encoding="utf-8")
    bundle["components"]["schemas"] = {name: {"$ref": f"schemas/{name.lower()}-v1.json"} for name in listed}
    (tmp_path / "api.json").write_text(json.dumps(bundle), encoding="utf-8")
    assert run(tmp_path / "api.json") == run(tmp_path / "api.json")
    assert run(tmp_path / "api.json")[0] == 0


def test_parameters_bodies_and_answers_by_reference(document: Published, tmp_path: Path, run: Run) -> None:
    bundle = document.bundle()
    operation = bundle["paths"]["/rest/v1/delivery"]["post"]
    bundle["components"]["parameters"] = {"version": operation["parameters"][2]}
    bundle["components"]["requestBodies"] = {"call": operation["requestBody"]}
    bundle["components"]["responses"] = {"error": operation["responses"]["default"]}
    operation["parameters"][2] = {"$ref": "#/components/parameters/version"}
    operation["requestBody"] = {"$ref": "#/components/requestBodies/call"}
    operation["responses"]["default"] = {"$ref": "#/components/responses/error"}
    (tmp_path / "item.json").write_text(
        json.dumps(bundle["paths"].pop("/rest/v1/delivery")).replace('"#/', '"api.json#/'), encoding="utf-8"
    )
    bundle["paths"]["/rest/v1/delivery"] = {"$ref": "item.json"}
    (tmp_path / "api.json").write_text(json.dumps(bundle), encoding="utf-8")
    assert run(tmp_path / "api.json")[:2][0] == 0, run(tmp_path / "api.json")


def test_json_has_every_difference_as_an_object(tmp_path: Path, run: Run) -> None:
    document = edited(HISTORIES["many at once"].edit)
    code, output, _ = run(document.file(tmp_path / "api.json"), "--json")
    report = json.loads(output)
    assert (code, report["equal"]) == (1, False)
    told = {difference["text"]: difference for difference in report["differences"]}
    assert set(told) == set(HISTORIES["many at once"].lines)
    limit = told["changed Geo.zip: maxLength 12 -> 16"]
    assert limit == {
        "kind": "changed",
        "what": "limit",
        "where": "Geo.zip",
        "keyword": "maxLength",
        "before": 12,
        "after": 16,
        "text": "changed Geo.zip: maxLength 12 -> 16",
    }
    value = told["added enum value tv of ChannelType"]
    assert (value["kind"], value["what"], value["where"], value["after"]) == (
        "added",
        "enum value",
        "ChannelType",
        "tv",
    )
    report = json.loads(run(Published().file(tmp_path / "same.json"), "--json")[1])
    assert report == {"equal": True, "differences": [], "notes": []}


@pytest.mark.parametrize("form", ["one file", "two files", "one component", "schemas alone"])
def test_a_partial_document_says_nothing_of_what_it_lacks(
    form: str, document: Published, tmp_path: Path, run: Run
) -> None:
    changed("Geo", "zip", maxLength=16)(document)
    folder = document.checkout(tmp_path / "whole")
    parts = tmp_path / "parts"
    parts.mkdir()
    source = parts
    if form == "one component":
        source = folder / "delivery" / "components" / "Geo.yaml"
    elif form == "schemas alone":
        geo = document.bundle()["components"]["schemas"]["Geo"]
        source = parts / "some.json"
        source.write_text(json.dumps({"openapi": "3.0.0", "components": {"schemas": {"Geo": geo}}}), encoding="utf-8")
    else:
        for name in ("Geo", "Screen", "ScreenOrientationType")[: 1 if form == "one file" else 3]:
            shutil.copy(folder / "delivery" / "components" / f"{name}.yaml", parts)
    code, output, _ = run(source, "--partial")
    assert (code, differences(output)) == (1, {"changed Geo.zip: maxLength 12 -> 16"})
    code, output, _ = run(source)
    assert "removed schema VisitorId" in output
    assert "removed operation POST /rest/v1/delivery" in output


def test_only_what_a_deviation_says_is_forgiven(document: Published, tmp_path: Path, run: Run) -> None:
    changed("VisitorId", "thirdPartyId", maxLength=64)(document)
    document.schemas["MboxRequest"]["required"] = ["index", "mbox", "name"]
    document.schemas["Context"]["properties"]["beacon"]["default"] = True
    code, output, _ = run(document.file(tmp_path / "api.json"))
    assert code == 1
    assert differences(output) == {
        "changed VisitorId.thirdPartyId: maxLength 256 -> 64",
        "changed MboxRequest.name: required",
        "changed Context.beacon: default none -> true",
    }
    assert "deviation 7 (length of thirdPartyId): this document says something else" in output


def test_a_deviation_that_no_document_needs_any_more_is_noted(document: Published, tmp_path: Path, run: Run) -> None:
    del document.schemas["Context"]["properties"]["beacon"]["default"]
    code, output, _ = run(document.file(tmp_path / "api.json"))
    assert code == 0
    assert "note: deviation 5 (no default of beacon): this document agrees with us" in output


def spoilt(edit: Callable[[Path], object]) -> Callable[[Path], Path]:
    def made(folder: Path) -> Path:
        Published().checkout(folder)
        edit(folder)
        return folder

    return made


def replaced(name: str, old: str, new: str) -> Callable[[Path], Path]:
    def edit(folder: Path) -> None:
        path = folder / "delivery" / "components" / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    return spoilt(edit)


def written(text: str | bytes, name: str = "api.yaml") -> Callable[[Path], Path]:
    def made(folder: Path) -> Path:
        folder.mkdir()
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return folder / name

    return made


def circle(folder: Path) -> None:
    for one, other in (("Geo", "Window"), ("Window", "Geo")):
        path = folder / "delivery" / "components" / f"{one}.yaml"
        path.write_text(f"{one}:\n  $ref: './{other}.yaml#/{other}'\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda folder: folder / "nothing", "there is no such file or folder"),
        (lambda folder: folder.mkdir() or folder, "no schemas"),
        (written(""), "no OpenAPI document"),
        (written("a: [1\n"), "line 2: no YAML or JSON"),
        (written("{", "api.json"), "no YAML or JSON"),
        (written(b"\xff\xfe\x00"), "not UTF-8"),
        (written("just words"), "no OpenAPI document: str instead of a mapping"),
        (written("openapi: 3.0.0\npaths: {}\n"), "no schemas"),
        (written("swagger: '2.0'\ndefinitions: {A: {type: string}}\n"), "Swagger 2.0, but only OpenAPI 3 is read"),
        (written("components: {schemas: {A: 5}}"), "a schema is a mapping, not 5"),
        (written("components: {schemas: {A: {required: yes}}}"), "required is a list"),
        (written("components: {schemas: {A: {$ref: 5}}}"), "a $ref is a text"),
        (written("components: {schemas: {A: {$ref: '#/components/schemas/B'}}}"), "broken $ref"),
        (written("components: {schemas: {A: {$ref: 'https://e.example/a.yaml'}}}"), "only files are read"),
        (written("components: {schemas: {A: {allOf: [{$ref: '#/components/schemas/A'}]}}}"), "circular $ref"),
        (written("a: &a {type: object, properties: {b: *a}}\ncomponents: {schemas: {A: *a}}"), "nested without end"),
        (replaced("Context.yaml", "./Geo.yaml#/Geo", "./Gone.yaml#/Geo"), "broken $ref ./Gone.yaml#/Geo: there is no"),
        (replaced("Context.yaml", "./Geo.yaml#/Geo", "./Geo.yaml#/Gone"), "broken $ref: nothing at"),
        (replaced("Geo.yaml", '"properties"', '"properties'), "Geo.yaml: line"),
        (spoilt(circle), "circular $ref"),
        (
            spoilt(lambda folder: shutil.copy(folder / "delivery" / "api.yaml", folder / "copy.yaml")),
            "more than one doc",
        ),
    ],
)
def test_a_document_that_cannot_be_used_is_told_in_one_line(
    make: Callable[[Path], Path], said: str, tmp_path: Path, run: Run
) -> None:
    source = make(tmp_path / "source")
    code, output, error = run(source)
    assert (code, output) == (2, "")
    assert said in error
    assert error.count("\n") == 1
    assert str(source) in error, "where"


def test_a_checkout_may_hold_what_is_no_document(document: Published, tmp_path: Path, run: Run) -> None:
    folder = document.checkout(tmp_path)
    (folder / "charts").mkdir()
    (folder / "charts" / "values.yaml").write_text("{{ broken }}: [", encoding="utf-8")
    (folder / "package.json").write_text('{"name": "documents"}', encoding="utf-8")
    other = {"openapi": "3.0.0", "paths": {"/other": {"get": {"responses": {}}}}, "components": {"schemas": {"A": {}}}}
    (folder / "other.json").write_text(json.dumps(other), encoding="utf-8")
    assert run(folder)[0] == 0


def test_two_schemas_of_one_name_are_told(document: Published, tmp_path: Path, run: Run) -> None:
    folder = document.checkout(tmp_path)
    (folder / "common" / "components" / "Geo.yaml").write_text("Geo: {type: string}\n", encoding="utf-8")
    field("Browser", "geo", **{"$ref": "../../common/components/Geo.yaml#/Geo"})(document)
    code, _, error = run(document.checkout(tmp_path))
    assert code == 2
    assert "two schemas are called Geo" in error


def test_no_path_is_told(run: Run) -> None:
    assert run("")[::2] == (2, "name the published document: FROM=PATH, a checkout or a file\n")


def test_our_own_spec_is_equal_to_itself_but_for_its_deviations(run: Run) -> None:
    code, output, _ = run(spec.SPEC)
    assert (code, differences(output)) == (0, set())
