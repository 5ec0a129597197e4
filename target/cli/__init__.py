"""The command `target`: what it can do stands in one module for each of its commands."""
