"""Writes generated/target_delivery_api from delivery-api.yaml, or checks that it is what would be written."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
GENERATED = ROOT / "generated" / "target_delivery_api"


class GenerationError(Exception):
    """Why nothing was generated, in words for whoever ran it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the package, or with --check compare it; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the package is not up to date")
    parser.add_argument("--package", type=Path, default=GENERATED, help="the package (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory() as folder:
            fresh = Path(folder) / GENERATED.name
            generate(fresh)
            if options.check:
                return report(differences(fresh, options.package), options.package)
            shutil.rmtree(options.package, ignore_errors=True)
            shutil.copytree(fresh, options.package)
    except GenerationError as error:
        print(f"generate: {error}", file=sys.stderr)
        return 1
    return 0


def generate(package: Path) -> None:
    """Write the package into a folder that does not exist yet. Raises GenerationError."""
    check_pins()
    # -m finds the tools beside this interpreter, at the versions just checked, whatever PATH says.
    run(
        *("openapi_python_client", "generate", "--meta", "none", "--fail-on-warning"),
        *("--path", HERE / "delivery-api.yaml", "--config", HERE / "codegen.yaml"),
        *("--custom-template-path", HERE / "templates", "--output-path", package),
    )
    for module in package.rglob("*.py"):
        if not module.read_text(encoding="utf-8").strip():
            module.unlink()  # a map written in place, which the templates give no name
    # --isolated: the bytes must not depend on this project's own ruff settings.
    style = ("--isolated", "--no-cache", "--no-respect-gitignore", "--quiet", "--target-version=py311", "--line-length=120")
    run("ruff", "check", "--fix", "--select=F,I", *style, package)
    run("ruff", "format", *style, package)
    header = (package / "__init__.py").read_text(encoding="utf-8").partition("\n")[0]
    (package / "py.typed").write_text(header + "\n", encoding="utf-8")


def check_pins() -> None:
    """Raise GenerationError unless the tools have exactly the versions pyproject.toml pins."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for pin in project["optional-dependencies"]["generate"]:
        name, _, wanted = pin.partition("==")
        try:
            found = version(name)
        except PackageNotFoundError:
            found = "none"
        if found != wanted:
            raise GenerationError(f"pyproject.toml pins {name} {wanted}, but {found} is installed; run `make clean generate`")


def run(module: str, *arguments: str | Path) -> None:
    """Run a tool and raise GenerationError if it fails or says anything on stderr, where warnings go."""
    done = subprocess.run([sys.executable, "-m", module, *arguments], capture_output=True, text=True, check=False)
    if done.returncode or done.stderr:
        raise GenerationError(f"{module} {arguments[0]} failed ({done.returncode})\n{done.stdout}{done.stderr}")


def differences(fresh: Path, package: Path) -> list[str]:
    """One line for each file that is edited, missing or extra in the package, byte for byte."""
    wanted, found = files(fresh), files(package)
    lines = [f"missing: {name}" for name in wanted.keys() - found.keys()]
    lines += [f"extra: {name}" for name in found.keys() - wanted.keys()]
    lines += [f"edited: {name}" for name in wanted.keys() & found.keys() if wanted[name] != found[name]]
    return sorted(lines)


def files(package: Path) -> dict[str, bytes]:
    """Every file by its path within the package, but for what Python caches."""
    paths = (path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(package).as_posix(): path.read_bytes() for path in paths}


def report(lines: list[str], package: Path) -> int:
    """Print what differs and how to mend it; returns the exit code."""
    if not lines:
        return 0
    print(f"{package} is not what openapi/ generates:", *lines, sep="\n  ")
    print("Run `make generate` and commit what it writes.")
    return 1


if __name__ == "__main__":
    sys.exit(main())
