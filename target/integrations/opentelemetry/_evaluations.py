"""An event for each evaluation of an mbox, as the semantic conventions for feature flags have it."""

from __future__ import annotations

from typing import Any

from opentelemetry._logs import LoggerProvider, SeverityNumber, get_logger

from target import CallInfo, CallOutcome, PartDecision
from target.integrations.opentelemetry._names import CLIENT, ERROR_TYPE, METHOD, REASON, SCHEMA_URL, SCOPE, VERSION

EVENT = "feature_flag.evaluation"
PROVIDER = "Adobe Target"
#: Ours, and what the conventions call it. Why the server chose an activity it does not say.
REASONS = {
    "split": "split",
    "targeting": "targeting_match",
    "server": "targeting_match",
    "default": "default",
    "remote": "default",
    "override": "disabled",
    "offline": "disabled",
    "bot": "disabled",
}
_NOT_READY = "ArtifactNotReady"


class Evaluations:
    """Tells of evaluations. ``logger_provider``: whose logger is told; None: the global one."""

    def __init__(self, logger_provider: LoggerProvider | None) -> None:
        self._logger = get_logger(SCOPE, VERSION, logger_provider, SCHEMA_URL)

    def tell(self, call: CallInfo, outcome: CallOutcome) -> None:
        """Tell of each mbox that was decided; of a call that failed, of each that it asked for."""
        is_enabled = getattr(self._logger, "enabled", None)  # of later versions
        if not (call.mboxes or outcome.decisions) or (is_enabled is not None and not is_enabled(event_name=EVENT)):
            return
        shared: dict[str, Any] = {
            "feature_flag.provider.name": PROVIDER,
            "feature_flag.set.id": call.property_token or call.client,
            CLIENT: call.client,
            METHOD: call.method,
        }
        if outcome.rules_version is not None:
            shared["feature_flag.version"] = outcome.rules_version
        if outcome.error is None:
            for decision in outcome.decisions:
                if decision.kind == "mbox":
                    self._emit(shared | _of(decision))
        else:
            failed = "provider_not_ready" if outcome.error == _NOT_READY else "general"
            for name in call.mboxes:
                error = {"feature_flag.key": name, "feature_flag.result.reason": "error", ERROR_TYPE: failed}
                self._emit(shared | error)

    def _emit(self, attributes: dict[str, Any]) -> None:
        self._logger.emit(event_name=EVENT, attributes=attributes, severity_number=SeverityNumber.INFO)


def _of(decision: PartDecision) -> dict[str, Any]:
    attributes = {
        "feature_flag.key": decision.name,
        "feature_flag.result.reason": REASONS.get(decision.reason, "unknown"),
        "feature_flag.result.variant": decision.experience_name or decision.experience_id,
        REASON: decision.reason,
        "adobe.target.mode": decision.mode,
        "adobe.target.activity.id": decision.activity_id,
        "adobe.target.activity.name": decision.activity_name,
        "adobe.target.experience.id": decision.experience_id,
    }
    return {name: value for name, value in attributes.items() if value is not None}
