"""The spec, what is generated from it, and what that promises its users."""
