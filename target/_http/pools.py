"""Connection pools of a client: its own or the caller's, each made to keep to deadlines."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Any, Protocol

import urllib3

from target._background.forks import renew_in_children
from target._http.connect import DEADLINE_CLASSES, use_deadlines
from target._http.deadline import Deadline, Keeping
from target._http.exchange import NotNew
from target._http.idle import IdleConnections, use_idle_connections
from target._http.proxies import Proxies
from target.config import ClientConfig

if TYPE_CHECKING:
    import ssl

# Each cluster is a host of its own, and a visitor's cookie can name any of 10,000.
MOST_HOSTS = 64
_MOST_NOT_NEW = 16


class Pools(Protocol):
    """The part of a PoolManager that sending needs. Safe to share between threads."""

    def urlopen(self, method: str, url: str, *, timeout: Any, **options: Any) -> urllib3.BaseHTTPResponse:
        """Send to ``url``, an absolute one with a path; the other arguments are those of ``PoolManager.urlopen``."""
        ...

    def connections(self) -> dict[str, int] | None:
        """How many are ``idle``, and were ``made`` by now; None where they are not the client's own."""
        ...

    def clear(self) -> None:
        """Close the idle connections, if they are the client's own."""
        ...


def open_pools(config: ClientConfig, most_hosts: int = MOST_HOSTS) -> Pools:
    """The caller's pool where there is one, else the client's own. Raises OptionsError for a bad proxy URL."""
    return OwnPools(config, most_hosts) if config.pool is None else CallersPools(config.pool, config.max_idle_s)


class CallersPools:
    """A PoolManager of the caller's: used as it is, for it may have other users, and never closed."""

    def __init__(self, manager: urllib3.PoolManager, max_idle_s: float) -> None:
        self._manager = manager
        self._keeping = Keeping(max_idle_s)
        # One that adds something of its own (proxy, subclass) sees each request.
        self._is_plain = type(manager) is urllib3.PoolManager
        renew_in_children(self)

    def urlopen(self, method: str, url: str, *, timeout: Any, **options: Any) -> urllib3.BaseHTTPResponse:
        """Send; see Pools."""
        path_at = _path_at(url)
        # Looked up each time: the owner may clear the manager.
        pool = self._manager.connection_from_url(url[:path_at])
        use_idle_connections(pool)
        manager = None if self._is_plain else self._manager
        return _send(pool, manager, method, url, path_at, _until(timeout, self._keeping, options), options)

    def connections(self) -> None:
        """Unknown: their owner can ask, and wait for the lock that this needs."""

    def clear(self) -> None:
        """Nothing: it is the caller's."""

    def begin_anew(self) -> None:
        """In a forked child, give up the connections that it shares with its parent: each process would read the
        other's answers."""
        kept = self._manager.pools
        kept.lock = threading.RLock()
        for pool in map(kept.__getitem__, kept.keys()):
            _leave_to_parent(pool)


class _Host:
    """The connections to one host; ``answers`` is how many came, and counts less and less as time goes on."""

    __slots__ = ("answers", "manager", "pool")

    def __init__(self, manager: urllib3.PoolManager, base_url: str) -> None:
        self.pool = manager.connection_from_url(base_url)
        use_idle_connections(self.pool)
        self.manager = manager if manager.proxy is not None else None  # else what urllib3 adds is not needed
        self.answers = 0


