"""The notification outbox at work: where notifications wait, and the threads that send them until they are settled."""
