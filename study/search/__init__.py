"""Which trial comes next, which one stops early, and when a search ends."""
