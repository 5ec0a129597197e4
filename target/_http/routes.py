"""Which host a call goes to: its edge cluster while that works, else the account's own host; and the cluster learnt.

A visitor's data is at home on one cluster, so a call goes there first. When it fails, the retry goes to the account's
host, from which any cluster can be reached; when it keeps failing, it is left alone for a while.
"""

from __future__ import annotations

import math
import threading

from target._background.clock import monotonic_s
from target._background.forks import renew_in_children
from target._background.runtime import chance
from target._http.deadline import Deadline
from target.config import ClientConfig
from target.delivery.attempts import Steps, attempts, to_account
from target.delivery.identity import build_base_url
from target.delivery.reply import Reply
from target.delivery.request import Call
from target.errors import TargetError, TargetTimeout, TransportError

LEFT_ALONE_S = 30.0
_FAILURES_IN_A_ROW = 3
_OF_THE_CALL = frozenset({400, 413, 414, 420, 422, 429, 431})  # which any host of the API would answer to it
_MOST_HOSTS = 256  # that failed: a visitor's cookie can name any of 10,000 clusters


class Routes:
    """What one client knows of its hosts. Safe to share between threads."""

    def __init__(self, config: ClientConfig) -> None:
        self._config = config
        self._home = build_base_url(config, None)
        self.begin_anew()
        renew_in_children(self)

    def begin_anew(self) -> None:
        """Know of no failure, and have learnt nothing; so in a forked child."""
        self._lock = threading.Lock()
        self._learnt: str | None = None
        self._failed: dict[str, tuple[int, float]] = {}  # by base URL: how often in a row, and when at last

    @property
    def cluster(self) -> str | None:
        """Where calls go that name no cluster: the learnt one, while it works, else the one in the options."""
        return self._learnt or self._config.target_location_hint

    def learn(self, cluster: str | None) -> None:
        """Send calls that name no cluster to ``cluster`` from now on, unless it has just failed."""
        if cluster is None or cluster == self._learnt:
            return
        if not self._failures(build_base_url(self._config, cluster)):
            self._learnt = cluster

    def attempts(self, call: Call, deadline: Deadline, longest_pause_s: float = math.inf) -> Steps:
        """What to do for an answer to ``call``; where its cluster keeps failing, it begins at the account's host."""
        avoids_cluster = bool(self._failed) and self._failures(call.base_url) >= _FAILURES_IN_A_ROW
        retries = self._config.retries
        return attempts(call, self._home, avoids_cluster, retries, deadline, chance, longest_pause_s)

    def to_account(self, call: Call) -> Call:
        """``call`` to the account's own host, which says where the visitor belongs now; as it is where it goes to no
        cluster."""
        return to_account(call, self._home)

    def tried(self, call: Call, outcome: Reply | TargetError) -> None:
        """Take note of how an attempt ended."""
        url = call.base_url
        if call.cluster is None or url == self._home:
            return
        is_failure = isinstance(outcome, TransportError | TargetTimeout) or (
            isinstance(outcome, Reply) and not _is_of_the_api(outcome)
        )
        if not is_failure:
            self._failed.pop(url, None)
            return
        with self._lock:
            failures = self._failures(url) + 1
            self._failed.pop(url, None)
            while len(self._failed) >= _MOST_HOSTS:
                del self._failed[next(iter(self._failed))]  # the one that failed longest ago
            self._failed[url] = failures, monotonic_s()
            if self._learnt is not None and url == build_base_url(self._config, self._learnt):
                self._learnt = None

    def _failures(self, url: str) -> int:
        failures, at_s = self._failed.get(url, (0, 0.0))
        return failures if failures and monotonic_s() < at_s + LEFT_ALONE_S else 0


def _is_of_the_api(reply: Reply) -> bool:
    """Whether it may be the API that answered, and no gateway or server in its place (a page, a redirect, a 403)."""
    if 200 <= reply.status < 300:
        return reply.status == 204 or reply.content[:64].lstrip().startswith(b"{")
    return reply.status in _OF_THE_CALL
