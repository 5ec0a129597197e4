"""What ids, tokens, times and addresses look like, wherever they stand, and the texts that stand in for them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import quote


class Pattern(NamedTuple):
    """What an id or a time looks like, and the text that stands in for it."""

    regex: re.Pattern[str]
    placeholder: str


#: In this order: a host or an organization is named as a whole before the digits in it are looked at.
PATTERNS: dict[str, Pattern] = {
    "organization": Pattern(re.compile(r"[\w.-]+(?:@|%40)AdobeOrg"), "ORGANIZATION"),
    "client host": Pattern(re.compile(r"(?!mboxedge\d{1,4}\.)(?<![\w-])[\w-]+\.tt\.omtrdc\.net"), "HOST"),
    "UUID": Pattern(re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"), "UUID"),
    "supplemental data id": Pattern(
        re.compile(r"\b(?!0{16}-0{16}\b)[0-9a-fA-F]{16}-[0-9a-fA-F]{16}\b"), "0000000000000000-0000000000000000"
    ),
    "device id": Pattern(re.compile(r"(?<![0-9a-zA-Z])[0-9a-fA-F]{32}(?![0-9a-zA-Z])"), "DEVICE"),
    "visitor id": Pattern(re.compile(r"(?<!\d)\d{38}(?!\d)"), "VISITOR"),
    "token": Pattern(re.compile(r"(?<![\w+/-])[A-Za-z0-9+/_-]{64,}={0,2}"), "TOKEN"),
    "epoch time": Pattern(re.compile(r"(?<![\w.])1[5-9]\d{8}(?:\d{3})?(?![\w.])"), "0"),
    "IPv4 address": Pattern(re.compile(r"(?<![\w.])(?!0\.0\.0\.0\b)(?:\d{1,3}\.){3}\d{1,3}(?![\w.])"), "0.0.0.0"),
    "IPv6 address": Pattern(
        re.compile(
            r"(?<![\w:])(?=[0-9a-fA-F:]*::|(?:[0-9a-fA-F]+:){7})(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{1,4}(?!\w)"
        ),
        "0.0.0.0",
    ),
    "HTTP date": Pattern(re.compile(r"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} [\d:]{8}"), "DATE"),
    "cookie": Pattern(re.compile(r"(?i)\bset-cookie\b|(?<![\w-])(?:session|PC)#[^#\s]+#\d+"), "COOKIE"),
}


def mask(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` with a placeholder for each secret and each match of a pattern."""
    for secret in secrets:
        for form in spellings_of(secret):
            text = re.sub(re.escape(form), "SECRET", text, flags=re.IGNORECASE)
    for pattern in PATTERNS.values():
        text = pattern.regex.sub(pattern.placeholder, text)
    return text


def spellings_of(secret: str) -> set[str]:
    """How a text may be written: as it is, and in a URL."""
    return {secret, quote(secret, safe="")}
