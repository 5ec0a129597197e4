"""Takes over what the emulator's page needs from the npm registry: scripts and a style, with their licences.

Versions are named here. npm checks what it downloads against the registry's checksums; tests hold the files to the
hashes that this writes. It needs npm.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

STATIC = Path(__file__).parents[1] / "target" / "emulator" / "page" / "static"
#: Package and version: the file in it, and what it is called here.
PACKAGES = {
    "htmx.org@2.0.10": {"dist/htmx.min.js": "htmx.min.js", "LICENSE": "htmx.LICENSE"},
    "htmx-ext-sse@2.2.4": {"dist/sse.min.js": "sse.min.js", "LICENSE": "sse.LICENSE"},
    "@picocss/pico@2.1.1": {"css/pico.classless.min.css": "pico.classless.min.css", "LICENSE.md": "pico.LICENSE"},
}


def main() -> int:
    """Write the files, and their hashes; the exit code."""
    hashes: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        for package, taken in PACKAGES.items():
            packed = subprocess.run(
                ["npm", "pack", "--json", package], cwd=folder, check=True, capture_output=True, text=True
            )
            with tarfile.open(Path(folder, json.loads(packed.stdout)[0]["filename"])) as archive:
                for inside, name in taken.items():
                    found = archive.extractfile(f"package/{inside}")
                    if found is None:
                        sys.exit(f"{package} has no {inside}")
                    content = found.read()
                    (STATIC / name).write_bytes(content)
                    hashes[name] = hashlib.sha256(content).hexdigest()
    told = {"packages": list(PACKAGES), "files": dict(sorted(hashes.items()))}
    (STATIC / "vendored.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    print(f"took over {', '.join(PACKAGES)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
