"""Where notifications are kept, and rules come from, besides what a client brings itself: one room for each server."""
