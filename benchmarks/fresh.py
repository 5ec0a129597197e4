"""What only a fresh interpreter can tell: how long an import takes, what the first call costs, how memory grows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

IMPORT_URLLIB3 = "import urllib3"
IMPORT_TARGET = """
from target import TargetClient
TargetClient.create(client="acme", organization_id="0123456789ABCDEF01234567@AdobeOrg")
"""
# Modules are counted before json is imported for the report; target and urllib3 import it anyway.
_TIMED = """
import sys, time
before = len(sys.modules)
started = time.perf_counter()
{code}
taken = time.perf_counter() - started
modules = len(sys.modules) - before
import json
print(json.dumps([taken, modules]))
"""
# Naming the models of the request loads them, so that is part of a first call.
_OUR_FIRST_CALL = """
import json, time
from target import TargetClient
client = TargetClient.create(
    client="acme", organization_id="1@AdobeOrg", server_domain={domain!r}, secure=False, edge_routing=False
)
started = time.perf_counter()
from benchmarks.delivery import TARGET_COOKIE, build_request
client.get_offers(request=build_request(), target_cookie=TARGET_COOKIE)
print(json.dumps(time.perf_counter() - started))
"""
_BARE_FIRST_CALL = """
import json, time, urllib3
pool = urllib3.PoolManager()
started = time.perf_counter()
json.loads(pool.request("POST", {url!r}, body={body!r}).data)
print(json.dumps(time.perf_counter() - started))
"""
_MEMORY = """
import json
from benchmarks.memory import held_after
from benchmarks.ways import our_call
print(json.dumps(held_after(our_call({url!r}, None), {marks!r}, traced={traced!r})))
"""


class Imported(NamedTuple):
    """Seconds that some code took in a fresh interpreter, and the modules it loaded."""

    seconds: float
    modules: int


def time_import(code: str, python: str) -> Imported:
    """Run ``code`` in a fresh interpreter; starting that is not counted."""
    return Imported(*run(_TIMED.format(code=code), python))


def time_imports(codes: Sequence[tuple[str, str]], rounds: int) -> list[list[Imported]]:
    """``rounds`` fresh interpreters for each (code, interpreter), in turn; one before fills the bytecode caches."""
    for code, python in codes:
        time_import(code, python)
    taken: list[list[Imported]] = [[] for _ in codes]
    for _ in range(rounds):
        for (code, python), times in zip(codes, taken, strict=True):
            times.append(time_import(code, python))
    return taken


def time_first_calls(server_url: str, body: str, rounds: int) -> tuple[list[float], list[float]]:
    """Seconds of the first call of a process, connecting included: ours, which loads the models, and bare."""
    ours = _OUR_FIRST_CALL.format(domain=server_url.removeprefix("http://"))
    bare = _BARE_FIRST_CALL.format(url=server_url, body=body)
    pairs = [(run(ours), run(bare)) for _ in range(rounds)]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def memory_held(url: str, marks: Sequence[int], *, traced: bool) -> list[int]:
    """Bytes a process that only makes our calls holds after each number of them."""
    held: list[int] = run(_MEMORY.format(url=url, marks=list(marks), traced=traced))
    return held


def run(code: str, python: str = sys.executable) -> Any:
    """What ``code``, run in a fresh interpreter, prints as JSON. Raises CalledProcessError when it fails."""
    # Else an environment that forbids them would have every round compile what users' installers have compiled.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [python, "-W", "ignore", "-c", code]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=300, env=environment)
    return json.loads(done.stdout)
