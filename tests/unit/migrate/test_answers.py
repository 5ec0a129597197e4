"""Models that are made and answers that are read: what is the same thing here is written, what is not is said."""

from __future__ import annotations

import pytest

from target.migrate.plan import MARK
from target.migrate.rewrite import rewrite

IMPORT = "from delivery_api_client import DeliveryRequest, MboxRequest\n"
NOW = "from target import DeliveryRequest, MboxRequest\n"
KEYS = f"{MARK}to_dict() of a model or result has the API's keys: eventToken, not event_token\n"
ANSWERS = {
    "the underscore of property": (
        "r = DeliveryRequest(_property=p)\nr._property = q\nself._property = f(_property=1)",
        "r = DeliveryRequest(property=p)\nr.property = q\nself._property = f(_property=1)",
    ),
    "arguments by place": (
        "MboxRequest(1, 'home')\nMboxRequest(*parts)\nMboxRequest(name='home')",
        f"{MARK}MboxRequest takes keyword arguments only\nMboxRequest(1, 'home')\nMboxRequest(*parts)\n"
        "MboxRequest(name='home')",
    ),
    "the age of a cookie": (
        "a = result['target_cookie']['maxAge'], cookie.get('maxAge', 0)\nb = options['maxAge']",
        "a = result['target_cookie']['max_age'], cookie.get('max_age', 0)\n"
        f"{MARK}the key of a cookie of a result is max_age\nb = options['maxAge']",
    ),
    "keys of a dict": ("x = model.to_dict()['event_token']", f"{KEYS}x = model.to_dict()['event_token']"),
    "pandas": ("x = frame.to_dict('records')", "x = frame.to_dict('records')"),
    "errors": (
        "from delivery_api_client.exceptions import ApiException\n"
        "try:\n    f()\nexcept (KeyError, ApiException) as e:\n    log(e.status, e.body)\n    log(e.reason)\n"
        "except ValueError as e:\n    log(e.reason)",
        "from target import ApiError\n"
        "try:\n    f()\nexcept (KeyError, ApiError) as e:\n    log(e.status, e.body)\n"
        f"    {MARK}ApiError has status, message, request_id and body; no reason\n    log(e.reason)\n"
        "except ValueError as e:\n    log(e.reason)",
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_answers(name: str) -> None:
    before, after = ANSWERS[name]
    written = rewrite(f"{IMPORT}{before}\n".encode())
    assert written.decode() == f"{NOW}{after}\n"
    assert rewrite(written) == written
