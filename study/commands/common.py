"""Holds what all commands have in common: where results are, which study, an answer as text or as JSON."""

from __future__ import annotations

import argparse
import json
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from study.workspace.folder import DEFAULT_RESULTS, StudyFolder, find_study
from study.workspace.place import check_place
from trainables.config.serialization import to_plain


def user_path(text: str) -> Path:
    """Return a path as it was typed, a leading ``~`` followed: shells leave the one in ``--results=~/x``."""
    return Path(os.path.expanduser(text))


def check_out_folder(path: Path) -> None:
    """Check, before anything is worked out, that ``path`` of ``--out`` is a folder or can become one.

    Raises:
        UserError: something else is there, or on the way to it.
    """
    check_place(path.absolute(), "choose another folder with --out")


def above_zero(text: str) -> float:
    """Return the number of an option of an amount, such as seconds; argparse says what is wrong."""
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is no number") from None
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not above 0, or not finite")
    return value


def whole_number(least: int, most: float = math.inf) -> Callable[[str], int]:
    """Return what reads the whole number of an option, ``least`` to ``most``; argparse says what is wrong.

    >>> whole_number(1)("3")
    3
    """

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"'{text}' is no whole number") from None
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(
                f"{text} is not {least} or more"
                if most == math.inf
                else f"{text} is not from {least} to {most}"
            )
        return value

    return read


def add_folder(parser: argparse.ArgumentParser) -> None:
    """Add ``--results``."""
    parser.add_argument(
        "--results", type=user_path, default=DEFAULT_RESULTS, metavar="DIR", help="results folder (./results)"
    )


def add_results(parser: argparse.ArgumentParser) -> None:
    """Add ``--results``, ``--submit`` and ``--json``."""
    add_folder(parser)
    parser.add_argument(
        "--submit", metavar="URL", help="ask on a cluster's head, by the job server at URL, for results there"
    )
    parser.add_argument("--json", action="store_true", help="answer with JSON")


def add_study(parser: argparse.ArgumentParser) -> None:
    """Add ``NAME``, ``--results`` and ``--json``."""
    parser.add_argument("study", metavar="NAME", help="name of the study")
    add_results(parser)


def chosen_study(args: argparse.Namespace) -> StudyFolder:
    """Return the study that ``args`` name; :class:`UserError` where there is none."""
    return find_study(args.results, args.study)


def answer(args: argparse.Namespace, value: Any, text: Callable[[], str]) -> None:
    """Print ``value`` as JSON if that was asked for, else ``text``."""
    print(json.dumps(finite(to_plain(value)), indent=1, allow_nan=False) if args.json else text())


def finite(value: Any) -> Any:
    """Return plain data with null for numbers that JSON does not have."""
    if isinstance(value, Mapping):
        return {name: finite(item) for name, item in value.items()}
    if isinstance(value, list):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def columns(rows: list[list[str]], right: tuple[int, ...] = ()) -> str:
    """Set rows of text under each other, columns as wide as they need to be; ``right`` ones end flush."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if number in right else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
