"""Adobe's SDKs, and the emulators that they are driven against."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from target.emulator import Emulator, running
from tests.official.sdks import Missing, Sdk, open_node, open_python


@pytest.fixture(scope="module", params=["node", "python"])
def sdk(request: pytest.FixtureRequest) -> Iterator[Sdk]:
    try:
        opened = {"node": open_node, "python": open_python}[request.param]()
    except Missing as why:
        pytest.skip(str(why))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def emulators() -> Iterator[tuple[Emulator, Emulator]]:
    """One for calls, and one over HTTPS for rules and places, which is how Python's SDK fetches them."""
    with running() as emulator, running(tls=True) as cdn:
        yield emulator, cdn


@pytest.fixture
def emulator(emulators: tuple[Emulator, Emulator], sdk: Sdk) -> Emulator:
    sdk.close()  # what the last test's had still to tell would be taken for this one's
    for each in emulators:
        each.reset()
    return emulators[0]


@pytest.fixture
def cdn(emulators: tuple[Emulator, Emulator]) -> Emulator:
    return emulators[1]
