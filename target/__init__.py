"""The Python SDK for the Adobe Target Delivery API: everything a user imports is here."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import target._background.runtime  # noqa: F401 - says where time and ids come from, whatever is imported next
from target.errors import (
    ApiError,
    ArtifactError,
    ArtifactNotReady,
    AttributeNotFound,
    BackgroundFull,
    CacheError,
    ClientClosed,
    OptionsError,
    OutboxFull,
    TargetError,
    TargetTimeout,
    TargetUnavailable,
    TransportError,
)
from target.version import __version__ as __version__

if TYPE_CHECKING:
    from target._background.workers import AsyncResult
    from target._outbox.handle import OutboxHandle
    from target.aio import AsyncTargetClient
    from target.artifact_info import ArtifactInfo
    from target.attributes import AttributesProvider
    from target.client import TargetClient
    from target.decisioning.explanation import Explanation
    from target.experience import Experience, Override
    from target.hooks import (
        Additions,
        Attempt,
        CallInfo,
        CallOutcome,
        ClientInfo,
        Hook,
        NotificationInfo,
    )
    from target.model_methods import ClientHints, Context
    from target.options import ClientOptions, RequestOptions
    from target.outbox import DeadLetter, Outbox
    from target.qa_mode import qa_mode_from_cookie, qa_mode_from_url, qa_mode_to_cookie
    from target.reasons import PartDecision
    from target.response import Meta, TargetCookie, TargetDeliveryResponse
    from target.status import ClientStatus
    from target.visitor import Visitor
    from target.web.async_visit import AsyncVisit
    from target.web.options import SiteOptions
    from target.web.request import WebRequest
    from target.web.site import Site
    from target.web.visit import Visit

__all__ = [
    "Additions",
    "ApiError",
    "ArtifactError",
    "ArtifactInfo",
    "ArtifactNotReady",
    "AsyncResult",
    "AsyncTargetClient",
    "AsyncVisit",
    "Attempt",
    "AttributeNotFound",
    "AttributesProvider",
    "BackgroundFull",
    "CacheError",
    "CallInfo",
    "CallOutcome",
    "ClientClosed",
    "ClientHints",
    "ClientInfo",
    "ClientOptions",
    "ClientStatus",
    "Context",
    "DeadLetter",
    "Experience",
    "Explanation",
    "Hook",
    "Meta",
    "NotificationInfo",
    "OptionsError",
    "Outbox",
    "OutboxFull",
    "OutboxHandle",
    "Override",
    "PartDecision",
    "RequestOptions",
    "Site",
    "SiteOptions",
    "TargetClient",
    "TargetCookie",
    "TargetDeliveryResponse",
    "TargetError",
    "TargetTimeout",
    "TargetUnavailable",
    "TransportError",
    "Visit",
    "Visitor",
    "WebRequest",
    "qa_mode_from_cookie",
    "qa_mode_from_url",
    "qa_mode_to_cookie",
]

# Every model and enum of the API, written by `make generate`: do not edit.
if TYPE_CHECKING:
    from target_delivery_api.models import (
        ABTOrder,
        Action,
        Address,
        AnalyticsPayload,
        AnalyticsRequest,
        AnalyticsResponse,
        Application,
        AudienceManager,
        AuthenticatedState,
        Browser,
        ChannelType,
        CustomerId,
        DecisioningMethod,
        DeliveryRequest,
        DeliveryResponse,
        DeviceType,
        ExecuteRequest,
        ExecuteResponse,
        ExecutionMode,
        ExperienceCloud,
        Geo,
        LoggingType,
        MboxRequest,
        MboxResponse,
        Metric,
        MetricType,
        MobilePlatform,
        MobilePlatformType,
        Notification,
        NotificationMbox,
        NotificationPageLoad,
        NotificationResponse,
        NotificationView,
        Option,
        OptionType,
        Order,
        PageLoadResponse,
        Parameters,
        PrefetchMboxResponse,
        PrefetchRequest,
        PrefetchResponse,
        Preview,
        Product,
        Property,
        QAMode,
        QAModePreviewIndex,
        RequestDetails,
        ResponseTokens,
        Screen,
        ScreenOrientationType,
        Telemetry,
        TelemetryEntry,
        TelemetryFeatures,
        TelemetryRequest,
        Trace,
        TraceResponse,
        UnexpectedError,
        View,
        ViewRequest,
        VisitorId,
        Window,
    )
__all__ += [
    "ABTOrder",
    "Action",
    "Address",
    "AnalyticsPayload",
    "AnalyticsRequest",
    "AnalyticsResponse",
    "Application",
    "AudienceManager",
    "AuthenticatedState",
    "Browser",
    "ChannelType",
    "CustomerId",
    "DecisioningMethod",
    "DeliveryRequest",
    "DeliveryResponse",
    "DeviceType",
    "ExecuteRequest",
    "ExecuteResponse",
    "ExecutionMode",
    "ExperienceCloud",
    "Geo",
    "LoggingType",
    "MboxRequest",
    "MboxResponse",
    "Metric",
    "MetricType",
    "MobilePlatform",
    "MobilePlatformType",
    "Notification",
    "NotificationMbox",
    "NotificationPageLoad",
    "NotificationResponse",
    "NotificationView",
    "Option",
    "OptionType",
    "Order",
    "PageLoadResponse",
    "Parameters",
    "PrefetchMboxResponse",
    "PrefetchRequest",
    "PrefetchResponse",
    "Preview",
    "Product",
    "Property",
    "QAMode",
    "QAModePreviewIndex",
    "RequestDetails",
    "ResponseTokens",
    "Screen",
    "ScreenOrientationType",
    "Telemetry",
    "TelemetryEntry",
    "TelemetryFeatures",
    "TelemetryRequest",
    "Trace",
    "TraceResponse",
    "UnexpectedError",
    "View",
    "ViewRequest",
    "VisitorId",
    "Window",
]
# The end of what `make generate` writes.

__all__.sort()

# Imported on first use: there are 64 models and enums, and a call needs a few; what shows a help needs no client.
_ELSEWHERE = {
    "Additions": "target.hooks",
    "ArtifactInfo": "target.artifact_info",
    "AsyncResult": "target._background.workers",
    "AsyncTargetClient": "target.aio",
    "AsyncVisit": "target.web.async_visit",
    "Attempt": "target.hooks",
    "AttributesProvider": "target.attributes",
    "CallInfo": "target.hooks",
    "CallOutcome": "target.hooks",
    "ClientHints": "target.model_methods",
    "ClientInfo": "target.hooks",
    "ClientOptions": "target.options",
    "ClientStatus": "target.status",
    "Context": "target.model_methods",
    "DeadLetter": "target.outbox",
    "Experience": "target.experience",
    "Explanation": "target.decisioning.explanation",
    "Hook": "target.hooks",
    "Meta": "target.response",
    "NotificationInfo": "target.hooks",
    "Outbox": "target.outbox",
    "OutboxHandle": "target._outbox.handle",
    "Override": "target.experience",
    "PartDecision": "target.reasons",
    "RequestOptions": "target.options",
    "Site": "target.web.site",
    "SiteOptions": "target.web.options",
    "TargetClient": "target.client",
    "TargetCookie": "target.response",
    "TargetDeliveryResponse": "target.response",
    "Visit": "target.web.visit",
    "Visitor": "target.visitor",
    "WebRequest": "target.web.request",
    "qa_mode_from_cookie": "target.qa_mode",
    "qa_mode_from_url": "target.qa_mode",
    "qa_mode_to_cookie": "target.qa_mode",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        if not name.startswith("__"):  # a module of this package is there where only the package was imported, too
            import_module("target.client")
            if name in globals():
                return globals()[name]
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(_ELSEWHERE.get(name, "target_delivery_api.models"))
    value = globals()[name] = getattr(module, name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
