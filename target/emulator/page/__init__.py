"""The emulator's page at /, for people: what it serves, receives and counts, and switches to change that."""
