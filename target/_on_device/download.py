"""Fetches a file over HTTP: one GET within a deadline, of bounded size, through the client's proxy and certificates."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

from urllib3.util.retry import Retry

from target._background.clock import monotonic_s
from target._http import failures
from target._http.deadline import Deadline
from target._http.pools import open_pools
from target._http.reading import read_body
from target.config import ClientConfig
from target.delivery.retry import Stage
from target.on_device_config import without_query

_HOSTS = 2  # of the artifact, of the geo service
_NO_RETRIES = Retry(False, redirect=False)
_UNREADABLE = "The answer from {url} could not be read ({why})"
_WORDS = failures.Words(
    late="No complete answer from {url} in time",
    tls="TLS with {url} failed: check the URL and ca_certs",
    unreachable="{url} cannot be reached: check the URL, proxy and the network",
    unanswered=_UNREADABLE,
    unreadable=_UNREADABLE,
)


class Download(NamedTuple):
    """An answer as it came: status, headers with names in lower case, the unpacked body, and how long it took.

    ``first_byte_ms`` is the time until the head was there, ``body_ms`` what the body took after that.
    """

    status: int
    headers: Mapping[str, str]
    content: bytes
    first_byte_ms: float
    body_ms: float


class Downloads:
    """One client's way to files on a CDN. Safe to share between threads; redirects are not followed.

    Certificates are verified whatever ``secure`` says, which is about the Delivery API alone.
    """

    def __init__(self, config: ClientConfig) -> None:
        self._config = config
        self._most_bytes = config.max_response_bytes
        self._pools = open_pools(config, _HOSTS)

    def get(self, url: str, headers: Mapping[str, str], deadline: Deadline, most_bytes: int | None = None) -> Download:
        """The answer of ``url``, whatever its status.

        Args:
            url: Where it is.
            headers: What to ask it with.
            deadline: When to give up.
            most_bytes: How large it may be; by default as the option ``max_response_bytes`` says.

        Raises:
            TargetTimeout: The deadline passed.
            TransportError: No usable answer.
            ClientClosed: The deadline's abort was called.
        """
        most = min(most_bytes or self._most_bytes, self._most_bytes)
        exchange = partial(self._exchange, url, headers, most)
        while True:
            try:
                return deadline.answer_of(exchange)
            except failures.RAISED as error:
                explained, stage = failures.explain(error, _WORDS, url=without_query(url))
                if deadline.anew or stage is not Stage.UNANSWERED or not deadline.took_kept:
                    raise explained from explained.__cause__
            deadline.anew = True  # it died while it was idle, and others may have, too

    def _exchange(self, url: str, headers: Mapping[str, str], most: int, deadline: Deadline) -> Download:
        started_s = monotonic_s()
        response = self._pools.urlopen(
            "GET",
            url,
            timeout=deadline,
            headers={"Accept": "application/json", "Accept-Encoding": "gzip", **headers},
            retries=_NO_RETRIES,
            redirect=False,
            preload_content=False,
        )
        began_s = monotonic_s()
        content = read_body(response, most, deadline)
        return Download(
            status=response.status,
            headers={name.lower(): value for name, value in response.headers.items()},
            content=content,
            first_byte_ms=(began_s - started_s) * 1000,
            body_ms=(monotonic_s() - began_s) * 1000,
        )

    def close(self) -> None:
        """Close the idle connections, unless the pool is the caller's."""
        self._pools.clear()
