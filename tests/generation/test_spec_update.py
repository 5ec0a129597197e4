"""`spec.py update` writes every history into the spec: in memory, then with the generator in a copy."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import spec
from published import deviations, spec_file, update
from published.compare import Change, compare
from published.prose import MARKER, adjusted
from published.reading import Document, read
from tests.generation.histories import HISTORIES, all_of, changed, field
from tests.generation.ours import OURS, PLACES, TEXT, loaded
from tests.generation.published import Published, Repo

COMMENTS = [line for line in TEXT.splitlines() if line.lstrip().startswith("#")]


#: Histories that can happen at once.
GROUPS = {
    "more": [
        *("a new field", "a new field of what is derived", "a new field that is required", "a new enum value"),
        *("enum values that YAML may misread", "new schemas with references of their own", "a limit more"),
        "new schemas that hold themselves",
        *("a new parameter", "a parameter of the path", "an enum written in place", "an object written in place"),
        *("null", "null of a reference", "one of several", "one more of several", "a base more", "an answer more"),
        *("required more", "a changed limit"),
    ],
    "less": [
        *("an enum value removed", "a limit less", "a removed field", "a removed field that was required"),
        *("a removed schema", "a removed schema that was in use", "required less", "a removed parameter"),
    ],
    "other": [
        *("a renamed field", "a renamed field that is required", "a mere text renamed in its place"),
        *("a renamed schema", "a parameter that became required", "a parameter of another type", "a changed type"),
        *("a changed format", "one that became many", "items of another type"),
    ],
}


@pytest.fixture
def as_read(tmp_path: Path) -> Callable[[Any], Document]:
    """A document as it is read from a file."""

    def reading(content: Any) -> Document:
        path = tmp_path / "read.json"
        path.write_text(json.dumps(content), encoding="utf-8")
        return read(path)

    return reading


def published(name: str, as_read: Callable[[Any], Document]) -> Document:
    document = Published()
    HISTORIES[name].edit(document)
    return deviations.applied(as_read(document.bundle()), PLACES)[0]


def comments(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.lstrip().startswith("#")]


@pytest.mark.parametrize("name", HISTORIES)
def test_after_the_update_nothing_differs_and_what_is_new_asks_for_a_description(
    name: str, as_read: Callable[[Any], Document]
) -> None:
    wanted = published(name, as_read)
    written = loaded()
    changes = compare(OURS, wanted)
    assert update.apply(written, changes, remove=True) == []
    assert compare(as_read(written), wanted) == []
    new = [change for change in changes if change.kind == "added" and change.what in ("schema", "property")]
    assert json.dumps(written).count(MARKER) >= len(new)
    for schema, node in written["components"]["schemas"].items():
        assert node["description"]
        for part in [node, *node.get("allOf", [])]:
            for key, value in part.get("properties", {}).items():
                assert len(value["description"].split()) > 1, f"{schema}.{key}"
                for limit in ("minLength", "maxLength", "maxItems", "minimum", "maximum"):
                    assert limit not in value or str(value[limit]) in value["description"], f"{schema}.{key}"


@pytest.mark.parametrize("name", HISTORIES)
def test_old_names_are_kept_and_said_again(name: str, as_read: Callable[[Any], Document]) -> None:
    wanted = published(name, as_read)
    written = loaded()
    kept = update.apply(written, compare(OURS, wanted), remove=False)
    left = compare(as_read(written), wanted)
    assert kept == [change for change in compare(OURS, wanted) if change.kind in ("removed", "renamed")]
    assert len(left) == len(kept)
    assert {change.kind for change in left} <= {"removed", "renamed"}
    before = json.dumps(written)
    update.apply(written, left, remove=False)
    assert json.dumps(written) == before, "twice is once"
    update.apply(written, left, remove=True)
    assert compare(as_read(written), wanted) == []


@pytest.mark.waits
@pytest.mark.parametrize("group", GROUPS)
def test_every_comment_stands_and_what_is_written_is_read_alike(group: str, as_read: Callable[[Any], Document]) -> None:
    written = loaded()
    document = Published()
    all_of(*(HISTORIES[name].edit for name in GROUPS[group]))(document)
    update.apply(written, compare(OURS, deviations.applied(as_read(document.bundle()), PLACES)[0]), remove=True)
    text = spec_file.dump(written)
    assert comments(text) == COMMENTS
    assert spec_file.dump(spec_file.load(text)) == text


def test_a_spec_that_nothing_changed_is_written_byte_for_byte() -> None:
    assert spec_file.dump(spec_file.load(TEXT)) == TEXT


def test_a_section_keeps_its_title_when_its_first_schema_goes(as_read: Callable[[Any], Document]) -> None:
    written = loaded()
    change = Change("removed", "schema", ("schemas", "Context"), OURS.schemas["Context"])
    update.apply(written, [change], remove=True)
    text = spec_file.dump(written)
    assert re.search(r"\n\n    # -+ the context\n    ChannelType:\n", text)
    assert "Deviation 5" not in text, "what stood within goes with it"


@pytest.mark.parametrize(
    ("text", "before", "after", "wanted"),
    [
        ("Code. At most 12 characters.", {"maxLength": 12}, {"maxLength": 16}, "Code. At most 16 characters."),
        ("Code. At most 12 characters.", {"maxLength": 12}, {}, "Code."),
        ("Code.", {}, {"maxLength": 16}, "Code. At most 16 characters."),
        ("Code of 16.", {}, {"maxLength": 16}, "Code of 16."),
        ("1 to 3 letters.", {"minLength": 1, "maxLength": 3}, {"minLength": 2, "maxLength": 3}, "2 to 3 letters."),
        ("Version 1.12 has 12.", {"maxLength": 12}, {"maxLength": 16}, "Version 1.12 has 16."),
        ("A dozen.", {"maxLength": 12}, {"maxLength": 16}, f"{MARKER} anew, maxLength is 16 in place of 12: A dozen."),
        ("12 of 12.", {"maxItems": 12}, {"maxItems": 9}, f"{MARKER} anew, maxItems is 9 in place of 12: 12 of 12."),
        ("Up to 12.", {"maxItems": 12}, {}, f"{MARKER} anew, maxItems is no longer 12: Up to 12."),
    ],
)
def test_a_description_follows_its_limits(text: str, before: Any, after: Any, wanted: str) -> None:
    assert adjusted(text, before, after) == wanted


@pytest.mark.parametrize(("text", "code"), [(TEXT, 0), (TEXT.replace("Postal code.", f"{MARKER} what zip is."), 1)])
def test_make_lint_refuses_what_is_not_described(text: str, code: int, tmp_path: Path) -> None:
    makefile = (spec.HERE.parent / "Makefile").read_text(encoding="utf-8")
    recipe = makefile.partition("\nlint:")[2].partition("\n\n")[0].splitlines()[1:]
    (command,) = [line.strip().removeprefix("@") for line in recipe if spec.SPEC.name in line]
    (tmp_path / "openapi").mkdir()
    (tmp_path / "openapi" / spec.SPEC.name).write_text(text, encoding="utf-8")
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert ("what zip is" in done.stdout) == bool(code), "the line is shown"


# ------------------------------------------------------------------ in a copy of the repository, with the generator


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo(tmp_path / "repo")


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("group", GROUPS)
def test_from_diff_to_green(group: str, repo: Repo, tmp_path: Path) -> None:
    document = Published()
    all_of(*(HISTORIES[name].edit for name in GROUPS[group]))(document)
    source = document.checkout(tmp_path / "checkout")
    assert repo.run("diff", source).returncode == 1
    done = repo.run("update", source, "--remove")
    assert (done.returncode, done.stderr) == (0, "")
    assert repo.run("diff", source).returncode == 0
    assert comments(repo.spec.read_text(encoding="utf-8")) == COMMENTS
    again = repo.run("update", source)
    assert (again.returncode, again.stdout) == (0, f"equal: nothing of {source} to take over\n")
    assert repo.generate("--check").returncode == 0
    repo.describe()
    assert MARKER not in repo.spec.read_text(encoding="utf-8")
    assert repo.generate().returncode == 0
    assert repo.python("from target_delivery_api.models import *; print(len(vars()) > 60)") == "True\n"
    checked = subprocess.run(
        [*(sys.executable, "-m", "mypy", "--config-file=", "--strict", "--cache-dir"), tmp_path, "generated"],
        cwd=repo.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_public_api_is_told_as_lines_for_the_changelog(repo: Repo, tmp_path: Path) -> None:
    document = Published()
    HISTORIES["many at once"].edit(document)
    source = document.file(tmp_path / "api.json")
    report = json.loads(repo.run("update", source, "--json").stdout)
    assert report["equal"] is False
    assert {change["text"] for change in report["kept"]} == {
        "renamed schema Product -> Item",
        "removed property Geo.stateCode (string, minLength 1, maxLength 3)",
    }
    added, breaking = report["changelog"]["added"], report["changelog"]["breaking"]
    assert {"- Added `Item`.", "- Added `Geo.time_zone` (str | None).", "- Added `ChannelType.TV` ('tv')."} <= set(
        added
    )
    assert "- The API: changed Geo.zip: maxLength 12 -> 16." in added
    assert "- Breaking: `Notification.product` is Item | None, no longer Product | None." in breaking
    assert [line.split(": ", 1)[1] for line in report["descriptions_wanted"]] == [f"{MARKER} what timeZone is."]
    done = repo.run("update", source, "--remove")
    assert done.returncode == 0
    assert "  - Breaking: `Product` is gone.\n" in done.stdout
    assert "  - Breaking: `Geo.state_code` is gone.\n" in done.stdout


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_emulator_follows_the_spec(repo: Repo, tmp_path: Path) -> None:
    document = Published()
    changed("Geo", "zip", maxLength=3)(document)
    field("Geo", "floor", type="integer", minimum=-3)(document)
    assert repo.run("update", document.file(tmp_path / "api.json")).returncode == 0
    code = (
        "from target.emulator.validation import find_problem\n"
        "query = {'imsOrgId': 'o', 'sessionId': 's'}\n"
        "for geo in ({'zip': '1234'}, {'floor': -4}, {'zip': '123', 'floor': -3}):\n"
        "    print(find_problem(query, {'context': {'channel': 'web', 'geo': geo}}))\n"
    )
    assert repo.python(code).splitlines() == [
        "Invalid request: context.geo.zip size must be between 0 and 3",
        "Invalid request: context.geo.floor must be greater than or equal to -3",
        "None",
    ]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_models_that_lead_back_to_themselves_are_read_and_written(repo: Repo, tmp_path: Path) -> None:
    document = Published()
    HISTORIES["new schemas with references of their own"].edit(document)
    assert repo.run("update", document.file(tmp_path / "api.json")).returncode == 0
    code = (
        "from target_delivery_api.models import Geo, Mood, Place\n"
        "wire = {'place': {'id': '1', 'moods': ['good', 'new'], 'around': [{'id': '2', 'mood': 'bad', 'later': 1}]}}\n"
        "read = Geo.from_dict(wire)\n"
        "print(read.to_dict() == wire, type(read.place.around[0]) is Place, read.place.moods[0] is Mood.GOOD)\n"
        "print(Place.FIELDS['around'][1] == [Place])\n"
    )
    assert repo.python(code) == "True True True\nTrue\n"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_what_holds_itself_is_read_written_and_emulated(repo: Repo, tmp_path: Path) -> None:
    document = Published()
    HISTORIES["new schemas that hold themselves"].edit(document)
    assert repo.run("update", document.file(tmp_path / "api.json")).returncode == 0
    code = (
        "from target.emulator.validation import find_problem\n"
        "from target_delivery_api.models import Geo\n"
        "loop = {'name': 'l', 'back': {'byName': {'k': {}}, 'all': [{}]}}\n"
        "knot = {'inner': {'inner': {}, 'loop': loop}}\n"
        "print(Geo.from_dict({'knot': knot}).to_dict() == {'knot': knot})\n"
        "query = {'imsOrgId': 'o', 'sessionId': 's'}\n"
        "for bad in (knot, {'inner': {'inner': {'loop': {}}}}):\n"
        "    print(find_problem(query, {'context': {'channel': 'web', 'geo': {'knot': bad}}}))\n"
    )
    read, good, bad = repo.python(code).splitlines()
    assert (read, good) == ("True", "None")
    assert "context.geo.knot.inner.inner.loop.name" in bad


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_change_that_the_generator_refuses_leaves_all_as_it_was(repo: Repo, tmp_path: Path) -> None:
    document = Published()
    document.item["post"]["parameters"].append(
        {"name": "where", "in": "cookie", "required": True, "schema": {"type": "string"}}
    )
    done = repo.run("update", document.file(tmp_path / "api.json"))
    assert done.returncode == 2
    assert "nothing was taken over, the generator refuses it" in done.stderr
    assert done.stderr.count("\n") == 1
    assert repo.spec.read_text(encoding="utf-8") == TEXT
    assert repo.generate("--check").returncode == 0
