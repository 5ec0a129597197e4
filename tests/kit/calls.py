"""The call that these tests make, and how they look at what comes of it."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from target import TargetClient, TargetError

SESSION_ID = "Session-77c1"
DEVICE_ID = "Device-a9f3.38_0"
COOKIE = f"PC#{DEVICE_ID}#9999999999"
SLACK_S = 1.5  # what a loaded machine may add; what is wrong adds more, or never ends

MakeClient = Callable[..., TargetClient]
ACCOUNT: Any = {"client": "acme", "organization_id": "1234@AdobeOrg"}
REQUEST: Any = {"execute": {"mboxes": [{"name": "home"}]}}
CALL: Any = {
    "request": REQUEST,
    "session_id": SESSION_ID,
    "target_cookie": COOKIE,
}


def options_of(domain: str, **options: Any) -> Any:
    """Options of a client of the server at ``domain``, over plain HTTP unless ``options`` say otherwise."""
    return {**ACCOUNT, "server_domain": domain, "secure": False, "edge_routing": False, **options}


def client_of(domain: str, **options: Any) -> TargetClient:
    """A client with these options; close it."""
    return TargetClient.create(**options_of(domain, **options))


def error_of(domain: str, **options: Any) -> TargetError:
    """What a call of a client of ``domain`` raises."""
    with client_of(domain, **options) as client, pytest.raises(TargetError) as caught:
        client.get_offers(**CALL)
    return caught.value


def expect(error: type[TargetError], call: Callable[[], object], match: str | None = None) -> TargetError:
    """The error of ``call``: of exactly this type, with a cause, and with no id or query in anything that is shown."""
    with pytest.raises(error, match=match) as caught:
        call()
    assert type(caught.value) is error
    assert_discreet(caught.value)
    return caught.value


def assert_discreet(error: BaseException) -> None:
    told = everything_of(error)
    for secret in (SESSION_ID, DEVICE_ID, "Device-a9f3", "sessionId=", "imsOrgId="):
        assert secret not in told


def everything_of(error: BaseException | None, seen: set[int] | None = None) -> str:
    """Whatever a log, a debugger or a tracker of errors may show of ``error`` and of what led to it; not ``body``."""
    seen = set() if seen is None else seen
    if error is None or id(error) in seen:
        return ""
    seen.add(id(error))
    shown = [*traceback.format_exception(error), str(error), repr(error), repr(error.args), *map(repr, error.args)]
    held = [name for name in dir(error) if not isinstance(getattr(type(error), name, None), property)]
    shown += [repr(getattr(error, name, "")) for name in held if not name.startswith("__") and name != "body"]
    shown += [repr(getattr(error, "__notes__", "")), everything_of(error.__cause__, seen)]
    return "\n".join([*shown, everything_of(error.__context__, seen)])


def timed(call: Callable[[], object]) -> float:
    started = time.monotonic()
    call()
    return time.monotonic() - started


def eventually(condition: Callable[[], object], within_s: float = 20.0) -> bool:
    """Whether ``condition`` holds soon: other threads and the kernel need a moment."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.005)
    return bool(condition())
