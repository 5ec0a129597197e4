"""Which tests of this folder the fast run keeps: each begins processes, so it is one of a kind."""

from __future__ import annotations

from pathlib import Path

import pytest

QUICK = (
    "test_children.py::test_a_memory_outbox[Process, forked]",
    "test_exit.py::test_what_was_queued_is_sent_at_exit",
    "test_fork.py::test_a_child_that_closes_does_not_end_the_calls_of_its_parent",
    "test_fork.py::test_an_event_loop_stays_behind_and_a_client_on_a_new_one_works[aiohttp]",
    "test_fork_either_way.py::test_a_lock_that_another_thread_holds_at_the_fork[client._transport._pools._lock-",
    "test_fork_either_way.py::test_parent_and_children_have_connections_and_threads_of_their_own",
    "test_interruptions.py::test_by_a_signal_handler[own]",
    "test_leaks.py::test_nothing_is_left[400 calls]",
)
HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == HERE and not f"{item.path.name}::{item.name}".startswith(QUICK):
            item.add_marker(pytest.mark.slow)
