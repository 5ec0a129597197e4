"""Owns what `target doctor` checks of the way to a host: what answers, by which certificate, and whose clock is off."""

from __future__ import annotations

import email.utils
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3

TIMEOUT_S = 5.0
_MOST_SKEW_S = 30
_LEAST_DAYS = 14
_OLD_ARTIFACT_DAYS = 30
_MOST_BYTES = 64 * 1024 * 1024
_DAY_S = 86_400
_NETWORK = "check the network on the way to it"
T = TypeVar("T")

GOOD, BAD, NOTE = "ok", "finding", "note"


class Check(NamedTuple):
    """One check: what it is of, ``ok``, ``finding`` or ``note``, what was found, and what to do about it."""

    name: str
    verdict: str
    found: str
    advice: str = ""


class Answer(NamedTuple):
    """What a host answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    took_ms: float
    at_s: float


class Way(NamedTuple):
    """How hosts are asked: the file of certificates to trust, and the proxy of the options."""

    ca_certs: str | None = None
    proxy: str | None = None

    def proxy_to(self, url: str) -> str | None:
        """The proxy on the way to a URL."""
        parts = urlsplit(url)
        return self.proxy or (None if proxy_bypass(parts.netloc) else getproxies().get(parts.scheme))


def bounded(check: Callable[[], T], otherwise: Callable[[str], T]) -> T:
    """What a check found; what ``otherwise`` makes of the reason where it took too long, a name lookup included."""
    found: list[T] = []
    thread = threading.Thread(target=lambda: found.append(check()), daemon=True)
    thread.start()
    thread.join(TIMEOUT_S)
    return found[0] if found else otherwise(f"no answer within {TIMEOUT_S:.0f} s")


def ask(url: str, way: Way = Way()) -> Answer | str:  # noqa: B008 - it cannot be changed
    """The answer of a URL, whatever its status; else why there is none."""
    return bounded(lambda: _ask(url, way), lambda why: why)


def _ask(url: str, way: Way) -> Answer | str:
    proxy = way.proxy_to(url)
    trusted: Any = {"ca_certs": way.ca_certs} if way.ca_certs else {}
    try:
        with urllib3.ProxyManager(proxy, **trusted) if proxy else urllib3.PoolManager(**trusted) as pool:
            started_s = time.time()
            answer = pool.request("GET", url, timeout=TIMEOUT_S, retries=False, redirect=False, preload_content=False)
            body = answer.read(_MOST_BYTES, decode_content=True)
            headers = {name.lower(): value for name, value in answer.headers.items()}
    except (urllib3.exceptions.HTTPError, OSError, ValueError) as problem:
        return " ".join(str(problem).split())[:300] or type(problem).__name__
    ended_s = time.time()
    return Answer(answer.status, headers, body, (ended_s - started_s) * 1000, ended_s)


def check_reach(name: str, url: str, answer: Answer | str) -> Check:
    """Whether a host answers at all."""
    host = urlsplit(url).netloc
    if isinstance(answer, str):
        advice = "check the client code, the network, DNS, HTTPS_PROXY and NO_PROXY"
        return Check(name, BAD, f"{host} does not answer: {answer}", advice)
    return Check(name, GOOD, f"{host} answers in {answer.took_ms:.0f} ms")


def check_clock(answer: Answer | str) -> Check:
    """Whether this machine's clock is that of the host: cookies and notifications carry the time."""
    said = "" if isinstance(answer, str) else answer.headers.get("date", "")
    moment = email.utils.parsedate_to_datetime(said) if _is_date(said) else None
    if isinstance(answer, str) or moment is None:
        return Check("clock", NOTE, "not compared: no answer says the time")
    off_s = answer.at_s - moment.timestamp()
    if abs(off_s) > _MOST_SKEW_S:
        way = "ahead of" if off_s > 0 else "behind"
        return Check(
            "clock", BAD, f"this machine is {abs(off_s):.0f} s {way} the host", "let NTP set this machine's clock"
        )
    return Check("clock", GOOD, f"within {_MOST_SKEW_S} s of the host's")