class OwnPools:
    """The pools of one client, each for one host, through the proxy that leads there.

    Raises:
        OptionsError: The URL of a proxy cannot be used.
    """

    def __init__(self, config: ClientConfig, most_hosts: int) -> None:
        self._config = config
        self._most_hosts = most_hosts
        self._keeping = Keeping(config.max_idle_s)
        self._proxies = Proxies(config)
        self._hosts: dict[str, _Host] = {}
        self._evictions = 0
        self._made_before = 0  # connections to hosts that are forgotten
        self._context: ssl.SSLContext | None = None
        self._lock = threading.Lock()
        renew_in_children(self)

    def urlopen(self, method: str, url: str, *, timeout: Any, **options: Any) -> urllib3.BaseHTTPResponse:
        """Send; see Pools."""
        path_at = _path_at(url)
        host = self._hosts.get(url[:path_at]) or self._add(url[:path_at])
        deadline = _until(timeout, self._keeping, options)
        response = _send(host.pool, host.manager, method, url, path_at, deadline, options)
        host.answers += 1
        return response

    def connections(self) -> dict[str, int]:
        """How many there are; see Pools."""
        pools = [host.pool for host in self._hosts.copy().values()]
        idle = sum(pool.pool.qsize() for pool in pools if pool.pool is not None)
        return {"idle": idle, "made": self._made_before + sum(pool.num_connections for pool in pools)}

    def clear(self) -> None:
        """Close the idle connections."""
        hosts = list(self._hosts.values())
        self._hosts.clear()
        for host in hosts:
            self._close(host)

    def begin_anew(self) -> None:
        """In a forked child, give up the connections that it shares with its parent: each process would read the
        other's answers."""
        self._lock = threading.Lock()
        for host in self._hosts.values():
            _leave_to_parent(host.pool)

    def _add(self, base_url: str) -> _Host:
        with self._lock:
            host = self._hosts.get(base_url)
            if host is None:
                if len(self._hosts) >= self._most_hosts:
                    self._evict()
                host = self._hosts[base_url] = _Host(self._open_manager(base_url), base_url)
            return host

    def _evict(self) -> None:
        """Close the connections to the host that answered least, the longest known of those: whatever hosts the cookies
        of visitors name, those that serve the others keep theirs."""
        self._evictions += 1
        if self._evictions % self._most_hosts == 0:  # what was busy once must not stay for ever
            for host in self._hosts.values():
                host.answers //= 2
        least = min(self._hosts, key=lambda name: self._hosts[name].answers)
        self._close(self._hosts.pop(least))

    def _close(self, host: _Host) -> None:
        self._made_before += host.pool.num_connections
        host.pool.close()

    def _open_manager(self, base_url: str) -> urllib3.PoolManager:
        """The manager of one host: with one for all, urllib3 would close the connections used least lately."""
        config, proxy = self._config, self._proxies.of(base_url)
        options: dict[str, Any] = {"num_pools": 1, "maxsize": config.pool_size}
        if base_url.startswith("https:"):
            options["cert_reqs"] = "CERT_REQUIRED"
        if proxy is not None and proxy.url.startswith("https:"):
            if config.ca_certs is not None:  # such a proxy is verified by the same options, not by the context
                options["ca_certs"] = config.ca_certs
        elif base_url.startswith("https:"):
            if self._context is None:
                self._context = trusted_context(config.ca_certs)
            options["ssl_context"] = self._context
        if proxy is None:
            return urllib3.PoolManager(**options)
        return urllib3.ProxyManager(proxy.url, proxy_headers=proxy.headers, **options)


def _path_at(url: str) -> int:
    return url.index("/", len("https://"))


def _until(timeout: Any, keeping: Keeping, options: dict[str, Any]) -> Any:
    """``timeout``, made to go by ``keeping`` where it is a Deadline, and that for the pool."""
    if isinstance(timeout, Deadline):
        timeout.keeping = keeping
        options["pool_timeout"] = timeout.pool_timeout
    return timeout


def _send(
    pool: urllib3.HTTPConnectionPool,
    manager: urllib3.PoolManager | None,
    method: str,
    url: str,
    path_at: int,
    timeout: Any,
    options: dict[str, Any],
) -> urllib3.BaseHTTPResponse:
    """Send over ``pool``; through ``manager``, which it belongs to, where that adds something."""
    if DEADLINE_CLASSES.get(type(pool).ConnectionCls) is not pool.ConnectionCls:
        use_deadlines(pool)
    for _ in range(_MOST_NOT_NEW):
        try:
            if manager is None:
                return pool.urlopen(method, url[path_at:], timeout=timeout, assert_same_host=False, **options)
            return manager.urlopen(method, url, timeout=timeout, **options)
        except urllib3.exceptions.ProtocolError as error:  # that closed the connection, which is asked for first again
            if not isinstance(error.args[-1], NotNew):
                raise
    raise urllib3.exceptions.ProtocolError("no new connection", NotNew())


def trusted_context(ca_certs: str | None) -> ssl.SSLContext:
    """What verifies servers. To be made once for all connections: urllib3 would for each, and reading the trusted
    certificates takes 20 ms.

    Raises:
        urllib3.exceptions.SSLError: The file ``ca_certs`` cannot be read.
    """
    from urllib3.util.ssl_ import create_urllib3_context  # plain HTTP needs none of it

    context = create_urllib3_context()
    try:
        if ca_certs is None:
            context.load_default_certs()
        else:
            context.load_verify_locations(ca_certs)
    except OSError as error:
        raise urllib3.exceptions.SSLError(error) from error
    return context


def _leave_to_parent(pool: urllib3.HTTPConnectionPool) -> None:
    """Close this process's handles of the idle connections, and make the pool's queue as it was at first."""
    idle: Any = pool.pool
    if idle is None:  # the pool is closed
        return
    if isinstance(idle, IdleConnections):
        idle.begin_anew()
        return
    connections = list(idle.queue)
    # In place, since urllib3's own finalizer holds this queue, and would wait for its lock when the process exits.
    queue.LifoQueue.__init__(idle, idle.maxsize)
    for _ in range(idle.maxsize):  # as urllib3 begins; what was in use belongs to threads that this process lacks
        idle.put(None)
    for connection in connections:
        if connection is not None:
            connection.close()
