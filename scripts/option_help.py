"""Writes target/option_help.py, what `help` of the clients' methods says of options, or checks that it is up to date.

All is read from the source: the options and their texts from the TypedDicts of target/options.py, and who takes them
from signatures with ``Unpack``.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WIDTH = 110
HEADER = '''"""What `help` of the clients' methods says of their options, written by `make option-help`: do not edit."""

from __future__ import annotations
'''


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the file, or with --check compare it; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the file is not up to date")
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout (default: %(default)s)")
    options = parser.parse_args(arguments)
    path = options.root / "target" / "option_help.py"
    wanted = write_module(options.root / "target")
    if not options.check:
        path.write_text(wanted, encoding="utf-8")
        return 0
    if path.read_text(encoding="utf-8") == wanted:
        return 0
    sys.stderr.write("target/option_help.py is not what target/options.py says: run `make option-help`\n")
    return 1


def write_module(package: Path) -> str:
    """The text of target/option_help.py."""
    body = _parse(package / "options.py")
    classes = {node.name: node for node in body if isinstance(node, ast.ClassDef)}
    literals = {ast.unparse(node.targets[0]): ast.unparse(node.value) for node in body if isinstance(node, ast.Assign)}
    takers = {
        f"target.{file}.{kind}": {method: _unite(names, classes) for method, names in methods.items()}
        for file in ("clients", "notifying", "explaining", "client", "aio")
        for kind, methods in _takers_in(_parse(package / f"{file}.py")).items()
        if methods
    }
    used = {name for methods in takers.values() for names, _ in methods.values() for name in names}
    optional = {name for methods in takers.values() for _, names in methods.values() for name in names}
    texts = {
        name: "".join(_lines_of(node, literals, name in optional)) for name, node in classes.items() if name in used
    }
    lines = [f'_{_constant(name)} = """\\\n{text}"""\n' for name, text in texts.items() if text]
    lines += ["#: By class and method: the options that its callers write.", "OPTIONS = {"]
    for kind, methods in takers.items():
        lines.append(f'    "{kind}": {{')
        for method, (names, _) in methods.items():
            told = sorted((name for name in names if texts[name]), key=lambda name: ", required)" not in texts[name])
            lines.append(f'        "{method}": {" + ".join(f"_{_constant(name)}" for name in told)},')
        lines.append("    },")
    return "\n".join([HEADER, *lines, "}\n"])


def _parse(path: Path) -> list[ast.stmt]:
    return ast.parse(path.read_text(encoding="utf-8")).body


def _takers_in(body: list[ast.stmt]) -> dict[str, dict[str, list[str]]]:
    """Of each class the methods that take options, with the TypedDicts that they unpack."""
    found: dict[str, dict[str, list[str]]] = {}
    for kind in (each for each in body if isinstance(each, ast.ClassDef)):
        for method in kind.body:
            if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef) and method.args.kwarg:
                names = re.findall(r"Unpack\[(\w+)\]", ast.unparse(method.args.kwarg.annotation or ast.Constant("")))
                found.setdefault(kind.name, {}).setdefault(method.name, []).extend(names)
    return {kind: {name: names for name, names in methods.items() if names} for kind, methods in found.items()}


def _unite(names: list[str], classes: dict[str, ast.ClassDef]) -> tuple[list[str], set[str]]:
    """These TypedDicts with their bases, bases first; and those of them that a caller can do without."""
    united: list[str] = []

    def add(name: str) -> None:
        for base in classes[name].bases:
            if ast.unparse(base) in classes:
                add(ast.unparse(base))
        if name not in united:
            united.append(name)

    for name in names:
        add(name)
    return united, {name for name in names if any(ast.unparse(base) in names for base in classes[name].bases)}


def _lines_of(node: ast.ClassDef, literals: dict[str, str], is_optional: bool) -> Iterator[str]:
    for field, said in zip(node.body, node.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(said, ast.Expr):
            kind = re.sub(r"\w+", lambda word: literals.get(word[0], word[0]), ast.unparse(field.annotation))
            required = re.fullmatch(r"Required\[(.*)\]", kind)
            kind = required[1] + ("" if is_optional else ", required") if required else kind
            text = f"{ast.unparse(field.target)} ({kind}): {_short(ast.literal_eval(said.value))}"
            lines = textwrap.wrap(text.replace("\\", "\\\\"), WIDTH, break_on_hyphens=False)
            yield "".join(
                f"{indent}{line}\n" for indent, line in zip(["    ", *[" " * 8] * len(lines)], lines, strict=False)
            )


def _short(text: str) -> str:
    """The first sentence, and that of the default."""
    first, *others = re.split(r"(?<=\.)(?<!e\.g\.)\s+(?=[A-Z])", " ".join(inspect.cleandoc(text).split()))
    return " ".join([first, *(other for other in others if other.startswith("Default"))]).replace("``", "")


def _constant(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper()


if __name__ == "__main__":
    sys.exit(main())
