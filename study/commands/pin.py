"""Write a space file that reproduces one configuration of a study: the best, or that of a given trial."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from study.commands.common import add_study, answer, chosen_study
from study.errors import DONE, UserError

if TYPE_CHECKING:
    from study.monitoring.overview import TrialOverview

EPILOG = """
examples:
  sdd-study pin quickstart > best.py
  sdd-study pin quickstart --trial 9cdc55107ded21d3 > one.py
  python study/launch.py --space best.py

The file names the trial's data, pair, method with every setting, training and seeds. Launched, it trains the
configuration on all of train over the study's seeds, and its base loss beside it; with the same --results,
what is known already is not run again. Precision and threads are as they were; other hardware may round
otherwise.

JSON: {"study", "trial": key, "pair", "settings", "value", "space": text of the file}
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``pin``."""
    add_study(parser)
    parser.add_argument(
        "--trial", metavar="KEY", help="key of a trial, or its beginning (the best of the search)"
    )
    parser.add_argument("--pair", metavar="PAIR", help="the best of this pair, such as resnet32x4-resnet8x4")


def run(args: argparse.Namespace) -> int:
    """Print the space file."""
    from study.journal.journal import read_outline
    from study.monitoring.overview import StudyOverview
    from study.results.pinning import pin

    folder = chosen_study(args)
    view, outline = StudyOverview.read(folder), read_outline(folder.journal)
    trial = chosen(folder.name, view.trials, args.trial, args.pair)
    value = "" if trial.value is None else f", {view.metric} {trial.value:.2f} after {trial.epoch} epochs"
    about = f"{trial.pair} {trial.settings}: trial {trial.key} of study '{folder.name}'{value}."
    text = pin(folder, outline, view.file, outline.records[trial.key], about)
    shown = {"trial": trial.key, "pair": trial.pair, "settings": trial.settings, "value": trial.value}
    answer(args, {"study": folder.name, **shown, "space": text}, lambda: text.rstrip("\n"))
    return DONE


def chosen(study: str, trials: list[TrialOverview], key: str | None, pair: str | None) -> TrialOverview:
    """Return the trial whose key begins with ``key``, or else the search's best, or its best on ``pair``."""
    from study.monitoring.overview import best_of
    from study.results.trial_keys import complete_key

    if key is None:
        tried = [trial for trial in trials if trial.stage == "search" and trial.value is not None]
        if not (tried := [trial for trial in tried if pair in (None, trial.pair)]):
            pairs = sorted({trial.pair for trial in trials if trial.stage == "search"})
            of = f" of pair '{pair}' (there are {', '.join(pairs) or 'none'})" if pair else ""
            raise UserError(f"study '{study}' has no search trial{of} with a value; name one with --trial")
        return best_of(tried)
    found = complete_key(study, [trial.key for trial in trials], key)
    return next(trial for trial in trials if trial.key == found)
