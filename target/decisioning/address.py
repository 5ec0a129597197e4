"""The parts of a URL that rules ask for: domain, subdomain, top level domain, path, query and fragment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    import tldextract

# What is longer is read, but not kept, so that the cache stays small whatever callers send.
_MAX_CACHED_LENGTH = 1024
_MAX_HOST_LENGTH = 255
_MAX_QUERY_LENGTH = 8192  # the API takes URLs of 4,096 characters; decoding takes long where all is percent signs
_PARTS = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*:)?(?://([^/?#\\]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?", re.DOTALL)
_PORT = re.compile(r":[0-9]*\Z")


def parse_address(url: object) -> Mapping[str, str]:
    """Every part of ``url`` and, with ``_lc`` after its name, the same in lower case. Read-only; never fails.

    Anything but text gives empty parts. The host's public suffix is its top level domain, and that may be a private
    one (``us-east-1.elasticbeanstalk.com``); a host without any is its own domain. A leading ``www`` is dropped.
    """
    if not isinstance(url, str):
        url = ""
    return _cached(url) if len(url) <= _MAX_CACHED_LENGTH else _parse(url)


def host_of(url: object) -> str:
    """The host in ``url``, without port or credentials and in lower case; empty where there is none."""
    match = _PARTS.fullmatch(url) if isinstance(url, str) else None
    authority = (match[1] if match else None) or ""
    host = _PORT.sub("", authority.rpartition("@")[2])
    return host.strip("[]").lower()


def parse_query(query: str) -> Mapping[str, str]:
    """The parameters in the query of a URL, decoded as a browser does; of those with one name, the first.

    Only the beginning is read where the query is longer than any URL that the API takes.
    """
    found: dict[str, str] = {}
    for name, value in parse_qsl(query[:_MAX_QUERY_LENGTH], keep_blank_values=True):
        found.setdefault(name, value)
    return found


def load_public_suffixes() -> None:
    """Read the public suffix list, which takes some 200 ms the first time."""
    _suffixes().extract_str("example.com")


@cache
def _suffixes() -> tldextract.TLDExtract:
    import tldextract  # an extra, and slow to import

    # Without URLs and without a cache folder it works from the list in the package, and never goes to the network.
    return tldextract.TLDExtract(cache_dir=None, suffix_list_urls=(), include_psl_private_domains=True)


def _parse(url: str) -> Mapping[str, str]:
    match = _PARTS.fullmatch(url)
    _, path, query, fragment = match.groups("") if match else ("", "", "", "")
    subdomain, domain, top_level_domain = _split_host(host_of(url))
    parts = {
        "url": url,
        "path": path,
        "query": query,
        "fragment": fragment,
        "subdomain": subdomain,
        "domain": domain,
        "topLevelDomain": top_level_domain,
    }
    return {**parts, **{f"{name}_lc": text.lower() for name, text in parts.items()}}


_cached = lru_cache(maxsize=1024)(_parse)


def _split_host(host: str) -> tuple[str, str, str]:
    """Subdomain, domain (with its suffix) and suffix of ``host``."""
    if len(host) > _MAX_HOST_LENGTH:
        return "", host, ""
    found = _suffixes().extract_str(host)
    if not found.suffix or not found.domain:
        return "", host, found.suffix
    labels = found.subdomain.split(".")
    if labels[0] == "www":
        del labels[0]
    return ".".join(labels), f"{found.domain}.{found.suffix}", found.suffix
