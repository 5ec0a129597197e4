"""Connection pools of a client: its own or the caller's, each made to keep to deadlines."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

import urllib3

from target._io.deadline import Deadline, use_deadlines
from target.config import ClientConfig
from target.errors import OptionsError

# Each cluster is a host of its own, and a visitor's cookie can name any of 10,000.
_MOST_HOSTS = 64


class DeadlinePools:
    """The part of a PoolManager that sending needs, without parsing the same URL again on every call."""

    def __init__(self, manager: urllib3.PoolManager) -> None:
        self._manager = manager
        # A manager that adds something of its own (a proxy, a subclass) must see each request.
        self._is_plain = type(manager) is urllib3.PoolManager
        self._by_host: dict[str, urllib3.HTTPConnectionPool] = {}

    def urlopen(self, method: str, url: str, *, timeout: Any, **options: Any) -> urllib3.BaseHTTPResponse:
        """Send to ``url``, an absolute one with a path; the other arguments are those of ``PoolManager.urlopen``."""
        path_at = url.index("/", len("https://"))
        pool = self._pool_of(url[:path_at])
        use_deadlines(pool)
        if isinstance(timeout, Deadline):
            options["pool_timeout"] = timeout.connect_timeout
        if self._is_plain:
            return pool.urlopen(method, url[path_at:], timeout=timeout, assert_same_host=False, **options)
        return self._manager.urlopen(method, url, timeout=timeout, **options)

    def clear(self) -> None:
        """Close the idle connections."""
        pools = list(self._by_host.values())
        self._by_host.clear()
        self._manager.clear()
        for pool in pools:
            pool.close()

    def _pool_of(self, base_url: str) -> urllib3.HTTPConnectionPool:
        pool = self._by_host.get(base_url)
        if pool is None:
            pool = self._manager.connection_from_url(base_url)
            if self._is_plain:
                if len(self._by_host) >= _MOST_HOSTS:
                    self._by_host.pop(next(iter(self._by_host), base_url), None)
                self._by_host[base_url] = pool
        return pool


def open_manager(config: ClientConfig) -> urllib3.PoolManager:
    """The client's own PoolManager, or ProxyManager where a proxy is set. Raises OptionsError for a bad proxy URL."""
    options: dict[str, Any] = {"num_pools": _MOST_HOSTS, "maxsize": config.pool_size}
    if config.secure:
        options["cert_reqs"] = "CERT_REQUIRED"
    if config.ca_certs is not None:
        options["ca_certs"] = config.ca_certs
    if config.proxy is None:
        return urllib3.PoolManager(**options)
    try:
        parts = urlsplit(config.proxy)
        if parts.username is not None:
            credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            options["proxy_headers"] = urllib3.make_headers(proxy_basic_auth=credentials)
        where = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        return urllib3.ProxyManager(where, **options)
    except (ValueError, urllib3.exceptions.HTTPError) as error:
        raise OptionsError("Option 'proxy' must be a URL such as http://proxy.example:3128") from error
