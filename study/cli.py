"""sdd-study: launch studies, look at them while they run and afterwards, steer them, export them."""

from __future__ import annotations

import argparse
import errno
import os
import platform
import sys
from typing import Any, NoReturn

from study import launch
from study.commands import (
    compare,
    doctor,
    enqueue,
    export,
    importances,
    listing,
    networks,
    pack,
    pin,
    report,
    simulate,
    status,
    stop,
    teachers,
    ui,
)
from study.commands.parser import CommandParser
from study.commands.terminal import print_on_any_terminal
from study.errors import DONE, INTERRUPTED, WRONG_INPUT, SDDError

COMMANDS = {
    "launch": (launch, "run a study, or go on with it"),
    "list": (listing, "the studies of a results folder"),
    "status": (status, "where a study stands"),
    "ui": (ui, "MLflow, Optuna's dashboard and the report in a browser"),
    "compare": (compare, "studies side by side"),
    "importances": (importances, "which settings of a search mattered"),
    "simulate": (simulate, "recorded curves under stopping rules: what each would have found"),
    "pin": (pin, "a configuration as a space file"),
    "enqueue": (enqueue, "ask a search for a configuration of yours"),
    "stop": (stop, "end a running study so that it can go on later"),
    "export": (export, "write a study's trials as CSV"),
    "report": (report, "tables and figures of studies, the paper's numbers beside"),
    "networks": (
        networks,
        "networks that can be teachers and students, what they cost, why one does not fit",
    ),
    "doctor": (doctor, "whether all that a launch needs is there, and what to do where it is not"),
    "pack": (pack, "a set of image files as one file, read many times faster"),
    "teachers": (teachers, "list teachers, or file a weight file as one"),
}
"""Each module has ``add_arguments``, ``run`` and ``EPILOG``."""


OF_A_PLACE = (
    *(errno.EACCES, errno.EEXIST, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOTDIR),
    *(errno.ENOSPC, errno.EPERM, errno.EROFS),
)
"""Errors of a folder or file that was named, which is not what it should be, or has no room."""


class ShowVersions(argparse.Action):
    """Prints versions and ends the command; they are looked up only then, since that takes a moment."""

    def __init__(self, option_strings: list[str], dest: str, help: str) -> None:
        super().__init__(option_strings, dest=argparse.SUPPRESS, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        print(f"{parser.prog} {installed('sdd-study')}")
        others = (f"{name} {installed(name)}" for name in ("torch", "ray", "optuna", "mlflow", "pandas"))
        print(", ".join([f"Python {platform.python_version()}", *others]))
        parser.exit()


def installed(package: str) -> str:
    """Return the version of an installed package, or say that it is none, without importing it."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return "is not installed"


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands; ``run`` of what it parses is the function to call."""
    parser = CommandParser(prog="sdd-study", description=__doc__)
    parser.add_argument("--version", action=ShowVersions, help="versions of this and of what it stands on")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (module, about) in COMMANDS.items():
        command = commands.add_parser(
            name,
            help=about,
            description=module.__doc__,
            epilog=module.EPILOG,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.set_defaults(run=module.run)
        module.add_arguments(command)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the ``sdd-study`` command that ``argv`` names; return the exit code."""
    print_on_any_terminal()
    args = make_parser().parse_args(argv)
    try:
        if getattr(args, "submit", None) and args.command != "launch":
            from study.compute import submission as jobs

            return jobs.command(args.submit, without_submit(argv if argv is not None else sys.argv[1:]))
        code: int = args.run(args)
    except SDDError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader of a pipe, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except OSError as error:
        if error.errno not in OF_A_PLACE or error.filename is None:
            raise
        print(f"error: {error.filename}: {error.strerror}", file=sys.stderr)
        return WRONG_INPUT
    return code


def without_submit(words: list[str]) -> list[str]:
    """Return a command line as it is run on the cluster."""
    kept = [word for word in words if not word.startswith("--submit=")]
    if "--submit" in kept:
        at = kept.index("--submit")
        del kept[at : at + 2]
    return kept


if __name__ == "__main__":
    sys.exit(main())
