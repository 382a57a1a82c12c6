"""The study's table: pairs and methods, test top-1 over seeds, the gain of SD-X over X."""

from __future__ import annotations

import math

import pandas as pd

SUMMARY_COLUMNS = ["pair", "method", "role", "scales", "alpha", "beta", "top1", "std", "n", "gain", "asked"]
"""``top1``: mean test top-1 in percent after the last epoch; ``std`` with ddof 1; ``gain``: points over the base
loss by itself on the same pair."""


def summary(trials: pd.DataFrame, asked: int) -> pd.DataFrame:
    """One row for each confirmed configuration.

    Args:
        trials: ``study.report.frames.trials_frame``; only finished trials of the confirm stage count, a trial
            key once.
        asked: seeds the study asked for, beside the ``n`` there are.
    """
    confirmed = trials[(trials["stage"] == "confirm") & (trials["status"] == "done")].drop_duplicates(
        "trial_key"
    )
    if confirmed.empty:
        return pd.DataFrame(columns=SUMMARY_COLUMNS)
    keys = ["pair", "method", "role", "base", "scales", "alpha", "beta"]
    cells = confirmed.groupby(keys, sort=False, dropna=False)["test/top1"]
    table = cells.agg(top1="mean", std="std", n="count").reset_index()
    table["asked"] = asked
    table["gain"] = [_gain(row, table) for _, row in table.iterrows()]
    order = table["role"].map({"baseline": 0, "paper": 1, "best": 2})
    return (
        table.assign(order=order)
        .sort_values(["pair", "order"], kind="stable")[SUMMARY_COLUMNS]
        .reset_index(drop=True)
    )


def _gain(row: pd.Series, table: pd.DataFrame) -> float:
    if not str(row["method"]).startswith("SD-"):
        return math.nan
    plain = table[(table["pair"] == row["pair"]) & (table["method"] == str(row["method"])[3:])]
    return float(row["top1"] - plain["top1"].iloc[0]) if len(plain) else math.nan


def shown(table: pd.DataFrame) -> list[list[str]]:
    """The summary as text cells: pair, method, configuration, top-1 mean ± std (n), gain."""
    rows = []
    for _, row in table.iterrows():
        method = str(row["method"]) + (" (paper)" if row["role"] == "paper" else "")
        decoupled = method.startswith("SD-")
        settings = f"{{{row['scales']}}} alpha {row['alpha']:.3g} beta {row['beta']:.3g}" if decoupled else ""
        spread = "" if math.isnan(row["std"]) else f" ± {row['std']:.2f}"
        few = f" of {row['asked']}" if row["n"] < row["asked"] else ""
        gain = "—" if math.isnan(row["gain"]) else f"{row['gain']:+.2f}"
        rows.append(
            [str(row["pair"]), method, settings, f"{row['top1']:.2f}{spread}", f"{row['n']}{few}", gain]
        )
    return rows


HEAD = ["pair", "method", "settings", "test top-1, %", "n", "gain"]


def markdown(table: pd.DataFrame) -> str:
    """The summary as a Markdown table."""
    lines = [HEAD, ["---"] * len(HEAD), *shown(table)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
