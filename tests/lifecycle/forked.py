"""Scripts that fork, each way there is."""

from __future__ import annotations

import textwrap

from tests.kit import processes

BEGIN = """
import asyncio, contextlib, os, signal, sys, threading, time
from tests.lifecycle.forking import *
from tests.kit.calls import REQUEST, client_of, options_of
from tests.kit.threads import threads_of
from target import AsyncTargetClient, Outbox, TargetError
domain = sys.argv[1]
"""


def run_script(script: str, *arguments: object) -> str:
    return processes.run_script(BEGIN + textwrap.dedent(script), *arguments)
