"""The study's summary: every confirmed configuration, test top-1 over seeds, the gain of SD-X over X."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from study.report.tables.cells import DASH, base_method, rounded
from study.report.tables.paper_tables import canonical
from study.results.seed_groups import SeedGroup, Tuning
from study.results.statistics import gain, mean, std

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
]
"""``top1``: mean test top-1 in percent after the last epoch; ``std`` with ddof 1; ``gain``: points over the
base loss by itself on the same pair, with p of Welch's t-test and a bootstrap interval of 95 %. ``settings``:
what tells the row from others of its method; ``trials``, ``searched``: how many trials the search
had that found it, and over which knobs."""

HEAD = ["pair", "method", "settings", "tuned by", "test top-1, %", "n", "gain", "p"]
ORDER = {"baseline": 0, "paper": 1, "best": 2}


def summary(found: Sequence[SeedGroup]) -> pd.DataFrame:
    """One row for each confirmed configuration; a run counts where it is finished, its key once."""
    students = [item for item in found if item.method != "teacher" and item.values("top1", "last")]
    plain = {(_kind(item, canonical(item.method)), bool(item.tuning)): item for item in reversed(students)}
    rows = []
    for item in students:
        values = item.values("top1", "last")
        kind, tuned = _kind(item, base_method(item.method) or ""), bool(item.tuning)
        base = plain.get((kind, tuned), plain.get((kind, not tuned)))  # the tuned is compared with the tuned
        over = gain(values, base.values("top1", "last")) if base is not None else None
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
            }
        )
    rows.sort(key=lambda row: (row["pair"], ORDER.get(str(row["role"]), len(ORDER))))
    frame = pd.DataFrame(rows, columns=SUMMARY_COLUMNS)
    numbers = ["alpha", "beta", "top1", "std", "gain", "gain_p", "gain_low", "gain_high"]
    return frame.astype(dict.fromkeys(numbers, "float64"))


def _kind(item: SeedGroup, method: str) -> tuple[str, str, str, str, int]:
    return (item.teacher, item.student, method, item.data, item.epochs)


def shown(table: pd.DataFrame) -> list[list[str]]:
    """The summary as text cells, by :data:`HEAD`: top-1 is mean ± std, the gain stands with its p."""
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
                DASH if math.isnan(row["gain_p"]) else f"{row['gain_p']:.2g}",
            ]
        )
    return rows


def _tuning(row: Mapping[Any, Any]) -> str:
    """``12 trials: lr, beta``; a dash where nothing was searched."""
    return str(Tuning(int(row["trials"]), tuple(str(row["searched"]).split()))) if row["trials"] else DASH


def markdown(table: pd.DataFrame) -> str:
    """The summary as a Markdown table."""
    lines = [HEAD, ["---"] * len(HEAD), *shown(table)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
