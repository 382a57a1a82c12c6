"""Makes a study's summary: every confirmed configuration, test top-1 over seeds, the gain of SD-X over X."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pandas as pd

from study.report.tables.cells import DASH, rounded
from study.results.seed_groups import SeedGroup, Tuning
from study.results.statistics import mean, std
from study.results.verdicts import Verdict, verdicts

SUMMARY_COLUMNS = [
    "pair",
    "method",
    "role",
    "scales",
    "alpha",
    "beta",
    "top1",
    "std",
    "n",
    "gain",
    "asked",
    "gain_p",
    "gain_low",
    "gain_high",
    "data",
    "epochs",
    "settings",
    "trials",
    "searched",
    "gain_p_corrected",
    "gain_p_paired",
    "gain_detectable",
    "base_n",
]
"""Columns of the summary, a row a configuration.

``top1``: mean test top-1 in percent after the last epoch; ``std`` with ddof 1; ``gain``: points over the
base loss by itself on the same pair, with p of Welch's t-test and a bootstrap interval of 95 %. ``settings``:
what tells the row from others of its method; ``trials``, ``searched``: how many trials the search
had that found it, and over which knobs. ``gain_p_corrected``: for all looks and comparisons;
``gain_p_paired``: by seeds that both have; ``gain_detectable``: points that ``n`` and ``base_n`` seeds
tell with 80 %, see :mod:`study.results.verdicts`.
"""

HEAD = ["pair", "method", "settings", "tuned by", "test top-1, %", "n", "gain", "p"]
ORDER = {"baseline": 0, "paper": 1, "best": 2}


def summary(found: Sequence[SeedGroup], judged: Sequence[Verdict] | None = None) -> pd.DataFrame:
    """Return one row for each confirmed configuration; a run counts where it is finished, its key once.

    Args:
        judged: the verdicts on ``found``, where they are at hand already.
    """
    students = [item for item in found if item.method != "teacher" and item.values("top1", "last")]
    told = {id(verdict.item): verdict for verdict in (verdicts(found) if judged is None else judged)}
    rows = []
    for item in students:
        values, verdict = item.values("top1", "last"), told.get(id(item))
        over = verdict and verdict.gain
        rows.append(
            {
                "pair": item.pair,
                "method": item.method,
                "role": item.role,
                "scales": item.scales,
                "alpha": item.alpha,
                "beta": item.beta,
                "top1": mean(values),
                "std": std(values),
                "n": len(values),
                "gain": over and over.points,
                "asked": item.asked,
                "gain_p": over and over.p,
                "gain_low": over and over.low,
                "gain_high": over and over.high,
                "data": item.data,
                "epochs": item.epochs,
                "settings": item.settings,
                "trials": item.tuning.trials if item.tuning else 0,
                "searched": " ".join(item.tuning.knobs) if item.tuning else "",
                "gain_p_corrected": verdict and verdict.corrected,
                "gain_p_paired": verdict and verdict.paired,
                "gain_detectable": verdict and verdict.detectable,
                "base_n": over and over.base_n,
            }
        )
    rows.sort(key=lambda row: (row["pair"], ORDER.get(str(row["role"]), len(ORDER))))
    frame = pd.DataFrame(rows, columns=SUMMARY_COLUMNS)
    numbers = [name for name in SUMMARY_COLUMNS if name.startswith("gain")]
    return frame.astype(dict.fromkeys(["alpha", "beta", "top1", "std", *numbers, "base_n"], "float64"))


def notes(table: pd.DataFrame) -> list[str]:
    """Return the sentences under the summary: what difference its seeds could have told, what its p are."""
    compared = table[table["gain_detectable"].notna()]
    if compared.empty:
        return []
    told: dict[str, list[float]] = {}
    for row in compared.to_dict("records"):
        n, base_n = int(row["n"]), int(row["base_n"])
        sides = f"{n} seeds a side tell" if n == base_n else f"{n} seeds beside {base_n} tell"
        told.setdefault(sides, []).append(float(row["gain_detectable"]))
    found = [
        f"{sides} {' to '.join(dict.fromkeys((rounded(min(points)), rounded(max(points)))))} points"
        for sides, points in told.items()
    ]
    sentences = [f"{'; '.join(found)} (80 % power at the spread seen, two-sided 5 %)"]
    if any(_differ(row) for row in compared.to_dict("records")):
        sentences.append(
            f"p in brackets: corrected for {len(compared)} comparisons (Holm) and for looks on the way"
        )
    return sentences


def _differ(row: Mapping[Hashable, Any]) -> bool:
    """Tell whether the corrected p is shown beside the plain one."""
    return bool(
        row["gain_p_corrected"] == row["gain_p_corrected"] and row["gain_p_corrected"] != row["gain_p"]
    )


def _p(row: Mapping[Hashable, Any]) -> str:
    plain = f"{row['gain_p']:.2g}"
    return f"{plain} ({row['gain_p_corrected']:.2g})" if _differ(row) else plain


def shown(table: pd.DataFrame) -> list[list[str]]:
    """Return the summary as text cells, by :data:`HEAD`: top-1 is mean ± std, the gain stands with its p."""
    rows = []
    for row in table.to_dict("records"):
        method = str(row["method"])
        spread = "" if math.isnan(row["std"]) else f" ± {rounded(row['std'])}"
        few = f" of {row['asked']}" if row["n"] < row["asked"] else ""
        rows.append(
            [
                str(row["pair"]),
                method + (" (paper)" if row["role"] == "paper" else ""),
                str(row["settings"]),
                _tuning(row),
                f"{rounded(row['top1'])}{spread}",
                f"{row['n']}{few}",
                DASH if math.isnan(row["gain"]) else rounded(row["gain"], signed=True),
                DASH if math.isnan(row["gain_p"]) else _p(row),
            ]
        )
    return rows


def _tuning(row: Mapping[Any, Any]) -> str:
    """Write ``12 trials: lr, beta``; a dash where nothing was searched."""
    return str(Tuning(int(row["trials"]), tuple(str(row["searched"]).split()))) if row["trials"] else DASH


def markdown(table: pd.DataFrame) -> str:
    """Return the summary as a Markdown table, its notes below."""
    lines = [HEAD, ["---"] * len(HEAD), *shown(table)]
    rows = ["| " + " | ".join(line) + " |" for line in lines]
    return "\n".join([*rows, *(f"\n{note}" for note in notes(table))]) + "\n"
