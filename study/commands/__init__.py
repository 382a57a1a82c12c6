"""The commands of ``sdd-study``, one a file: ``add_arguments``, ``run`` and, for the help, ``EPILOG``."""
