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
            (check if options.check else replace)(fresh, options.package)
    except GenerationError as error:
        sys.stderr.write(f"{error}\n")
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
    style = ("--isolated", "--no-cache", "--no-respect-gitignore", "--quiet", "--target-version=py311")
    run("ruff", "check", "--fix", "--select=F,I", *style, "--line-length=120", package)
    run("ruff", "format", *style, "--line-length=120", package)
    header = (package / "__init__.py").read_text(encoding="utf-8").partition("\n")[0]
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
    """Put the fresh package where the old one is, so that no file of the old one stays."""
    if package.exists():
        shutil.rmtree(package)
    shutil.copytree(fresh, package)


def check(fresh: Path, package: Path) -> None:
    """Raise GenerationError, naming every file that differs, unless the package is the fresh one."""
    if lines := differences(fresh, package):
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
