"""QA mode: reads the preview links that Target's UI makes, and keeps a QA session over navigation in a cookie."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from typing import TypeVar
from urllib.parse import parse_qs, urlsplit

from target.errors import OptionsError
from target.foreign import UNREADABLE, exact_text, is_a, is_text, kind_of
from target.loggers import LOG
from target_delivery_api.models import QAMode, QAModePreviewIndex

T = TypeVar("T")

#: Longer values are neither written nor read; browsers keep no larger cookie.
MAX_COOKIE_LENGTH = 3800
_VERSION = "1"
_MOST_FIELDS = 200
_MOST_VALUES = 100
_INDEX = re.compile(r"([1-9][0-9]{0,8})(?:_([1-9][0-9]{0,8}))?")
_AUDIENCE_ID = re.compile(r"[0-9]{1,18}")
_TOKEN = re.compile(r"[!-~]{1,512}")
_FLAGS = {"true": True, "false": False}

_TOKEN_FIELD = "at_preview_token"
_INDEX_FIELD = "at_preview_index"
_LISTED_ONLY_FIELD = "at_preview_listed_activities_only"
_TRUE_FIELD = "at_preview_evaluate_as_true_audience_ids"
_FALSE_FIELD = "at_preview_evaluate_as_false_audience_ids"


def qa_mode_from_url(url: str) -> QAMode | None:
    """The QA mode that a page's URL asks for, or None without a usable ``at_preview_token``.

    Reads ``at_preview_token``, ``at_preview_index`` (``activity_experience``, counted from 1; repeated or with
    commas), ``at_preview_listed_activities_only`` (``true`` or ``false``) and
    ``at_preview_evaluate_as_true_audience_ids`` and ``_false_``. A bad value is ignored, with one log line for each
    field; without a token, nothing is logged. What is returned always fits into a cookie.
    """
    url = exact_text(url) if is_text(url) else ""
    if _TOKEN_FIELD not in url:
        return None
    try:
        query = parse_qs(urlsplit(url).query, max_num_fields=_MOST_FIELDS)
    except ValueError:
        LOG.warning("A QA link is malformed or has too many parameters, and is ignored")
        return None
    if _TOKEN_FIELD not in query:
        return None
    qa_mode = _build({name: _split(name, values) for name, values in query.items()})
    if qa_mode is not None and len(_encode(qa_mode)) > MAX_COOKIE_LENGTH:
        LOG.warning("A QA link is longer than any that Target makes, and is ignored")
        return None
    return qa_mode


def qa_mode_to_cookie(qa_mode: QAMode) -> str:
    """The value of a cookie of your own that keeps ``qa_mode`` over navigation: letters, digits, ``.``, ``-``, ``_``.

    It is not signed: like a QA link, anyone can make one, and only its token opens anything.

    Raises:
        OptionsError: It is no QAMode, or would be longer than MAX_COOKIE_LENGTH. No QA mode of ``qa_mode_from_url`` is.
    """
    if not is_a(qa_mode, QAMode):
        raise OptionsError(f"qa_mode must be a QAMode, not {kind_of(qa_mode)}")
    try:
        value = _encode(qa_mode)
    except UNREADABLE:
        value = None
    if value is None:
        raise OptionsError("qa_mode holds what cannot be written as JSON")
    if len(value) > MAX_COOKIE_LENGTH:
        raise OptionsError(f"This QA mode needs a cookie of {len(value)} characters, more than {MAX_COOKIE_LENGTH}")
    return value


def qa_mode_from_cookie(value: str | None) -> QAMode | None:
    """The QA mode in a cookie that ``qa_mode_to_cookie`` wrote; anything else is None, with a log line."""
    value = exact_text(value) if is_text(value) else ""
    if not value:
        return None
    version, _, encoded = value[: MAX_COOKIE_LENGTH + 1].partition(".")
    if version != _VERSION or len(value) > MAX_COOKIE_LENGTH:
        LOG.warning("A QA mode cookie is too long, or of a version this library does not know, and is ignored")
        return None
    try:
        data = json.loads(base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True))
        fields = {
            _TOKEN_FIELD: [data["token"]],
            _LISTED_ONLY_FIELD: [data["listedActivitiesOnly"]] if "listedActivitiesOnly" in data else [],
            _INDEX_FIELD: [
                pair["activityIndex"]
                if pair.get("experienceIndex") is None
                else f"{pair['activityIndex']}_{pair['experienceIndex']}"
                for pair in data.get("previewIndexes", ())
            ],
            _TRUE_FIELD: data.get("evaluateAsTrueAudienceIds", ()),
            _FALSE_FIELD: data.get("evaluateAsFalseAudienceIds", ()),
        }
        texts = {name: [str(item) for item in items] for name, items in fields.items()}
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        LOG.warning("A QA mode cookie cannot be read and is ignored")
        return None
    return _build(texts)


def _split(name: str, values: list[str]) -> list[str]:
    texts = values if name == _TOKEN_FIELD else [text for value in values for text in value.split(",")]
    return [text.strip() for text in texts if text.strip()]


def _encode(qa_mode: QAMode) -> str:
    text = json.dumps(qa_mode.to_dict(), separators=(",", ":"))
    return f"{_VERSION}.{base64.urlsafe_b64encode(text.encode()).decode().rstrip('=')}"


def _build(texts: Mapping[str, list[str]]) -> QAMode | None:
    """The QA mode of these texts, by field; None without a token. Every field with a bad value is logged."""
    token = _matching(_TOKEN_FIELD, texts, _read_token)
    if not token:
        return None
    listed_only = _matching(_LISTED_ONLY_FIELD, texts, _read_flag)
    return QAMode(
        token=token[0],
        listed_activities_only=listed_only[-1] if listed_only else None,
        preview_indexes=_matching(_INDEX_FIELD, texts, _read_index) or None,
        evaluate_as_true_audience_ids=_matching(_TRUE_FIELD, texts, _read_audience_id) or None,
        evaluate_as_false_audience_ids=_matching(_FALSE_FIELD, texts, _read_audience_id) or None,
    )


def _matching(field: str, texts: Mapping[str, list[str]], read: Callable[[str], T | None]) -> list[T]:
    values = [read(text) for text in texts.get(field, ())[:_MOST_VALUES]]
    kept = [value for value in values if value is not None]
    if ignored := len(texts.get(field, ())) - len(kept):
        LOG.warning("QA mode: %d malformed or surplus values of %s are ignored", ignored, field)
    return kept


def _read_token(text: str) -> str | None:
    return text if _TOKEN.fullmatch(text) else None


def _read_flag(text: str) -> bool | None:
    return _FLAGS.get(text.lower())


def _read_index(text: str) -> QAModePreviewIndex | None:
    match = _INDEX.fullmatch(text)
    if match is None:
        return None
    return QAModePreviewIndex(activity_index=int(match[1]), experience_index=int(match[2]) if match[2] else None)


def _read_audience_id(text: str) -> int | None:
    return int(text) if _AUDIENCE_ID.fullmatch(text) else None
