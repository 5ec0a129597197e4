"""Which version this is: the one place that says so, and what the build reads."""

__version__ = "0.1.0"
