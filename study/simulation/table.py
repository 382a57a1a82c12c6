"""Writes the outcomes of replays as text, CSV and a chart."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from study.report.figures.style import legend, new_figure, save, style
from study.simulation.simulate import Outcome

HEAD = ["rule", "regret, points", "95 %", "1 in 20 above", "within 0.1", "cost", "best killed", "95 %"]


def cells(outcomes: Sequence[Outcome]) -> list[list[str]]:
    """Return the table, its head first, a rule a row."""
    rows = [
        [
            item.rule,
            f"{item.regret:.3f}",
            f"{item.regret_low:.3f} to {item.regret_high:.3f}",
            f"{item.worst:.2f}",
            f"{100 * item.near:.0f} %",
            f"{100 * item.cost:.0f} %",
            f"{100 * item.killed:.1f} %",
            f"{100 * item.killed_low:.1f} to {100 * item.killed_high:.1f}",
        ]
        for item in outcomes
    ]
    return [HEAD, *rows]


def write_csv(outcomes: Sequence[Outcome], path: Path) -> None:
    """Write a rule a row, in the names of :class:`study.simulation.simulate.Outcome`."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(asdict(outcomes[0])), lineterminator="\n")
        writer.writeheader()
        writer.writerows(
            {k: f"{v:.6g}" if isinstance(v, float) else v for k, v in asdict(item).items()}
            for item in outcomes
        )


def chart(outcomes: Sequence[Outcome], title: str, path: Path) -> list[Path]:
    """Draw regret, and how often the best was killed, against cost; down and to the left is better."""
    figure, axes = new_figure(2, width=4.6)
    for number, item in enumerate(outcomes):
        for axis, value, low, high in (
            (axes[0], item.regret, item.regret_low, item.regret_high),
            (axes[1], 100 * item.killed, 100 * item.killed_low, 100 * item.killed_high),
        ):
            reach = [[max(0.0, value - low)], [max(0.0, high - value)]]
            axis.errorbar(
                100 * item.cost, value, yerr=reach, label=item.rule, ls="", capsize=2, **style(number)
            )
    axes[0].set(xlabel="cost, % of training all to the end", ylabel="regret to the best, points")
    axes[1].set(xlabel="cost, % of training all to the end", ylabel="replays that stopped the best, %")
    legend(axes[1])
    figure.suptitle(title, fontsize=9)
    return save(figure, path)
