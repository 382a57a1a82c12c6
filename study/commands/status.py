"""Show where a study stands: stage, trials, the best against the paper's settings, budget, devices."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from study.commands.common import above_zero, add_study, answer, chosen_study, columns
from study.errors import DONE

if TYPE_CHECKING:
    from study.monitoring.overview import BestTrial, TrialOverview
    from study.monitoring.status import StudyStatus
    from study.workspace.folder import StudyFolder

EPILOG = """
examples:
  sdd-study status quickstart
  sdd-study status quickstart --watch
  sdd-study status quickstart --json

Reads the study's journal: while the study runs and afterwards, from any host that sees the results folder.
Of a finished study it shows the table and where everything is.

JSON, times in seconds, values in percent:
  study, state (running, interrupted, finished), last_activity, metric
  launcher: null or {host, pid, pid_space, since, command}
  stage: null or {name, total, left}
  trials: {running, done, stopped, failed}
  running, failed: [{key, stage, pair, method, role, status, settings, epoch, epochs, value, reason}]
  mended: [{key, text}]: damaged checkpoints, lost processes and the like, of trials that went on
  best: [{search, trial, paper: the paper's configuration of the same pair or null}], one a search
  budget: {NAME: {used, limit, left}}
  epochs_per_second, seconds_left (of the teachers alone while they train; null where nothing runs)
  time: {devices, total_s, train_s, teacher_s, evaluate_s, compile_s, idle_s, utilisation}
"""

MOST_SHOWN = 20
CLEAR = "\033[H\033[2J"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``status``."""
    add_study(parser)
    parser.add_argument(
        "--watch",
        type=above_zero,
        nargs="?",
        const=5.0,
        metavar="S",
        help="show it again every S seconds (5) until no launcher runs the study",
    )


def run(args: argparse.Namespace) -> int:
    """Show where the study stands, once or for as long as the study runs."""
    from study.monitoring.status import standing

    folder = chosen_study(args)
    while True:
        now = standing(folder)
        if args.watch and sys.stdout.isatty() and not args.json:
            print(CLEAR, end="")
        answer(args, now, partial(whole, folder, now))
        if not args.watch or now.state != "running":
            return DONE
        sys.stdout.flush()
        time.sleep(args.watch)


def describe(now: StudyStatus) -> str:
    """Write where the study stands, one fact a line."""
    from study.monitoring.eta import left_of
    from study.monitoring.labels import duration

    rows: list[tuple[str, str]] = [("study", f"{now.study}, {_state(now)}")]
    if now.stage is not None and now.state != "finished":
        rows.append(("stage", f"{now.stage.name}, {now.stage.left} of {now.stage.total} trials to go"))
    open_trials = "running" if now.state == "running" else "left open"
    counts = {open_trials if name == "running" else name: number for name, number in now.trials.items()}
    if now.state == "finished" and not counts[open_trials]:
        del counts[open_trials]
    rows.append(("trials", ", ".join(f"{number} {status}" for status, number in counts.items())))
    rows += _limited(open_trials, now.running, _running)
    rows += [("best", line) for best in now.best for line in _best(best, now.metric)]
    rows += _limited("failed", now.failed, lambda trial: f"{_which(trial)}: {trial.reason}")
    rows += [("mended", f"{remark.key}: {remark.text}") for remark in now.mended[-MOST_SHOWN:]]
    for name, spent in now.budget.items():
        if spent["limit"] is not None:
            rows.append(
                ("budget", f"{name}: {spent['used']:g} of {spent['limit']:g}, {spent['left']:g} left")
            )
    if now.seconds_left is not None:
        speed = f"{now.epochs_per_second:.2g} epochs/s"
        left = left_of(now.stage.name if now.stage else "")
        rows.append(("time", f"about {duration(now.seconds_left)} {left} at {speed}"))
    if now.time.total_s:
        rows.append(("devices", _devices(now)))
    names = [name if index == 0 or rows[index - 1][0] != name else "" for index, (name, _) in enumerate(rows)]
    return "\n".join(f"{name:10}{text}" for name, (_, text) in zip(names, rows, strict=True))


def whole(folder: StudyFolder, now: StudyStatus) -> str:
    """Write where a study stands, and, of a finished one, what it came to."""
    return "\n\n".join([describe(now), *came_out(folder, now)])


def came_out(folder: StudyFolder, now: StudyStatus) -> list[str]:
    """Write what a finished study came to, its table and where everything is; nothing of another one."""
    if now.state != "finished":
        return []
    from study.plan.study_file import StudyFile
    from study.report.tables.summary import HEAD, shown

    found = ["no configuration was confirmed"]
    file = folder.path / "tables" / "summary.csv"
    if file.exists():
        import pandas as pd

        texts = dict.fromkeys(("pair", "method", "role", "scales"), str)
        if rows := shown(pd.read_csv(file, dtype=texts, keep_default_na=True)):
            table = columns([HEAD, *rows], right=tuple(range(HEAD.index("test top-1, %"), len(HEAD))))
            found = [f"test top-1 of confirmed configurations\n{table}"]
    rungs = folder.path / "tables" / "rungs.csv"
    if rungs.exists():
        from study.results.rung_ranking import read_rungs, sentences

        found += ["\n".join(sentences(read_rungs(rungs)))]
    ends = [f"{label} ended: {reason}" for label, reason in StudyFile.read(folder).ended.items()]
    ways = [f"{what:22} {where}" for what, where in folder.ways_in]
    return [*found, "\n".join([*ends, *ways])]


def _state(now: StudyStatus) -> str:
    if now.launcher is not None:
        since = time.strftime("%Y-%m-%d %H:%M", time.localtime(now.launcher.since))
        return f"running on {now.launcher.host} (process {now.launcher.pid}) since {since}"
    if now.last_activity is None:
        return now.state
    return f"{now.state} {time.strftime('%Y-%m-%d %H:%M', time.localtime(now.last_activity))}"


def _limited(
    name: str, trials: list[TrialOverview], text: Callable[[TrialOverview], str]
) -> list[tuple[str, str]]:
    shown = [(name, text(trial)) for trial in trials[:MOST_SHOWN]]
    more = len(trials) - len(shown)
    return [*shown, *([(name, f"and {more} more")] if more else [])]


def _which(trial: TrialOverview) -> str:
    return f"{trial.stage} {trial.pair} {trial.settings} [{trial.key}]"


def _running(trial: TrialOverview) -> str:
    value = "" if trial.value is None else f", {trial.value:.2f}"
    return f"epoch {trial.epoch}/{trial.epochs}{value}: {_which(trial)}"


def _best(best: BestTrial, metric: str) -> list[str]:
    trial = best.trial
    against = "not tried" if best.paper is None else f"{best.paper.value:.2f}"
    if best.paper is not None and best.paper.key == trial.key:
        against = "this one"
    part = "" if trial.epoch == trial.epochs else f" after {trial.epoch} of {trial.epochs} epochs"
    return [
        f"{best.search}: {metric} {trial.value:.2f}{part} (the paper's configuration: {against})",
        f"  {trial.pair} {trial.settings} [{trial.key}]",
    ]


def _devices(now: StudyStatus) -> str:
    from study.monitoring.labels import duration

    spent = now.time
    parts = {
        "training": spent.train_s,
        "teacher": spent.teacher_s,
        "evaluation": spent.evaluate_s,
        "idle": spent.idle_s,
    }
    shares = ", ".join(f"{name} {100 * seconds / spent.total_s:.0f} %" for name, seconds in parts.items())
    compiling = f", compiling {duration(spent.compile_s)}" if spent.compile_s else ""
    return f"{spent.devices} trials at once, {duration(spent.total_s)} of device time: {shares}{compiling}"
