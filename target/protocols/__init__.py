"""For who writes a store of the outbox or a source of rules: what it has to do, and the values that it speaks in."""

from target.protocols.artifacts import ArtifactSource, FetchedArtifact, SharedPart, SharedSource, SharingTerms
from target.protocols.stores import (
    MOST_PER_BATCH,
    Claim,
    Counts,
    Death,
    DeathReason,
    Entry,
    IsOpen,
    LaneState,
    Moment,
    Settlement,
    Store,
    StoreBroken,
    StoreSettings,
    WhenFull,
)

__all__ = [
    "ArtifactSource",
    "Claim",
    "Counts",
    "Death",
    "DeathReason",
    "Entry",
    "FetchedArtifact",
    "IsOpen",
    "LaneState",
    "MOST_PER_BATCH",
    "Moment",
    "Settlement",
    "SharedPart",
    "SharedSource",
    "SharingTerms",
    "Store",
    "StoreBroken",
    "StoreSettings",
    "WhenFull",
]
