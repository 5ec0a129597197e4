"""Joins the models, of which the generator writes each into a file of its own, into three: opening sixty takes long.

What a first call of a process waits for is mostly that. Enums have a file; what an answer alone is made of has one; and
what a request is made of, or both, has the third.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, TypeGuard

_ANSWERS = ("delivery_response", "unexpected_error")
_TITLES = {
    "enums": "Every enum of the API.",
    "requests": "What a request is made of, and what answers have in common with it: each model after those it holds.",
    "answers": "What an answer alone is made of: each model after those it holds.",
}


class Written(NamedTuple):
    """One file as the generator wrote it.

    Attributes:
        header: Its first line.
        imports: Its imports, wherever they stand.
        holds: The files of the models among those.
        body: The rest, without the docstring.
        late: What has to follow when all models are there: the fields of a model that leads back to itself.
        is_enum: Whether it holds an enum.
    """

    header: str
    imports: tuple[str, ...]
    holds: tuple[str, ...]
    body: str
    late: str
    is_enum: bool


def join_models(package: Path) -> None:
    """Put the models of ``package``, a folder the generator has just written, into three modules."""
    folder = package / "models"
    paths = {path.stem: path for path in sorted(folder.glob("*.py")) if path.stem != "__init__"}
    written = {name: _read(path.read_text(encoding="utf-8")) for name, path in paths.items()}
    home = _homes(written)
    for path in paths.values():
        path.unlink()
    for module, title in _TITLES.items():
        names = _in_order(written, [name for name in written if home[name] == module])
        (folder / f"{module}.py").write_text(_join(module, title, names, written, home), encoding="utf-8")
    for path in package.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        path.write_text(_rename(text, home, nested=path.parent == folder), encoding="utf-8")


def _read(text: str) -> Written:
    lines, statements = text.splitlines(), ast.parse(text).body
    imports = [node for node in statements if isinstance(node, ast.Import | ast.ImportFrom)]
    late = [node for node in statements if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Attribute)]
    for node in (statements[0], *imports, *late):  # the first is the docstring
        lines[node.lineno - 1 : node.end_lineno] = [""] * (1 + (node.end_lineno or 0) - node.lineno)
    return Written(
        header=lines[0],
        imports=tuple(ast.unparse(node) for node in imports),
        holds=tuple(str(node.module).rpartition(".")[2] for node in imports if _is_of_models(node)),
        body="\n".join(lines[1:]).strip(),
        late="\n".join(ast.unparse(node) for node in late),
        is_enum=any(isinstance(node, ast.ClassDef) and ast.unparse(node.bases[0]) == "StrEnum" for node in statements),
    )


def _is_of_models(node: ast.Import | ast.ImportFrom) -> TypeGuard[ast.ImportFrom]:
    return isinstance(node, ast.ImportFrom) and str(node.module).startswith("models.")


def _homes(written: Mapping[str, Written]) -> dict[str, str]:
    """The module that each file becomes a part of."""
    answered = _in_order(written, _ANSWERS)
    asked = set(_in_order(written, [name for name in written if name not in answered]))
    return {
        name: "enums" if one.is_enum else "requests" if name in asked else "answers" for name, one in written.items()
    }


def _in_order(written: Mapping[str, Written], names: Iterable[str]) -> list[str]:
    """``names`` and what they hold, all the way down: each after what it holds."""
    found: dict[str, None] = {}

    def visit(name: str, above: tuple[str, ...]) -> None:
        if name in found or name in above:
            return
        for held in written[name].holds:
            if held in written:  # else a map written in place, whose import goes, too
                visit(held, (*above, name))
        found[name] = None

    for name in names:
        if name in written:
            visit(name, ())
    return list(found)


def _join(
    module: str, title: str, names: Iterable[str], written: Mapping[str, Written], home: Mapping[str, str]
) -> str:
    parts = [name for name in names if home[name] == module]
    imports = dict.fromkeys(line for name in parts for line in written[name].imports if not _stays(line, module, home))
    first = [line for line in imports if "__future__" in line]
    rest = [line for line in imports if "__future__" not in line]
    header = written[parts[0]].header
    bodies = [written[name].body for name in parts]
    late = [written[name].late for name in parts if written[name].late]
    return "\n\n\n".join(["\n".join([header, f'"""{title}"""', "", *first, *rest]), *bodies, *late])


def _stays(line: str, module: str, home: Mapping[str, str]) -> bool:
    """Whether an import is of what is in the same module now, or of no module: a map written in place."""
    found = re.match(r"from \.\.models\.(\w+) import", line)
    return found is not None and home.get(found[1], module) == module


def _rename(text: str, home: Mapping[str, str], *, nested: bool) -> str:
    """``text`` with imports of the modules that there are now; the list of models names them alone, as ".option"."""

    def models(found: re.Match[str]) -> str:
        return f"{found[1]}{home.get(found[2], found[2])}{found[3]}"

    text = re.sub(r"(from \.+models\.)(\w+)( import)", models, text)
    if nested:
        text = re.sub(r"(from \.)(\w+)( import)", models, text)
        text = re.sub(r'(": "\.)(\w+)(")', models, text)
    return text
