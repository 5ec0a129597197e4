"""Connection pools of a client: its own or the caller's, each made to keep to deadlines."""

from __future__ import annotations

import queue
import threading
from typing import Any
from urllib.parse import unquote, urlsplit

import urllib3

from target._io.connect import use_deadlines
from target._io.deadline import Deadline
from target._io.forks import renew_in_children
from target.config import ClientConfig
from target.errors import OptionsError

# Each cluster is a host of its own, and a visitor's cookie can name any of 10,000.
MOST_HOSTS = 64


class DeadlinePools:
    """The part of a PoolManager that sending needs.

    Args:
        manager: Where connections come from; one that adds something of its own (proxy, subclass) sees each request.
        kept_hosts: For how many hosts the pool is remembered, so that the same URL is not parsed again on every call;
            0 for a manager that is not this client's alone, since its owner may clear it.
    """

    def __init__(self, manager: urllib3.PoolManager, kept_hosts: int) -> None:
        self._manager = manager
        self._is_plain = type(manager) is urllib3.PoolManager
        self._kept_hosts = kept_hosts if self._is_plain else 0
        self._by_host: dict[str, urllib3.HTTPConnectionPool] = {}
        # A caller's manager brings what it needs; a proxy over TLS is verified by the same options, not the context.
        tls_proxy = manager.proxy is not None and manager.proxy.scheme == "https"
        self._lacks_context = kept_hosts > 0 and not tls_proxy
        self._lock = threading.Lock()
        renew_in_children(self)

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

    def begin_anew(self) -> None:
        """In a forked child, give up the connections that it shares with its parent, those of a caller's manager
        included: each process would read the other's answers."""
        self._lock = threading.Lock()
        kept = self._manager.pools
        kept.lock = threading.RLock()
        for pool in {*self._by_host.values(), *map(kept.__getitem__, kept.keys())}:
            _leave_to_parent(pool)

    def _pool_of(self, base_url: str) -> urllib3.HTTPConnectionPool:
        pool = self._by_host.get(base_url)
        if pool is None:
            if self._lacks_context and base_url.startswith("https:"):
                with self._lock:
                    if self._lacks_context:
                        share_trust(self._manager)
                        self._lacks_context = False
            pool = self._manager.connection_from_url(base_url)
            if self._kept_hosts:
                if len(self._by_host) >= self._kept_hosts:
                    self._by_host.pop(next(iter(self._by_host), base_url), None)
                self._by_host[base_url] = pool
        return pool


def _leave_to_parent(pool: urllib3.HTTPConnectionPool) -> None:
    """Close this process's handles of the idle connections, and make the pool's queue as it was at first."""
    idle = pool.pool
    if idle is None:  # the pool is closed
        return
    connections = list(idle.queue)
    # In place, since urllib3's own finalizer holds this queue, and would wait for its lock when the process exits.
    queue.LifoQueue.__init__(idle, idle.maxsize)
    for _ in range(idle.maxsize):  # as urllib3 begins; what was in use belongs to threads that this process lacks
        idle.put(None)
    for connection in connections:
        if connection is not None:
            connection.close()


def share_trust(manager: urllib3.PoolManager) -> None:
    """Read the trusted certificates once for all connections: urllib3 would for each, which takes 20 ms every time.

    Raises:
        urllib3.exceptions.SSLError: The file of ``ca_certs`` cannot be read.
    """
    from urllib3.util.ssl_ import create_urllib3_context  # plain HTTP needs none of it

    options = manager.connection_pool_kw
    context = create_urllib3_context()
    try:
        if options.get("ca_certs") is None:
            context.load_default_certs()
        else:
            context.load_verify_locations(options["ca_certs"])
    except OSError as error:
        raise urllib3.exceptions.SSLError(error) from error
    options.pop("ca_certs", None)
    options["ssl_context"] = context


def open_manager(config: ClientConfig) -> urllib3.PoolManager:
    """The client's own PoolManager, or ProxyManager where a proxy is set. Raises OptionsError for a bad proxy URL."""
    options: dict[str, Any] = {"num_pools": MOST_HOSTS, "maxsize": config.pool_size}
    if config.secure:
        options["cert_reqs"] = "CERT_REQUIRED"
    if config.ca_certs is not None:
        options["ca_certs"] = config.ca_certs
    if config.proxy is None:
        return urllib3.PoolManager(**options)
    advice = "Option 'proxy' must be a URL such as http://proxy.example:3128 (percent-encode : / @ in a password)"
    try:
        parts = urlsplit(config.proxy)
        # An @ behind the host belongs to a password, which no message may show: so no urllib3 error as the cause.
        if not parts.hostname or "@" in parts.path + parts.query + parts.fragment:
            raise OptionsError(advice)
        if parts.username is not None:
            credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            options["proxy_headers"] = urllib3.make_headers(proxy_basic_auth=credentials)
        where = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        return urllib3.ProxyManager(where, **options)
    except (ValueError, urllib3.exceptions.HTTPError) as error:
        raise OptionsError(advice) from error
