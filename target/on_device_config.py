"""The options of on-device decisioning as the code reads them: where the rules are, and how often they are fetched."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard
from urllib.parse import SplitResult, quote, urlsplit

from target.errors import OptionsError
from target.foreign import attribute_of, is_a, is_function, kind_of
from target.loggers import Log
from target.option_rows import option
from target.values import parse_mapping, parse_milliseconds, parse_path, parse_printable, parse_text

if TYPE_CHECKING:
    from target.artifact_headers import ArtifactHeaders
    from target.protocols import ArtifactSource, SharedSource

DEFAULT_CDN = "https://assets.adobetarget.com"
STAGING_CDN = "https://assets.staging.adobetarget.com"
_CDNS = {"production": DEFAULT_CDN, "staging": STAGING_CDN, "development": STAGING_CDN}
_ADOBE = "adobetarget.com"
_LEAST_ON_ADOBES_CDN_MS = 300_000
_LEAST_ELSEWHERE_MS = 1000


def _parse_headers(name: str, value: object) -> ArtifactHeaders:
    from target.artifact_headers import parse_artifact_headers  # which few clients have

    return parse_artifact_headers(name, value)


def _parse_source(name: str, value: object) -> Any:
    if is_a(value, type) or not (is_shared(value) or is_function(attribute_of(value, "fetch"))):
        raise OptionsError(
            f"Option {name!r} must be a target.protocols.ArtifactSource, with a function 'fetch', not {kind_of(value)}"
        )
    _location_of(name, value)
    return value


def is_shared(source: object) -> TypeGuard[SharedSource]:
    """Whether it stands between clients and the CDN."""
    return is_function(attribute_of(source, "share"))


def _location_of(name: str, source: object) -> str:
    text = parse_printable(f"{name}.location", attribute_of(source, "location"))
    if text is None:
        raise OptionsError(f"Option '{name}.location' must say where the source is")
    return text


class OnDeviceOptions(NamedTuple):
    """What callers say of on-device decisioning, read; durations in milliseconds. Each row is an option of ``create``.

    They are read for every client, so that a mistake shows early; what they come to is seen where they are used.
    """

    polling_interval: float = option(parse_milliseconds, 300_000)
    artifact_location: str | None = option(parse_text, None)
    artifact_headers: ArtifactHeaders | None = option(_parse_headers, None)
    artifact_payload: Mapping[str, Any] | None = option(parse_mapping, None)
    environment: str = option(parse_printable, "production")
    cdn_environment: str = option(parse_printable, "production")
    cdn_base_path: str | None = option(parse_text, None)
    maximum_wait_ready: float = option(parse_milliseconds, 5000)
    artifact_cache: str | None = option(parse_path, None)
    artifact_source: ArtifactSource | SharedSource | None = option(_parse_source, None)


class OnDeviceConfig(NamedTuple):
    """What they come to; durations in seconds.

    Attributes:
        artifact_location: Where the artifact is: a URL with a host and a path, or what its source says.
        artifact_source: What brings it, or stands between; None: what is at that URL.
        source_name: What that is called: the URL, without its query, or what the source says.
        geo_url: Where an address is looked up.
        polling_interval_s: Between two downloads; 0 for the first download only.
        maximum_wait_ready_s: How long ``create`` waits for the first artifact.
        artifact_headers: What is sent along when the artifact is asked for.
        artifact_payload: The first artifact, as parsed JSON.
        artifact_cache: A file for the last good artifact.
    """

    artifact_location: str
    artifact_source: ArtifactSource | SharedSource | None
    source_name: str
    geo_url: str
    polling_interval_s: float
    maximum_wait_ready_s: float
    artifact_headers: ArtifactHeaders | None
    artifact_payload: Mapping[str, Any] | None
    artifact_cache: Path | None


def parse_on_device(said: OnDeviceOptions, client: str, property_token: str | None, logger: Log) -> OnDeviceConfig:
    """What the options of a client that decides in process come to.

    Raises:
        OptionsError: One of them cannot be used.
    """
    cdn = _parse_cdn(said.cdn_environment)
    cdn = _parse_base_url("cdn_base_path", said.cdn_base_path) or cdn
    segments = [client, _parse_segment("environment", said.environment).lower(), "v1"]
    if property_token is not None:
        segments.append(_parse_segment("property_token", property_token))
    built = "/".join([cdn, *(quote(segment, safe="") for segment in segments), "rules.json"])
    artifact_location = _parse_url("artifact_location", said.artifact_location) or built
    source = said.artifact_source
    if source is not None and not is_shared(source):
        for name in ("artifact_location", "artifact_headers"):
            if getattr(said, name) is not None:
                raise OptionsError(f"Option {name!r} has no effect together with 'artifact_source': leave one out")
        artifact_location = _location_of("artifact_source", source)
    is_on_cdn = source is None or is_shared(source)
    return OnDeviceConfig(
        artifact_location=artifact_location,
        artifact_source=source,
        source_name=without_query(artifact_location if source is None else _location_of("artifact_source", source)),
        geo_url=f"{cdn}/v1/geo",
        polling_interval_s=_polling_interval_s(said.polling_interval, artifact_location if is_on_cdn else "", logger),
        maximum_wait_ready_s=said.maximum_wait_ready / 1000,
        artifact_headers=said.artifact_headers,
        artifact_payload=said.artifact_payload,
        artifact_cache=None if said.artifact_cache is None else Path(said.artifact_cache).absolute(),
    )


def without_query(url: str) -> str:
    """``url`` as it may stand in a log: a query can hold a signature."""
    return url.partition("?")[0]


def _polling_interval_s(interval_ms: float, artifact_location: str, logger: Log) -> float:
    host = (urlsplit(artifact_location).hostname or "").rstrip(".")
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


def _parse_cdn(environment: str) -> str:
    cdn = _CDNS.get(environment.lower())
    if cdn is None:
        raise OptionsError(f"Option 'cdn_environment' must be one of: {', '.join(_CDNS)}")
    return cdn


def _parse_segment(name: str, text: str) -> str:
    """Text that stands between two slashes of a URL."""
    if text in (".", ".."):
        raise OptionsError(f"Option {name!r} must be a name, not {text!r}: a URL has another meaning for that")
    return text


def _parse_url(name: str, text: str | None) -> str | None:
    """An http or https URL, with a path and without a fragment; None for a blank one."""
    parts = _split_url(name, text)
    return None if parts is None else parts._replace(path=parts.path or "/", fragment="").geturl()


def _parse_base_url(name: str, text: str | None) -> str | None:
    """The beginning of URLs, without a slash at its end; None for a blank one."""
    parts = _split_url(name, text)
    if parts is None:
        return None
    if parts.query or parts.fragment:
        raise OptionsError(f"Option {name!r} must be the beginning of a URL, without ? and #")
    return parts.geturl().rstrip("/")


def _split_url(name: str, text: str | None) -> SplitResult | None:
    text = (text or "").strip()
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
