"""Reads data sets, one file each: files on a disk to arrays and labels.

A reader has ``read(data)`` and ``fingerprint(data)``; a line in ``trainables/data/registry.py`` names it.
"""
