"""Compare studies: best configurations and common methods, test top-1 over seeds, with Welch's t-test."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

from study.commands.common import add_results, answer, columns
from study.errors import DONE, UserError

if TYPE_CHECKING:
    from study.results.comparison import Comparison, ComparisonSide

EPILOG = """
examples:
  sdd-study compare ablation_beta ablation_scales
  sdd-study compare first second third --json

Differences are from the first study. "best" is what each search chose by the held-out part of train.

JSON: {studies, metric, rows: [{pair, what: "best" or a method, studies: one entry a study, or null:
{study, method, settings, role, searched, mean, std, n, asked, data, epochs, difference: null or {points, p,
low, high, n, base_n}}]}, sentences: what that comes to}; accuracies in percent, p of Welch's test, low and
high of a 95 % bootstrap interval.
"""

HEAD = ["pair", "", "study", "configuration", "searched", "test top-1, %", "difference", "p"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``compare``."""
    parser.add_argument("studies", nargs="+", metavar="NAME", help="two studies or more")
    add_results(parser)


def run(args: argparse.Namespace) -> int:
    """Show the comparison."""
    from study.results.comparison import compare

    studies = list(dict.fromkeys(args.studies))
    if len(studies) < 2:
        raise UserError(f"compare: name two studies or more; here is one, '{studies[0]}'")
    found = compare(args.results, studies)
    answer(args, asdict(found), lambda: table(found))
    return DONE


def table(found: Comparison) -> str:
    """Write the comparison, one study's entry a line."""
    from study.results.conclusions import FOOTNOTE

    if not found.rows:
        return f"{', '.join(found.studies)}: no configuration is confirmed yet"
    rows, notes = [HEAD], []
    for row in found.rows:
        present = [side for side in row.studies if side is not None]
        for number, side in enumerate(present):
            head = [row.pair, row.what] if number == 0 else ["", ""]
            rows.append([*head, *_cells(side)])
        kinds = dict.fromkeys(f"{side.data}, {side.epochs} epochs" for side in present)
        if len(kinds) > 1:
            notes.append(f"{row.pair} {row.what}: not alike ({' against '.join(kinds)})")
    said = ["", *found.sentences, FOOTNOTE] if found.sentences else []
    return "\n".join([columns(rows, right=(4, 6, 7)), *notes, *said])


def _cells(side: ComparisonSide) -> list[str]:
    from study.report.tables.cells import DASH, rounded, value_text

    over = side.difference
    return [
        side.study,
        f"{side.method} {side.settings}".strip(),
        rounded(side.searched),
        value_text(side.mean, side.std, side.n, side.asked),
        DASH if over is None else rounded(over.points, signed=True),
        DASH if over is None or over.p is None else f"{over.p:.3f}",
    ]
