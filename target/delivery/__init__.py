"""Server-side mode, pure: what to send, and what an answer means. No socket, clock, thread or random number."""