def check_certificate(url: str, way: Way = Way()) -> Check:  # noqa: B008 - it cannot be changed
    """Whether the certificate of a host is trusted, and for how long it is valid."""
    parts = urlsplit(url)
    if parts.scheme != "https":
        return Check("certificate", NOTE, f"none: {parts.netloc} is asked over plain HTTP")
    if way.proxy_to(url):
        return Check("certificate", NOTE, f"{parts.netloc}: not looked at, since the way leads through a proxy")
    return bounded(
        lambda: _certificate(parts.hostname or "", parts.port or 443, way),
        lambda why: Check("certificate", BAD, f"{parts.netloc}: {why}", _NETWORK),
    )


def _certificate(host: str, port: int, way: Way) -> Check:
    try:
        context = ssl.create_default_context(cafile=way.ca_certs)
    except OSError as problem:
        return Check("certificate", BAD, f"{way.ca_certs}: {problem}", "name a file of certificates (PEM) in ca_certs")
    try:
        with (
            socket.create_connection((host, port), TIMEOUT_S) as plain,
            context.wrap_socket(plain, server_hostname=host) as secured,
        ):
            ends_s = ssl.cert_time_to_seconds(str((secured.getpeercert() or {}).get("notAfter")))
    except ssl.SSLCertVerificationError as problem:
        advice = "set ca_certs (or SSL_CERT_FILE) to the file of the authority that your network uses"
        if "expired" in problem.verify_message:
            advice = "whoever runs the host has to renew it"
        return Check("certificate", BAD, f"{host}: {problem.verify_message}", advice)
    except (OSError, ValueError) as problem:
        return Check("certificate", BAD, f"{host}: {problem}", _NETWORK)
    days = (ends_s - time.time()) / _DAY_S
    found = f"{host}: valid until {datetime.fromtimestamp(ends_s, UTC):%Y-%m-%d}"
    if days < _LEAST_DAYS:
        return Check("certificate", BAD, found, "whoever runs the host has to renew it soon")
    return Check("certificate", GOOD, found)


def check_proxy(url: str, way: Way = Way()) -> Check:  # noqa: B008 - it cannot be changed
    """Whether a proxy of the options or of the environment stands on the way."""
    parts = urlsplit(url)
    proxy = way.proxy or getproxies().get(parts.scheme)
    if not proxy:
        return Check("proxy", GOOD, "none")
    named = urlsplit(proxy if "//" in proxy else f"//{proxy}").hostname or "one"  # which leaves out a password
    if not way.proxy_to(url):
        return Check("proxy", GOOD, f"{named}, but not for {parts.netloc}")
    local = parts.hostname in ("localhost", "127.0.0.1", "::1")
    advice = f"set NO_PROXY={parts.hostname}, since no proxy leads to this machine" if local else ""
    return Check("proxy", BAD if local else NOTE, f"{named} is on the way to {parts.netloc}", advice)


def check_artifact(url: str, answer: Answer | str) -> Check:
    """Whether there are rules, and how old they are."""
    if isinstance(answer, str):
        return Check(
            "rules", BAD, f"{urlsplit(url).netloc} does not answer: {answer}", "check cdn_base_path and the network"
        )
    if answer.status in (403, 404):
        advice = "needed for decisions in process alone: switch on-device decisioning on in Target, Administration"
        return Check("rules", NOTE, f"none ({answer.status})", advice)
    if answer.status != 200:
        return Check("rules", BAD, f"the answer is {answer.status}", "try again; else look at the CDN")
    try:
        data: Any = json.loads(answer.body)
        version, generated = str(data["version"]), (data.get("meta") or {}).get("generatedAt")
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return Check("rules", BAD, "the answer is no rules artifact", "look at what the CDN serves there")
    age = _age_days(generated if isinstance(generated, str) else answer.headers.get("last-modified", ""), answer.at_s)
    found = f"version {version[:20]}, {len(answer.body)} bytes" + ("" if age is None else f", {age:.0f} days old")
    if age is not None and age > _OLD_ARTIFACT_DAYS:
        return Check("rules", NOTE, found, "fine if no activity changed since; else Target has not published them")
    return Check("rules", GOOD, found)


def _age_days(said: str, now_s: float) -> float | None:
    try:
        moment = datetime.fromisoformat(said)
    except ValueError:
        if not _is_date(said):
            return None
        moment = email.utils.parsedate_to_datetime(said)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, now_s - moment.timestamp()) / _DAY_S


def _is_date(said: str) -> bool:
    parsed = email.utils.parsedate_tz(said)
    try:
        return parsed is not None and email.utils.parsedate_to_datetime(said) is not None
    except (ValueError, OverflowError):
        return False
