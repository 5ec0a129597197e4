"""Places for calls in progress, shared between hosts: one that hangs takes none of those that the others need."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, NamedTuple, TypeVar

from target.config import ClientConfig
from target.delivery.request import Call
from target.errors import ApiError, TargetTimeout, TransportError

T = TypeVar("T")

MOST_SHARES = 3  # of ``size`` places: account's host, the client's own cluster, visitors' clusters
_MOST_PROVEN = 256  # visitors' hosts that are remembered to answer


class Host(NamedTuple):
    """Where a call goes, or another name for what it waits for; ``is_visitors`` where a visitor's cookie named it."""

    name: str
    is_visitors: bool = False


HOME = Host("")
PLACES = Host("the geo service")


def host_of(call: Call, config: ClientConfig) -> Host:
    """Where ``call`` goes."""
    return Host(call.base_url, config.edge_routing and call.names_cluster and call.cluster is not None)


class Shares(Generic[T]):
    """Who may go ahead, and who waits. To be used by one thread at a time.

    A host of the client's own has ``size`` places, whatever the others do. The hosts that visitors' cookies name have
    as many together; those among them that did not answer last time, or never yet, have half of these, and each an
    eighth. Who waits for the same host gets its turn in the order of coming.

    Args:
        size: How many calls may be in progress to one host.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._running: dict[Host, int] = {}
        self._waiting: dict[Host, OrderedDict[T, int]] = {}  # with a number that says when each came
        self._came = 0
        self._visitors = self._doubtful = 0  # places that visitors' hosts have, and of these those in doubt
        self._proven: dict[str, None] = {}

    @property
    def waiting(self) -> int:
        """How many wait."""
        return sum(map(len, self._waiting.values()))

    def begin(self, host: Host) -> bool:
        """Take a place, if ``host`` may have one now and nobody waits for it. ``end`` must follow."""
        if host in self._waiting or not self._may_begin(host):
            return False
        self._take(host)
        return True

    def wait(self, host: Host, item: T) -> None:
        """Let ``item``, which is no other's equal, wait for a place."""
        self._came += 1
        self._waiting.setdefault(host, OrderedDict())[item] = self._came

    def give_up(self, host: Host, item: T) -> None:
        """Let ``item`` wait no longer."""
        line = self._waiting.get(host)
        if line is not None and line.pop(item, None) is not None and not line:
            del self._waiting[host]

    def is_full(self, host: Host) -> bool:
        """Whether ``host`` has all the places it can have. Any thread may ask."""
        return self._running.get(host, 0) >= self._size

    @property
    def has_next(self) -> bool:
        """Whether there is one who may go ahead."""
        return any(self._may_begin(host) for host in self._waiting)

    def next(self) -> tuple[Host, T] | None:
        """The first who may go ahead; it has its place, and ``end`` must follow. None where all have to wait."""
        ready = [host for host in self._waiting if self._may_begin(host)]
        if not ready:
            return None
        host = min(ready, key=lambda name: next(iter(self._waiting[name].values())))
        line = self._waiting[host]
        item, _ = line.popitem(last=False)
        if not line:
            del self._waiting[host]
        self._take(host)
        return host, item

    def end(self, host: Host, answered: bool | None) -> None:
        """Give a place back.

        Args:
            host: Whose.
            answered: Whether the host answered; None where that is not known.
        """
        was_doubtful = self._is_doubtful(host)
        left = self._running[host] - 1
        if left:
            self._running[host] = left
        else:
            del self._running[host]
        if not host.is_visitors:
            return
        self._visitors -= 1
        self._doubtful -= was_doubtful
        if answered is not None and answered is was_doubtful:
            self._doubtful += -left if answered else left
            if answered:
                self._proven[host.name] = None
                if len(self._proven) > _MOST_PROVEN:
                    self._forget(next(iter(self._proven)))
            else:
                del self._proven[host.name]

    def drain(self) -> list[T]:
        """All who wait, in the order of coming; none waits any longer."""
        entries = [entry for line in self._waiting.values() for entry in line.items()]
        self._waiting.clear()
        return [item for item, _ in sorted(entries, key=lambda entry: entry[1])]

    def _may_begin(self, host: Host) -> bool:
        running = self._running.get(host, 0)
        if not host.is_visitors:
            return running < self._size
        if self._visitors >= self._size:
            return False
        if not self._is_doubtful(host):
            return True
        return self._doubtful < max(1, self._size // 2) and running < max(1, self._size // 8)

    def _take(self, host: Host) -> None:
        self._running[host] = self._running.get(host, 0) + 1
        if host.is_visitors:
            self._visitors += 1
            self._doubtful += self._is_doubtful(host)

    def _is_doubtful(self, host: Host) -> bool:
        return host.is_visitors and host.name not in self._proven

    def _forget(self, name: str) -> None:
        del self._proven[name]
        self._doubtful += self._running.get(Host(name, is_visitors=True), 0)


def did_answer(error: BaseException | None) -> bool | None:
    """Whether the host of a call that ended with ``error`` answered; None where that says nothing about it."""
    if error is None or isinstance(error, ApiError):
        return True
    return False if isinstance(error, TargetTimeout | TransportError) else None
