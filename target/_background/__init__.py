"""What runs beside calls, and what a process is to it: threads, forks, exits, clocks, the circuit breaker."""
