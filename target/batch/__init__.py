"""Deciding for many visitors at once, from the rules of an artifact: without a client, a network or an account."""
