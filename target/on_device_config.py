"""The options of on-device decisioning as the code reads them: where the rules are, and how often they are fetched."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import SplitResult, quote, urlsplit

from target.artifact_headers import ArtifactHeaders, parse_artifact_headers
from target.errors import OptionsError
from target.values import (
    parse_client_code,
    parse_mapping,
    parse_milliseconds,
    parse_path,
    parse_printable,
    parse_string,
)

DEFAULT_CDN = "https://assets.adobetarget.com"
STAGING_CDN = "https://assets.staging.adobetarget.com"
_CDNS = {"production": DEFAULT_CDN, "staging": STAGING_CDN, "development": STAGING_CDN}
_ADOBE = "adobetarget.com"
_LEAST_ON_ADOBES_CDN_MS = 300_000
_LEAST_ELSEWHERE_MS = 1000


class OnDeviceConfig(NamedTuple):
    """Options of on-device decisioning, validated; durations in seconds.

    Attributes:
        artifact_url: Where the artifact is: http or https, with a host and a path.
        geo_url: Where an address is looked up.
        polling_interval_s: Between two downloads; 0 for the first download only.
        maximum_wait_ready_s: How long ``create`` waits for the first artifact.
        artifact_headers: What is sent along when the artifact is asked for.
        artifact_payload: The first artifact, as parsed JSON.
        artifact_cache: A file for the last good artifact.
    """

    artifact_url: str
    geo_url: str
    polling_interval_s: float
    maximum_wait_ready_s: float
    artifact_headers: ArtifactHeaders | None
    artifact_payload: Mapping[str, Any] | None
    artifact_cache: Path | None


def parse_on_device(options: Mapping[str, Any]) -> OnDeviceConfig:
    """Read the options of ``TargetClient.create`` that on-device decisioning uses; others are passed over.

    Raises:
        OptionsError: One of them is wrong.
    """

    def read(name: str, parse: Callable[[str, Any], Any], default: Any = None) -> Any:
        value = options.get(name)
        return default if value is None else parse(name, value)

    cdn_environment = read("cdn_environment", _parse_cdn_environment, "production")
    cdn = read("cdn_base_path", _parse_base_url) or _CDNS[cdn_environment]
    segments = [
        parse_client_code("client", options.get("client")),
        (read("environment", _parse_segment) or "production").lower(),
        "v1",
        *filter(None, [read("property_token", _parse_segment)]),
    ]
    built = "/".join([cdn, *(quote(segment, safe="") for segment in segments), "rules.json"])
    artifact_url = read("artifact_location", _parse_url) or built
    logger = options.get("logger") or logging.getLogger("target")
    return OnDeviceConfig(
        artifact_url=artifact_url,
        geo_url=f"{cdn}/v1/geo",
        polling_interval_s=_polling_interval_s(
            read("polling_interval", parse_milliseconds, _LEAST_ON_ADOBES_CDN_MS), artifact_url, logger
        ),
        maximum_wait_ready_s=read("maximum_wait_ready", parse_milliseconds, 5000) / 1000,
        artifact_headers=read("artifact_headers", parse_artifact_headers),
        artifact_payload=read("artifact_payload", parse_mapping),
        artifact_cache=read("artifact_cache", _parse_path),
    )


def without_query(url: str) -> str:
    """``url`` as it may stand in a log: a query can hold a signature."""
    return url.partition("?")[0]


def _polling_interval_s(interval_ms: float, artifact_url: str, logger: logging.Logger) -> float:
    host = (urlsplit(artifact_url).hostname or "").rstrip(".")
    is_adobes = host == _ADOBE or host.endswith(f".{_ADOBE}")
    least_ms = _LEAST_ON_ADOBES_CDN_MS if is_adobes else _LEAST_ELSEWHERE_MS
    if 0 < interval_ms < least_ms:
        logger.warning(
            "Option 'polling_interval' is raised from %g to %d ms, the least %s",
            interval_ms,
            least_ms,
            "on Adobe's CDN" if is_adobes else "there is",
        )
        interval_ms = least_ms
    return interval_ms / 1000


def _parse_cdn_environment(name: str, value: object) -> str:
    text = parse_string(name, value).lower() or "production"
    if text not in _CDNS:
        raise OptionsError(f"Option {name!r} must be one of: {', '.join(_CDNS)}")
    return text


def _parse_segment(name: str, value: object) -> str | None:
    """Text that stands between two slashes of a URL; None for the empty string."""
    text = parse_printable(name, value)
    if text in (".", ".."):
        raise OptionsError(f"Option {name!r} must be a name, not {text!r}: a URL has another meaning for that")
    return text


def _parse_url(name: str, value: object) -> str | None:
    """An http or https URL, with a path and without a fragment; None for the empty string."""
    parts = _split_url(name, value)
    return None if parts is None else parts._replace(path=parts.path or "/", fragment="").geturl()


def _parse_base_url(name: str, value: object) -> str | None:
    """The beginning of URLs, without a slash at its end; None for the empty string."""
    parts = _split_url(name, value)
    if parts is None:
        return None
    if parts.query or parts.fragment:
        raise OptionsError(f"Option {name!r} must be the beginning of a URL, without ? and #")
    return parts.geturl().rstrip("/")


def _split_url(name: str, value: object) -> SplitResult | None:
    text = parse_string(name, value).strip()
    if not text:
        return None
    advice = f"Option {name!r} must be a URL such as {DEFAULT_CDN}/rules.json, with no credentials in it"
    try:
        parts = urlsplit(text)
        # Text that was split may be a secret, so the cause is left out of the message.
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise OptionsError(advice) from None
    if not is_usable or "@" in parts.netloc or "\\" in text or not text.isprintable() or " " in text:
        raise OptionsError(advice)
    return parts


def _parse_path(name: str, value: object) -> Path | None:
    text = parse_path(name, value)
    return None if text is None else Path(text).absolute()
