"""Everything that can block: sockets, threads, clocks and random numbers."""
