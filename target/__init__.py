"""The Python SDK for the Adobe Target Delivery API: everything a user imports is here."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from target._io.workers import AsyncResult
from target.attributes import AttributesProvider
from target.client import TargetClient
from target.errors import (
    ApiError,
    AttributeNotFound,
    ClientClosed,
    OptionsError,
    TargetError,
    TargetTimeout,
    TransportError,
)
from target.response import TargetCookie, TargetDeliveryResponse

if TYPE_CHECKING:
    from target_delivery_api.models import *  # noqa: F403  (below, they are imported on first use)

__all__ = [
    "ABTOrder",
    "Action",
    "Address",
    "AnalyticsPayload",
    "AnalyticsRequest",
    "AnalyticsResponse",
    "ApiError",
    "Application",
    "AsyncResult",
    "AttributeNotFound",
    "AttributesProvider",
    "AudienceManager",
    "AuthenticatedState",
    "Browser",
    "ChannelType",
    "ClientClosed",
    "ClientHints",
    "Context",
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
    "OptionsError",
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
    "TargetClient",
    "TargetCookie",
    "TargetDeliveryResponse",
    "TargetError",
    "TargetTimeout",
    "Telemetry",
    "TelemetryEntry",
    "TelemetryFeatures",
    "TelemetryRequest",
    "Trace",
    "TraceResponse",
    "TransportError",
    "UnexpectedError",
    "View",
    "ViewRequest",
    "VisitorId",
    "Window",
]


def __getattr__(name: str) -> Any:
    """A model or an enum, imported on first use: there are 64, and a call needs a few."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module("target_delivery_api.models"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
