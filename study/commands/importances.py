"""Tell which settings of a study's search mattered, by fANOVA (Hutter 2014) and PED-ANOVA (Watanabe 2023)."""

from __future__ import annotations

import argparse
from typing import Any

from study.commands.common import add_study, answer, columns
from study.errors import DONE

EPILOG = """
examples:
  sdd-study importances quickstart
  sdd-study importances quickstart --json

fANOVA: share of the variance of the accuracy over the whole space, by settings that all trials have.
PED-ANOVA: what tells the best trials from the rest, by settings that only some trials have too, such as the
options of one base loss. Each adds up to 1; from trials that reached their last epoch.

JSON: {"study", "metric", "trials": counted, "importances": [{"parameter", "fanova", "ped_anova"}]}
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``importances``."""
    add_study(parser)


def run(args: argparse.Namespace) -> int:
    """Show the importances by both evaluators."""
    from study.results.folder_reader import read_folder
    from study.results.frames import gather
    from study.results.importance import EVALUATORS, FEWEST, importances

    runs = gather([read_folder(args.results, args.study)])
    found = {name: importances(runs, name) for name in EVALUATORS}
    trials = max((int(frame["trials"].max()) for frame in found.values() if len(frame)), default=0)
    shares = {
        name: dict(zip(frame["parameter"], map(float, frame["importance"]), strict=True))
        for name, frame in found.items()
    }
    rows: list[dict[str, Any]] = [
        {"parameter": parameter, **{name: each.get(parameter) for name, each in shares.items()}}
        for parameter in dict.fromkeys([*shares["fanova"], *shares["ped_anova"]])
    ]
    about = {"study": args.study, "metric": runs.metric, "trials": trials, "importances": rows}
    none = (
        f"{args.study}: nothing to tell yet; needs {FEWEST} whole trials that differ, and so do their values"
    )
    answer(args, about, lambda: table(rows, trials, runs.metric) if rows else none)
    return DONE


def table(rows: list[dict[str, Any]], trials: int, metric: str) -> str:
    """Write the settings, most important first."""
    names = list(rows[0])
    lines = [names]
    for row in rows:
        lines.append(
            [row["parameter"], *("-" if row[name] is None else f"{row[name]:.3f}" for name in names[1:])]
        )
    return f"{columns(lines, right=(1, 2))}\nof {metric} over {trials} trials"
