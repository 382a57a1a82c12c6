"""Parses what is typed, and says what is wrong with it in one line, as all other errors are said."""

from __future__ import annotations

import argparse
from typing import NoReturn

from study.errors import WRONG_INPUT


class CommandParser(argparse.ArgumentParser):
    """Complains in one line, where argparse writes a synopsis of all options before it.

    >>> parser = CommandParser(prog="sdd-study")
    >>> _ = parser.add_argument("--seed", type=int)
    >>> parser.parse_args(["--seed", "3"])
    Namespace(seed=3)
    """

    def error(self, message: str) -> NoReturn:
        """End the process with the line, and where to read more."""
        self.exit(WRONG_INPUT, f"error: {message.removeprefix('argument ')}; see {self.prog} --help\n")
