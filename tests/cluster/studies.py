"""Studies for the lab whose trials are fixed beforehand, and what became of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from study.journal.journal import read_lines, read_records
from study.journal.record import TrialRecord
from tests.cluster.host import Host

SPACE = """
from study.spec import *

STUDY = StudySpec(
    data=Data(name="cluttered_digits", validation=0.2, options={{"scenes": {scenes}, "test": 100}}),
    pairs=[Pair("resnet8", "wrn_10_1")],
    methods=[SDD(base="kd", alpha=LogFloat(0.25, 4), beta=Float(1, 8), scales=Choice((1, 2), (1, 2, 4)))],
    training=Training(epochs={epochs}, batch_size=32, lr=0.05, milestones=(), precision="float32"),
    teacher_training=Training(epochs=2, batch_size=32, lr=0.05, milestones=(), precision="float32"),
    search=Search(sampler="random", seed=7, stop=None),
    budget=Budget(trials={trials}),
    confirm=Confirm(best=1, paper=False, seeds=1),
    resources=Resources(engine="eager"),
)
"""
"""A seeded random sampler and no early stopping: the same trials whatever happens between them."""


def on(head: Host, line: str, timeout: float = 300, check: bool = True) -> str:
    """A line as a user types it on the head."""
    return head.run(as_typed(line), user=Host.USER, timeout=timeout, check=check)


def as_typed(line: str) -> str:
    """With what a login shell of the cluster's user has."""
    return f". ~/sdd-study/cluster/env.sh; cd ~/sdd-study; {line}"


def write_space(head: Host, name: str, epochs: int, trials: int, scenes: int = 100) -> None:
    """Put a space file where the user's would be."""
    text = SPACE.format(epochs=epochs, trials=trials, scenes=scenes)
    (head.home / "sdd-study" / f"{name}.py").write_text(text)


def records(results: Path, name: str) -> dict[str, TrialRecord]:
    """The trials of a study by key."""
    return read_records(results / name / "journal.jsonl")


def reports(results: Path, name: str) -> list[tuple[float, str, int]]:
    """When each epoch of each trial was reported: (time, key, epoch), as far as the file has it by now."""
    try:
        lines: list[dict[str, Any]] = list(read_lines(results / name / "journal.jsonl"))
    except ValueError:
        return []
    return [
        (line["time"], line["key"], int(line["metrics"]["epoch"]))
        for line in lines
        if line["type"] == "report"
    ]


def numbers(found: dict[str, TrialRecord]) -> dict[str, list[dict[str, float]]]:
    """What a study's trials measured, without what depends on the machine: times."""
    return {
        key: [
            {
                name: value
                for name, value in metrics.items()
                if not name.startswith("time/") and "/s" not in name
            }
            for metrics in record.history
        ]
        for key, record in found.items()
    }
