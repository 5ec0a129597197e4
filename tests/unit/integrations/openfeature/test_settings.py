"""Options of a provider: what is wrong with one is told when it is made."""

from __future__ import annotations

from typing import Any

import pytest
from openfeature.hook import Hook

from target import OptionsError, TargetClient
from target.integrations.openfeature import TargetProvider
from target.integrations.openfeature._settings import parse_settings


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"mbox": ["home"]}, "no option 'mbox': known are mboxes"),
        ({"mboxes": []}, "mboxes must name 1 to 50"),
        ({"mboxes": [f"m{number}" for number in range(51)]}, "mboxes must name 1 to 50"),
        ({"mboxes": [""]}, "mboxes must be names"),
        ({"mboxes": 5}, "mboxes must be names"),
        ({"exposure": "seen"}, "'prefetch' or 'execute'"),
        ({"exposure": ["prefetch"]}, "'prefetch' or 'execute'"),
        ({"exposure": "execute"}, "name that in mboxes"),
        ({"targeting_key": "email"}, "must be one of 'thirdPartyId'"),
        ({"targeting_key": 5}, "must be one of 'thirdPartyId'"),
        ({"targeting_key": "customerId"}, "needs an integration_code"),
        ({"integration_code": "crm"}, "needs an integration_code"),
        ({"targeting_key": "customerId", "integration_code": ""}, "needs an integration_code"),
        ({"targeting_key": "customerId", "integration_code": 5}, "needs an integration_code"),
        ({"ready_timeout": -1}, "ready_timeout must be milliseconds"),
        ({"ready_timeout": "5"}, "ready_timeout must be milliseconds"),
        ({"ready_timeout": True}, "ready_timeout must be milliseconds"),
        ({"max_age": float("nan")}, "max_age must be milliseconds"),
        ({"max_age": float("inf")}, "max_age must be milliseconds"),
        ({"hooks": 5}, "hooks must be"),
        ({"requires_targeting_key": "no"}, "requires_targeting_key must be"),
    ],
)
def test_what_is_wrong_is_told_with_what_to_do(options: dict[str, Any], match: str) -> None:
    with pytest.raises(OptionsError, match=match):
        parse_settings(options)


def test_what_is_right_is_taken(client: TargetClient) -> None:
    hook = Hook()
    provider = TargetProvider(client, mboxes="home", exposure="execute", max_age=0, hooks=[hook])
    assert provider._settings.mboxes == ("home",)
    assert provider.get_provider_hooks() == [hook]
    assert provider.get_metadata().name == "Adobe Target"
    assert parse_settings({"mboxes": None, "integration_code": None}).known is None
