"""On-device mode, pure: rules in, answer out. No socket, clock, thread or random number."""
