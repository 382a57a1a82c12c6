"""Replay recorded learning curves under stopping rules: what each finds, at what cost, how often it errs."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from study.commands.common import (
    above_zero,
    add_results,
    answer,
    check_out_folder,
    columns,
    user_path,
    whole_number,
)
from study.errors import DONE, UserError

if TYPE_CHECKING:
    from study.simulation.curve_set import CurveSet, RecordedCurve
    from study.simulation.simulate import ReplayPlan

EPILOG = """
examples:
  sdd-study simulate benchmarks/recorded/published_curves.csv --pairs centred
  sdd-study simulate my_study --rule "ASHA(grace=10, window=3)" --rule "Median(grace=20)"
  sdd-study simulate my_study other_study --at-once 8 --budget 20 --out replays

Curves are those of finished studies (best of stop=None ones: what was stopped has no end), or of a CSV file
with columns pair, milestones, knob.* and *_by_epoch, as --write-curves makes. Each replay draws two thirds of
the configurations, begins them in a random order, or as a sampler asks (the nearest recorded point is taken),
and lets the rule stop them. Regret: the best last value there was less that of what a study would confirm.
Cost: epochs, of training all to the end. Killed: the eventual best was begun and stopped. The intervals are
over replays: they say how well these curves are replayed, not how other curves differ.

JSON: {"searches": [{"name", "configurations", "epochs", "best"}], "outcomes": [{rule, searches, replays,
regret, regret_low, regret_high, worst, near, cost, killed, killed_low, killed_high}]}; regrets in points,
then shares. With --write-curves: {"file", "curves": how many it has}
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``simulate``."""
    parser.add_argument("curves", nargs="+", metavar="STUDY", help="studies, or CSV files of curves")
    parser.add_argument(
        "--rule", action="append", metavar="RULE", help="a rule as in a space file, beside the usual"
    )
    parser.add_argument("--only", action="store_true", help="compare what --rule names alone")
    parser.add_argument(
        "--pairs",
        choices=["each", "search", "centred"],
        default="each",
        help="each pair by itself; all as one search; or all by their distance from their pair's mean curve",
    )
    parser.add_argument(
        "--sampler", choices=["tpe", "random", "cmaes", "gp"], help="who asks for configurations"
    )
    parser.add_argument(
        "--replays", type=whole_number(1), default=1000, metavar="N", help="of each rule (1000)"
    )
    parser.add_argument(
        "--trials", type=whole_number(1), metavar="N", help="configurations begun at most (all there are)"
    )
    parser.add_argument(
        "--budget", type=above_zero, metavar="N", help="whole trainings after which none is begun"
    )
    parser.add_argument("--at-once", type=whole_number(1), default=1, metavar="N", help="trials at once (1)")
    parser.add_argument("--seed", type=whole_number(0), default=0, help="of orders and draws (0)")
    parser.add_argument("--out", type=user_path, metavar="DIR", help="write simulation.csv and a chart there")
    parser.add_argument("--write-curves", type=user_path, metavar="FILE.csv", help="keep the curves, and end")
    add_results(parser)


def run(args: argparse.Namespace) -> int:
    """Replay the curves, and show what each rule found, and at what cost."""
    from study.simulation.competitors import COMPETITORS, written
    from study.simulation.simulate import ReplayPlan, simulate
    from study.simulation.table import cells, chart, write_csv

    if args.out is not None:
        check_out_folder(args.out)
    rules = {} if args.only else dict(COMPETITORS)
    rules |= {text: written(text) for text in args.rule or ()}
    if not rules:
        raise UserError("--only: name what is compared with --rule")
    if args.sampler is not None:
        rules = {name: rule for name, rule in rules.items() if name not in WITHOUT_SAMPLER}
    curves, metric = _curves(args)
    if args.write_curves is not None:
        return _keep(args, curves, metric)
    found = _searches(args, curves)
    plan = ReplayPlan(
        replays=args.replays,
        trials=args.trials,
        sampler=args.sampler,
        workers=args.at_once,
        trainings=args.budget,
        seed=args.seed,
    )
    outcomes = simulate(found, rules, plan)
    if args.out is not None:
        args.out.mkdir(parents=True, exist_ok=True)
        write_csv(outcomes, args.out / "simulation.csv")
        chart(outcomes, _about(found, plan), args.out / "simulation")
    about = {
        "searches": [
            {
                "name": s.name,
                "configurations": len(s),
                "epochs": s.values.shape[1],
                "best": float(s.final.max()),
            }
            for s in found
        ],
        "outcomes": [asdict(item) for item in outcomes],
    }
    answer(
        args, about, lambda: f"{columns(cells(outcomes), right=tuple(range(1, 8)))}\n{_about(found, plan)}"
    )
    return DONE


def _curves(args: argparse.Namespace) -> tuple[list[RecordedCurve], str]:
    """Read the curves of all that is named, and the metric they are of."""
    from study.simulation.curve_set import RecordedCurve, read_csv
    from study.simulation.recorded_study import read_study

    curves, metrics = list[RecordedCurve](), list[str]()
    for name in args.curves:
        if name.endswith(".csv"):
            curves += read_csv(Path(name))
            continue
        found, metric = read_study(args.results, name, lambda line: print(line, file=sys.stderr))
        curves, metrics = curves + found, [*metrics, metric]
    return curves, metrics[0] if metrics else "val/top1"


def _keep(args: argparse.Namespace, curves: list[RecordedCurve], metric: str) -> int:
    """Write the curves for later, however few they are."""
    from study.simulation.curve_set import write_csv

    try:
        write_csv(args.write_curves, curves, metric)
    except OSError as error:
        raise UserError(f"--write-curves {args.write_curves}: {error.strerror}") from None
    about = {"file": str(args.write_curves), "curves": len(curves)}
    answer(args, about, lambda: f"{len(curves)} curve{'s' * (len(curves) != 1)} kept")
    return DONE


def _searches(args: argparse.Namespace, curves: list[RecordedCurve]) -> list[CurveSet]:
    """Put the curves together as ``--pairs`` says."""
    from study.simulation.curve_set import pooled, searches

    sets = searches(curves)
    if not sets:
        raise UserError(
            f"{', '.join(args.curves)}: no search has two whole curves of one length; nothing to compare"
        )
    return sets if args.pairs == "each" else pooled(sets, args.pairs == "centred")


def _about(found: list[CurveSet], plan: ReplayPlan) -> str:
    """Say in one line what was replayed."""
    count = sum(map(len, found))
    what = (
        f"{count} curves of {len(found)} searches" if len(found) > 1 else f"{count} curves of {found[0].name}"
    )
    asked = (
        "in random orders"
        if plan.sampler is None
        else f"asked for by {plan.sampler}, nearest recorded points"
    )
    return f"{what}, {plan.replays} replays a rule, {asked}, {plan.workers} at once"


WITHOUT_SAMPLER = ("PASHA", "best after one epoch")
"""Competitors that begin trials in an order of their own."""
