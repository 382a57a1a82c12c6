"""Finished trials as data: frames, seed groups, statistics, comparisons."""
