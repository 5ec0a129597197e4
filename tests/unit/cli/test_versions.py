"""Packages: what is needed has to be there, in versions that work; what is not of this installation is a note."""

from __future__ import annotations

import pytest

from target.cli.checks import BAD, GOOD, NOTE
from target.cli.versions import check_packages, check_required

REQUIRED = [
    "urllib3<3,>=2.6",
    'click<9,>=8.2; extra == "cli"',
    "aiohttp<4,>=3.11; extra == 'aiohttp'",
    "mmh3<6,>=4.1; extra == 'on-device'",
    "ua-parser<2,>=1.0; extra == 'on-device'",
]


def checked(**versions: str) -> dict[str, tuple[str, str, str]]:
    installed = {"urllib3": "2.6.0", "click": "8.2", **versions}
    return {check.name: check[1:] for check in check_required(REQUIRED, installed.get)}


def test_what_fits_is_told_with_its_version() -> None:
    assert checked() == {"packages": (GOOD, "urllib3 2.6.0", ""), "extra cli": (GOOD, "click 8.2", "")}
    assert checked(mmh3="5.0rc1", **{"ua-parser": "1.0.1"})["extra on-device"][0] == GOOD


def test_what_is_needed_in_another_version_is_a_finding() -> None:
    old = checked(urllib3="1.26.20")["packages"]
    assert old == (BAD, "urllib3 is 1.26.20, not <3,>=2.6", "pip install 'target-delivery'")
    assert checked(click="9.0")["extra cli"][0] == BAD


def test_what_of_an_extra_is_missing_or_old_is_a_note() -> None:
    assert checked(mmh3="5.0")["extra on-device"] == (
        NOTE,
        "ua-parser is not installed",
        "pip install 'target-delivery[on-device]', if you use the extra on-device",
    )
    assert checked(aiohttp="3.9.5")["extra aiohttp"][1] == "aiohttp is 3.9.5, not <4,>=3.11"


@pytest.mark.slow
def test_this_installation_is_well() -> None:
    found = {check.name: check.verdict for check in check_packages()}
    assert found["version"] == found["packages"] == found["extra cli"] == GOOD
