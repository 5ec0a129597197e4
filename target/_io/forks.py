"""What a fork needs: imports done before threads begin, and objects told in the child to begin anew."""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Renewable(Protocol):
    """Something whose locks, threads or sockets must not go through a fork as they are."""

    def begin_anew(self) -> None:
        """Called in the child while it has one thread only; a thread it lost may hold any of the object's locks."""


_all: weakref.WeakSet[Renewable] = weakref.WeakSet()


def renew_in_children(renewable: Renewable) -> None:
    """Tell ``renewable`` about every fork from now on, in the child."""
    _all.add(renewable)


def _in_child() -> None:
    for renewable in list(_all):
        renewable.begin_anew()


def import_before_threads() -> None:
    """Import now what a sending thread would import later: a fork in the middle of that leaves the child with half a
    module, or waiting for a thread that it does not have."""
    import codecs

    import urllib3.util.ssl_

    from target_delivery_api import models
    from target_delivery_api.api.delivery import execute

    _ = models.DeliveryResponse, models.UnexpectedError, execute, urllib3.util.ssl_
    codecs.lookup("idna")  # which resolving a host's name begins with


if hasattr(os, "register_at_fork"):  # not where there is no fork
    os.register_at_fork(after_in_child=_in_child)
