"""What the Experience Cloud knows of a call's visitor: ECID, customer ids, Audience Manager, Analytics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target.config import ClientConfig, RequestConfig, Runtime
from target.customer_ids import merge_customer_ids
from target.errors import OptionsError
from target.foreign import is_a

if TYPE_CHECKING:
    from target.amcv import AmcvVisitor


def find_visitor(options: RequestConfig, config: ClientConfig, runtime: Runtime) -> AmcvVisitor | None:
    """The call's Visitor: the one given, else one from its cookie. A cookie that is empty makes one without ids, as a
    new visitor has none yet, and so does a ``consumer_id`` alone.

    One made here knows the call's ``customer_ids``, so that its state hands them to the page; one given is only read.
    """
    if options.visitor is None and options.visitor_cookie is None and not options.consumer_id:
        return None
    from target.amcv import AmcvVisitor  # most calls have none

    if options.visitor is not None:
        if not is_a(options.visitor, AmcvVisitor):
            raise OptionsError(f"Option 'visitor' must be a Visitor, not {type(options.visitor).__name__}")
        return options.visitor  # type: ignore[no-any-return]
    visitor = AmcvVisitor(config.organization_id, options.visitor_cookie, runtime.now_s(), runtime.new_id)
    visitor.set_customer_ids({entry["integrationCode"]: entry for entry in options.customer_ids or ()})
    return visitor


def build_id(
    own: dict[str, Any], device_id: str | None, options: RequestConfig, visitor: AmcvVisitor | None
) -> dict[str, Any]:
    """``id`` of the request: what it says itself, then what the call's options say, then the Visitor.

    Customer ids of Visitor and options stand before the request's own. A visitor who opted out sends neither an
    ECID nor a customer id, whoever named it.
    """
    ids = {key: value for key, value in own.items() if value not in (None, "")}
    if device_id:
        ids.setdefault("tntId", device_id)
    given = options.customer_ids or []
    if visitor is not None and visitor.opted_out:
        ids.pop("marketingCloudVisitorId", None)
        ids.pop("customerIds", None)
        return ids
    if visitor is not None:
        if visitor.marketing_cloud_visitor_id:
            ids.setdefault("marketingCloudVisitorId", visitor.marketing_cloud_visitor_id)
        codes = {entry["integrationCode"] for entry in given}
        given = [entry for entry in visitor.customer_ids if entry["integrationCode"] not in codes] + given
    if given:
        ids["customerIds"] = merge_customer_ids(given, ids.get("customerIds") or [])
    return ids


def build_experience_cloud(own: dict[str, Any], options: RequestConfig, visitor: AmcvVisitor | None) -> dict[str, Any]:
    """``experienceCloud`` of the request; logging is server_side unless it says otherwise.

    Only a call that has a Visitor gets a supplementalDataId, since the page must know the same one.
    """
    experience_cloud = {key: value for key, value in own.items() if value is not None}
    analytics = {key: value for key, value in (own.get("analytics") or {}).items() if value is not None}
    analytics.setdefault("logging", "server_side")
    if visitor is not None:
        if "supplementalDataId" not in analytics:
            consumer_id = (options.consumer_id,) if options.consumer_id else ()
            analytics["supplementalDataId"] = visitor.supplemental_data_id(*consumer_id)
        audience_manager = _audience_manager(own.get("audienceManager") or {}, visitor)
        experience_cloud.pop("audienceManager", None)
        if audience_manager:
            experience_cloud["audienceManager"] = audience_manager
    experience_cloud["analytics"] = analytics
    return experience_cloud


def _audience_manager(own: dict[str, Any], visitor: AmcvVisitor) -> dict[str, Any]:
    if visitor.opted_out:
        return {}
    known = {"locationHint": visitor.audience_manager_location_hint, "blob": visitor.audience_manager_blob}
    known |= {key: value for key, value in own.items() if value is not None}
    return {key: value for key, value in known.items() if value is not None}
