"""Inputs as people have them, by kind, one line a case: what is made, and what must become of it.

``test_data.py`` has data sets, ``test_weights.py`` weight files, ``test_spaces.py`` space files,
``test_environment.py`` folders, names and variables of a machine, ``test_servers.py`` databases and servers.
:mod:`tests.inputs.case` says what an outcome is.
"""
