"""What a store of the outbox promises, as tests that any store can run: see StoreSuite."""

from __future__ import annotations

from target.testing._store_bench import Clock, OpenStore
from target.testing._store_lanes import LanePromises
from target.testing._store_leases import LeasePromises
from target.testing._store_room import RoomPromises
from target.testing._store_sharing import SharingPromises

__all__ = ["Clock", "OpenStore", "StoreSuite"]


class StoreSuite(LanePromises, LeasePromises, RoomPromises, SharingPromises):
    """Tries everything that ``target.protocols.Store`` promises. Subclass it with one fixture, ``open_store``::

        class TestMyStore(StoreSuite):
            several_processes = True

            @pytest.fixture
            def open_store(self, tmp_path):
                return lambda settings: MyStore(tmp_path / "outbox.json", settings)

    The fixture gives what ``Outbox(store=...)`` takes: a callable that opens a store for the StoreSettings it gets. It
    is called several times in a test, and each call opens one more store on the same storage, which is empty when a
    test begins. ``settings.now`` is a clock that the tests move by hand: the store may ask no other clock what is due.

    Attributes:
        lasting: Whether the storage outlives the store, so that another store finds what the first left. False skips
            the tests of that: for a store that is nothing but memory.
        several_processes: Whether processes share the storage. True adds tests that fork: a child that adds, and one
            that is killed in the middle of sending.
    """
