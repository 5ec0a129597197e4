"""What stops a run over many visitors."""

from __future__ import annotations


class BatchError(Exception):
    """What was given cannot be used. The message is one line that names the file and the place."""
