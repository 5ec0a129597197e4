"""Writes generated/target_delivery_api, and the list of its models in target/__init__.py, from delivery-api.yaml, or
checks that they are what would be written."""

from __future__ import annotations

import argparse
import ast
import json
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from joined import join_models
from published.plain import as_lists
from published.reading import read
from published.references import Unusable, parse
from told import told

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
SPEC = HERE / "delivery-api.yaml"
GENERATED = ROOT / "generated" / "target_delivery_api"
# In target/__init__.py, beside the package's folder, what stands between these lines is written here.
LIST_BEGINS = "# Every model and enum of the API, written by `make generate`: do not edit.\n"
LIST_ENDS = "# The end of what `make generate` writes.\n"


class GenerationError(Exception):
    """Why nothing was generated, in words for whoever ran it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the package, or with --check compare it; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the package is not up to date")
    parser.add_argument("--package", type=Path, default=GENERATED, help="the package (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        (verify if options.check else write)(options.package)
    except (GenerationError, Unusable) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def write(package: Path) -> None:
    """Generate, and put what is fresh in the place of the package. Raises GenerationError and then changes nothing."""
    with tempfile.TemporaryDirectory() as folder:
        generate(fresh := Path(folder) / GENERATED.name)
        replace(fresh, package)


def verify(package: Path) -> None:
    """Raise GenerationError unless the package is what would be written."""
    with tempfile.TemporaryDirectory() as folder:
        generate(fresh := Path(folder) / GENERATED.name)
        check(fresh, package)


def generate(package: Path) -> None:
    """Write the package into a folder that does not exist yet. Raises GenerationError."""
    check_pins()
    with tempfile.TemporaryDirectory() as folder:
        spec = Path(folder) / "openapi.json"
        spec.write_text(json.dumps(told(parse(SPEC))), encoding="utf-8")
        # -m finds the tools beside this interpreter, at the versions just checked, whatever PATH says.
        run(
            *("openapi_python_client", "generate", "--meta", "none", "--fail-on-warning"),
            *("--path", spec, "--config", HERE / "codegen.yaml"),
            *("--custom-template-path", HERE / "templates", "--output-path", package),
        )
    schemas = {name: as_lists(schema) for name, schema in read(SPEC).schemas.items()}
    header = (package / "__init__.py").read_text(encoding="utf-8").partition("\n")[0]
    text = f'{header}\n"""The schemas of the API as the spec has them, without its texts."""\n\n'
    text += "from typing import Any, Final\n\n"
    text += f"SCHEMAS: Final[dict[str, dict[str, Any]]] = {schemas!r}\n"
    (package / "schemas.py").write_text(text, encoding="utf-8")
    for module in package.rglob("*.py"):
        if not module.read_text(encoding="utf-8").strip():
            module.unlink()  # a map written in place, which the templates give no name
    join_models(package)
    # --isolated: the bytes must not depend on this project's own ruff settings.
    style = ("--isolated", "--no-cache", "--no-respect-gitignore", "--quiet", "--target-version=py311")
    run("ruff", "check", "--fix", "--select=F,I", *style, "--line-length=120", package)
    run("ruff", "format", *style, "--line-length=120", package)
    (package / "py.typed").write_text(header + "\n", encoding="utf-8")


def check_pins() -> None:
    """Raise GenerationError unless the tools have exactly the versions pyproject.toml pins."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
    for pin in groups["generate"]:
        name, _, wanted = pin.partition("==")
        try:
            found = version(name)
        except PackageNotFoundError:
            found = "none"
        if found != wanted:
            raise GenerationError(
                f"pyproject.toml pins {name} {wanted}, but {found} is installed. Run `make clean generate`."
            )


def run(module: str, *arguments: str | Path) -> None:
    """Run a tool and raise GenerationError if it fails or says anything on stderr, where warnings go."""
    # In openapi/, because -m puts the folder it runs in on the import path.
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], cwd=HERE, capture_output=True, text=True, check=False
    )
    if done.returncode or done.stderr:
        raise GenerationError(f"{module} {arguments[0]} ended with {done.returncode}:\n{done.stdout}{done.stderr}")


def replace(fresh: Path, package: Path) -> None:
    """Put the fresh package where the old one is, so that no file of the old one stays, and its models on the list."""
    door = front_door(package)
    listed = list_models(door, fresh) if door.exists() else None
    if package.exists():
        shutil.rmtree(package)
    shutil.copytree(fresh, package)
    if listed is not None:
        door.write_text(listed, encoding="utf-8")


def front_door(package: Path) -> Path:
    """The module that exports the models to users, if the package is where it belongs."""
    return package.resolve().parents[1] / "target" / "__init__.py"


def list_models(door: Path, package: Path) -> str:
    """The text of the front door with the models of ``package``, but for those that it exports from elsewhere."""
    before, begins, rest = door.read_text(encoding="utf-8").partition(LIST_BEGINS)
    _, ends, after = rest.partition(LIST_ENDS)
    if not ends:
        raise GenerationError(f"{door} has no lines {LIST_BEGINS!r} and {LIST_ENDS!r} any more")
    exported = ast.parse((package / "models" / "__init__.py").read_text(encoding="utf-8"))
    (names,) = [node.value for node in exported.body if isinstance(node, ast.Assign) and "__all__" in ast.unparse(node)]
    models = [name for name in sorted(ast.literal_eval(names)) if f'    "{name}",\n' not in before]
    imports = "".join(f"        {name},\n" for name in models)
    entries = "".join(f'    "{name}",\n' for name in models)
    listing = (
        f"if TYPE_CHECKING:\n    from target_delivery_api.models import (\n{imports}    )\n__all__ += [\n{entries}]\n"
    )
    return before + begins + listing + ends + after


def check(fresh: Path, package: Path) -> None:
    """Raise GenerationError, naming every file that differs, unless package and front door are what they should be."""
    lines = differences(fresh, package)
    door = front_door(package)
    if door.exists() and door.read_text(encoding="utf-8") != list_models(door, fresh):
        lines.append(f"edited: {door.parent.name}/{door.name}")
    if lines:
        listing = "\n  ".join(lines)
        raise GenerationError(
            f"{package} is not what openapi/ generates:\n  {listing}\nRun `make generate` and commit what it writes."
        )


def differences(fresh: Path, package: Path) -> list[str]:
    """One line for each file that is edited, missing or extra in the package, byte for byte."""
    wanted, found = files(fresh), files(package)
    lines = [f"missing: {name}" for name in wanted.keys() - found.keys()]
    lines += [f"extra: {name}" for name in found.keys() - wanted.keys()]
    lines += [f"edited: {name}" for name in wanted.keys() & found.keys() if wanted[name] != found[name]]
    return sorted(lines)


def files(package: Path) -> dict[str, bytes]:
    """Every file by its path within the package, but for what Python caches."""
    names = (path.relative_to(package) for path in package.rglob("*") if path.is_file())
    return {name.as_posix(): (package / name).read_bytes() for name in names if "__pycache__" not in name.parts}


if __name__ == "__main__":
    sys.exit(main())
