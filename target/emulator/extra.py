"""Owns the words for a missing web server: which extra to install."""

from __future__ import annotations


def needs_extra(missing: ModuleNotFoundError) -> ModuleNotFoundError:
    """The error to raise instead of `missing` when a package of the extra `emulator` cannot be imported."""
    return ModuleNotFoundError(
        f"the emulator needs the package {missing.name}: run pip install 'target-delivery[emulator]'",
        name=missing.name,
    )
