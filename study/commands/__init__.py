"""Holds the commands of ``sdd-study``, one a file: ``add_arguments``, ``run`` and, for the help, ``EPILOG``.

A command reads what other rooms know and prints it, as text or as JSON; it keeps no logic of its own. A new
one is a file here and a line in ``COMMANDS`` of ``study/cli.py``.
"""
