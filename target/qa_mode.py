"""QA mode: reads the preview links that Target's UI makes, and keeps a QA session over navigation in a cookie."""

from __future__ import annotations

import base64
import json
import logging
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from target.errors import OptionsError
from target_delivery_api.models import QAMode, QAModePreviewIndex

_logger = logging.getLogger("target")

#: Longer values are neither written nor read; browsers keep no larger cookie.
MAX_COOKIE_LENGTH = 3800
_VERSION = "1"
_MOST_FIELDS = 200
_MOST_VALUES = 100
_INDEX = re.compile(r"([1-9][0-9]{0,8})(?:_([1-9][0-9]{0,8}))?")
_AUDIENCE_ID = re.compile(r"[0-9]{1,18}")
_TOKEN = re.compile(r"[!-~]{1,512}")


def qa_mode_from_url(url: str) -> QAMode | None:
    """The QA mode that a page's URL asks for, or None without a usable ``at_preview_token``.

    Reads ``at_preview_token``, ``at_preview_index`` (``activity_experience``, counted from 1; repeated or with
    commas), ``at_preview_listed_activities_only`` and ``at_preview_evaluate_as_true_audience_ids`` and ``_false_``.
    A bad value is ignored with a log line.
    """
    try:
        query = parse_qs(urlsplit(url).query, max_num_fields=_MOST_FIELDS)
    except (ValueError, TypeError, AttributeError):
        _logger.warning("A URL with too many or malformed parameters has no QA mode")
        return None
    token = next((text for text in query.get("at_preview_token", ()) if text), None)
    if token is None:
        return None
    return _build(
        token,
        _values(query, "at_preview_index"),
        (query.get("at_preview_listed_activities_only") or [""])[-1].strip().lower() == "true",
        _values(query, "at_preview_evaluate_as_true_audience_ids"),
        _values(query, "at_preview_evaluate_as_false_audience_ids"),
    )


def qa_mode_to_cookie(qa_mode: QAMode) -> str:
    """The value of a cookie of your own that keeps ``qa_mode`` over navigation: letters, digits, ``.``, ``-``, ``_``.

    Raises:
        OptionsError: It would be longer than MAX_COOKIE_LENGTH.
    """
    text = json.dumps(qa_mode.to_dict(), separators=(",", ":"))
    value = f"{_VERSION}.{base64.urlsafe_b64encode(text.encode()).decode().rstrip('=')}"
    if len(value) > MAX_COOKIE_LENGTH:
        raise OptionsError(f"This QA mode needs a cookie of {len(value)} characters, more than {MAX_COOKIE_LENGTH}")
    return value


def qa_mode_from_cookie(value: str | None) -> QAMode | None:
    """The QA mode in a cookie that ``qa_mode_to_cookie`` wrote; anything else is None, with a log line."""
    if not value:
        return None
    version, _, encoded = value[: MAX_COOKIE_LENGTH + 1].partition(".")
    if version != _VERSION or len(value) > MAX_COOKIE_LENGTH:
        _logger.warning("A QA mode cookie is too long, or of a version this library does not know, and is ignored")
        return None
    try:
        data = json.loads(base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True))
        token, listed_only = data.get("token"), data.get("listedActivitiesOnly") is True
        pairs = [(pair["activityIndex"], pair.get("experienceIndex", "")) for pair in data.get("previewIndexes", ())]
        true_ids = [str(number) for number in data.get("evaluateAsTrueAudienceIds", ())]
        false_ids = [str(number) for number in data.get("evaluateAsFalseAudienceIds", ())]
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        _logger.warning("A QA mode cookie cannot be read and is ignored")
        return None
    if not isinstance(token, str) or not token:
        return None
    return _build(
        token,
        [f"{activity}_{experience}".rstrip("_") for activity, experience in pairs],
        listed_only,
        true_ids,
        false_ids,
    )


def _build(
    token: str, indexes: Iterable[str], listed_only: bool, true_ids: Iterable[str], false_ids: Iterable[str]
) -> QAMode | None:
    if not _TOKEN.fullmatch(token):
        _logger.warning("A QA mode token is malformed; QA mode is off")
        return None
    return QAMode(
        token=token,
        listed_activities_only=listed_only or None,
        preview_indexes=_matching(_INDEX, indexes, "at_preview_index", _preview_index) or None,
        evaluate_as_true_audience_ids=_matching(_AUDIENCE_ID, true_ids, "audience id", _audience_id) or None,
        evaluate_as_false_audience_ids=_matching(_AUDIENCE_ID, false_ids, "audience id", _audience_id) or None,
    )


def _values(query: dict[str, list[str]], name: str) -> list[str]:
    return [text.strip() for value in query.get(name, ()) for text in value.split(",") if text.strip()]


def _matching(allowed: re.Pattern[str], values: Iterable[str], what: str, read: Any) -> list[Any]:
    kept: list[Any] = []
    ignored = 0
    for value in values:
        match = allowed.fullmatch(value)
        if match is None or len(kept) >= _MOST_VALUES:
            ignored += 1
        else:
            kept.append(read(match))
    if ignored:
        _logger.warning("%d malformed or surplus values of %s in QA mode are ignored", ignored, what)
    return kept


def _preview_index(match: re.Match[str]) -> QAModePreviewIndex:
    return QAModePreviewIndex(
        activity_index=int(match[1]), experience_index=None if match[2] is None else int(match[2])
    )


def _audience_id(match: re.Match[str]) -> int:
    return int(match[0])
