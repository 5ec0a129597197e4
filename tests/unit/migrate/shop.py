"""A shop for Adobe's SDK, of the calls and spellings that Adobe's public pages show; its words and wares are ours."""

from __future__ import annotations

FILES = {
    "settings.py": """\
# Every page of the shop shares these.
TARGET_DOMAIN = "localhost:0"  # where the tests listen
LOGGING = {
    "version": 1,
    "loggers": {'adobe.target': {"level": "INFO"}},
}
""",
    "personalization.py": '''\
"""The shop's one Target client."""
import logging
from target_python_sdk import TargetClient

from settings import TARGET_DOMAIN

seen = []


def client_ready_callback(ready_event):
    seen.append(ready_event.type)


def download_failed(event):
    logging.getLogger("adobe.target").error("no rules from %s: %s", event.artifact_location, event.error)


CLIENT_OPTIONS = {
    "client": "acmeclient",
    "organizationId": "1234567890@AdobeOrg",   # of the test account
    "events": {
        "clientReady": client_ready_callback,
        "artifact_download_failed": download_failed,
    },
    'timeout': 2000,
}
CLIENT_OPTIONS["serverDomain"] = TARGET_DOMAIN
CLIENT_OPTIONS.update(secure=False, edge_routing=False)

target_client = TargetClient.create(CLIENT_OPTIONS)
''',
    "views.py": '''\
"""Pages."""
from delivery_api_client import Context
from delivery_api_client import ChannelType
from delivery_api_client import DeliveryRequest, ExecuteRequest, PrefetchRequest
from delivery_api_client import (
    MetricType,
    ModelProperty,  # a property of the account
    Notification,
    NotificationMbox as ShownMbox,
)
from delivery_api_client.Model.mbox_request import MboxRequest
from delivery_api_client.Model import address
from delivery_api_client.exceptions import ApiException
import delivery_api_client.Model.visitor_id
from target_tools.utils import get_epoch_time_milliseconds

from personalization import target_client


def home(cookies):
    """What the home page shows, and the cookies to set."""
    request = DeliveryRequest(
        context=Context(channel=ChannelType.WEB, address=address.Address(url="https://shop.example/")),
        id=delivery_api_client.Model.visitor_id.VisitorId(third_party_id="customer-7"),
        _property=ModelProperty(token="a-token"),
        execute=ExecuteRequest(mboxes=[MboxRequest(name="home", index=1)]),
    )
    try:
        response = target_client.get_offers({
            "request": request,
            "targetCookie": cookies.get("mbox"),
            "session_id": "session-of-home",
        })
    except ApiException as error:
        return error.body, None
    cookie = response.get("target_cookie")
    return response.get("response").execute.mboxes[0].options[0].content, (cookie["value"], cookie["maxAge"])


def product(cookies):
    """A page that says later what it showed."""
    options = dict(
        request=DeliveryRequest(prefetch=PrefetchRequest(mboxes=[MboxRequest(name="product1", index=1)])),
        targetCookie=cookies.get("mbox"),
    )
    response = target_client.get_offers(options)
    mbox = response.get("response").prefetch.mboxes[0]
    notification = Notification(
        id="shown-1",
        type=MetricType.DISPLAY,
        timestamp=get_epoch_time_milliseconds(),
        mbox=ShownMbox(name=mbox.name, state=mbox.state),
        tokens=[option.event_token for option in mbox.options],
    )
    sent = target_client.send_notifications(options={
        "request": DeliveryRequest(notifications=[notification]),
        "target_cookie": response.get("target_cookie").get("value"),
    })
    return [taken.id for taken in sent.get("response").notifications]


def payment():
    """A flag."""
    attributes = target_client.get_attributes(mbox_names=["feature-flag-a"], options={"sessionId": "session-of-pay"})
    return attributes.get_value("feature-flag-a", "paymentExperience")
''',
}
