"""What watchers of a client's rules are told, apart from what is always loaded: dataclasses take long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: What became of the rules: new ones are in use; those in use are the latest again, after a failure; they could not be
#: fetched, and the last good ones, if there are any, stay in use.
ArtifactState = Literal["new", "confirmed", "failed"]


@dataclass(frozen=True, slots=True)
class ArtifactInfo:
    """What became of the rules of a client.

    Attributes:
        state: ``"new"`` (others than before are in use), ``"confirmed"`` (those in use are the latest again, after a
            failure) or ``"failed"`` (they could not be fetched; the last good ones, if there are any, stay in use).
        error: Name of the class of what it failed with; None where it did not.
    """

    state: ArtifactState
    error: str | None = None
