"""Inputs as people have them, by kind, one line a case: what is made, and what must become of it.

``data.py`` has data sets, ``weights.py`` weight files, ``spaces.py`` space files; the environment and servers
get a file each in the same form. :mod:`tests.inputs.case` says what an outcome is.
"""
