"""Ask a search to try a configuration of yours, on top of its budget; works while the study runs."""

from __future__ import annotations

import argparse

from study.commands.common import add_study, answer, chosen_study
from study.errors import DONE

EPILOG = """
examples:
  sdd-study enqueue quickstart --method SD-KD --set alpha=2 --set scales=1,2,4
  sdd-study enqueue pairs --method SD-DKD --set dkd.beta=6 --pair vgg13-vgg8

What is not set is chosen by the search's sampler. A running launcher takes the trial up while it searches;
else the next launch does. --method and --pair are needed where the study has several searches.

JSON: {"study", "search", "trial": number in the Optuna study, "point": what was asked for, "taken": "now" or
"next launch"}
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``enqueue``."""
    add_study(parser)
    parser.add_argument(
        "--set",
        action="append",
        required=True,
        metavar="NAME=VALUE",
        dest="settings",
        help="a value for one of the searched settings; repeatable",
    )
    parser.add_argument("--pair", metavar="PAIR", help="such as resnet32x4-resnet8x4")
    parser.add_argument("--method", metavar="NAME", help="row of the tables, such as SD-KD")


def run(args: argparse.Namespace) -> int:
    """Check the configuration, and queue it for the search."""
    from study.journal.journal import read_outline
    from study.journal.notes import StageNote, last_launch
    from study.plan.study_file import StudyFile
    from study.search.enqueue import choose, point, queue, read_searches

    folder = chosen_study(args)
    found = read_searches(StudyFile.read(folder).searches)
    search = choose(found, args.pair, args.method)
    asked = point(search, args.settings, args.pair, args.method)
    number = queue(folder.optuna_url, search, asked)
    launch = last_launch(read_outline(folder.journal).notes)
    stages = [note.stage for note in launch if isinstance(note, StageNote)]
    searching = bool(launch) and (not stages or stages[-1] in ("teachers", "search"))
    now = folder.launcher() is not None and searching
    settings = ", ".join(f"{name}={value}" for name, value in asked.items())
    when = "the launcher that runs takes it up" if now else "the next launch runs it"
    answer(
        args,
        {
            "study": folder.name,
            "search": search.label,
            "trial": number,
            "point": asked,
            "taken": "now" if now else "next launch",
        },
        lambda: f"{folder.name}: queued in {search.label} as trial {number}: {settings}; {when}",
    )
    return DONE
