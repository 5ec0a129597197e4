"""Measures what the SDK costs on top of its transport; every claim is a ratio taken within one run."""
