"""The overrides of a client: what is kept, what tokens say, what becomes of a call."""
