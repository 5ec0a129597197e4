# ruff: noqa: E501 - a line of a caller's file is one here
"""Options of calls: their spelling wherever they are put together, what goes by place, and what means another thing."""

from __future__ import annotations

import pytest

from target.migrate.names import spell_event, spell_option
from target.migrate.plan import MARK
from target.migrate.rewrite import rewrite

IMPORT, NOW = "from target_python_sdk import TargetClient\n", "from target import TargetClient\n"
OPTIONS = {
    "a dict in the call": ("TargetClient.create({'organizationId': 1})", "TargetClient.create({'organization_id': 1})"),
    "a dict that is made": (
        "TargetClient.create(dict(propertyToken=1))",
        "TargetClient.create(dict(property_token=1))",
    ),
    "a dict of a name": (
        'o = {"serverDomain": 1}\no["propertyToken"] = 2\no.update(sessionId=3)\no.pop("targetCookie", 0)\nc.get_offers(o)',
        'o = {"server_domain": 1}\no["property_token"] = 2\no.update(session_id=3)\no.pop("target_cookie", 0)\nc.get_offers(o)',
    ),
    "a dict of another function's name": (
        "def f():\n    o = {'targetCookie': 1}\n    c.get_offers(o)\ndef g():\n    o = {'targetCookie': 1}\n    return o",
        "def f():\n    o = {'target_cookie': 1}\n    c.get_offers(o)\ndef g():\n    o = {'targetCookie': 1}\n    return o",
    ),
    "an attribute": (
        "class A:\n    O = {'clientCode': 1}\n    def __init__(self):\n        self.o = {'targetLocationHint': 1}\n"
        "        TargetClient.create({**self.o, **self.O})",
        f"class A:\n    {MARK}there is no option 'clientCode'\n    O = {{'clientCode': 1}}\n    def __init__(self):\n"
        "        self.o = {'target_location_hint': 1}\n        TargetClient.create({**self.o, **self.O})",
    ),
    "what a function returns": (
        "def o(): return {'cdnEnvironment': 1} | {'cdnBasePath': 1}\nTargetClient.create(o())",
        "def o(): return {'cdn_environment': 1} | {'cdn_base_path': 1}\nTargetClient.create(o())",
    ),
    "a copy, a choice, a walrus": (
        "o = {'sessionId': 1}\nc.get_offers(o.copy())\nc.get_offers(p := {'errCallback': 1} if x else {'consumerId': 1})",
        "o = {'session_id': 1}\nc.get_offers(o.copy())\nc.get_offers(p := {'err_callback': 1} if x else {'consumer_id': 1})",
    ),
    "keywords": (
        "c.send_notifications(request=r, targetCookie=1, **{'customerIds': 2})",
        "c.send_notifications(request=r, target_cookie=1, **{'customer_ids': 2})",
    ),
    "the parameter's name": (
        "TargetClient.create(options=o)\nc.get_attributes(options={'sessionId': 1}, mbox_names=['a'])\n"
        "c.get_attributes(['a'], options=None)",
        "TargetClient.create(o)\nc.get_attributes(['a'], {'session_id': 1})\nc.get_attributes(['a'], None)",
    ),
    "parameters that cannot go by place": (
        "c.get_attributes(options=o, **more)",
        f"{MARK}mbox_names and options are given by place here\nc.get_attributes(options=o, **more)",
    ),
    "the wire form stays": (
        "c.get_offers({'request': {'environmentId': 1, 'context': {'timeOffsetInMinutes': 1}}})",
        "c.get_offers({'request': {'environmentId': 1, 'context': {'timeOffsetInMinutes': 1}}})",
    ),
    "what is no option": (
        "TargetClient.create({'telemetry_enable': 1, 'colour': 2})",
        f"{MARK}there is no option 'colour'\nTargetClient.create({{'telemetry_enabled': 1, 'colour': 2}})",
    ),
    "seconds": (
        "TargetClient.create({'pollingInterval': 300})\nTargetClient.create({'polling_interval': 300000})",
        f"{MARK}polling_interval is in milliseconds; target-python-sdk took seconds\n"
        "TargetClient.create({'polling_interval': 300})\nTargetClient.create({'polling_interval': 300000})",
    ),
    "a visitor": (
        "c.get_offers({'visitor': v})",
        f"{MARK}visitor takes a target.Visitor; or give visitor_cookie, the value of the AMCV_ cookie\n"
        "c.get_offers({'visitor': v})",
    ),
    "events": (
        "def failed(event): return event.error, event.other, other.error\n"
        "E = {'artifactDownloadFailed': failed, 'clientReady': lambda e: e.type}\nTargetClient.create({'events': E})",
        'def failed(event): return event["error"], event.other, other.error\n'
        "E = {'artifact_download_failed': failed, 'client_ready': lambda e: e[\"type\"]}\n"
        "TargetClient.create({'events': E})",
    ),
    "a handler that takes nothing": (
        "@once\ndef ready():\n    pass\nTargetClient.create({'events': {'client_ready': ready}})",
        f"{MARK}a handler is called with one dict, the event\n@once\ndef ready():\n    pass\n"
        "TargetClient.create({'events': {'client_ready': ready}})",
    ),
    "another's create": ("Order.create({'targetCookie': 1})", "Order.create({'targetCookie': 1})"),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_options(name: str) -> None:
    before, after = OPTIONS[name]
    written = rewrite(f"{IMPORT}{before}\n".encode())
    assert written.decode() == f"{NOW}{after}\n"
    assert rewrite(written) == written


@pytest.mark.parametrize(
    ("written", "option"),
    [
        ("organizationId", "organization_id"),
        ("organization_id", "organization_id"),
        ("OrganizationID", "organization_id"),
        ("callback", "callback"),
        ("errCallback", "err_callback"),
        ("telemetry_enable", "telemetry_enabled"),
        ("organization", None),
        ("", None),
    ],
)
def test_spellings(written: str, option: str | None) -> None:
    assert spell_option(written) == option


def test_spellings_of_events() -> None:
    assert spell_event("artifactDownloadSucceeded") == "artifact_download_succeeded"
    assert spell_event("ready") is None
