"""Made records of a study, and the places they can be written to."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from study.journal.record import MetricHistory, TrialRecord
from study.spec.distillation import Distillation
from study.spec.methods import DKD, KD, NKD, SDD, Supervised
from study.spec.published import PaperCase
from trainables.config import Data, Teacher, Training, TrialConfig

CIFAR = Data(name="cifar100", fingerprint="c" * 64)
START = 1_700_000_000.0
"""Seconds since 1970 at which the first of these trials began."""

PAIR = ("wrn_40_2", "vgg8")
"""A pair of Table 1."""


def config(
    pair: tuple[str, str],
    method: Distillation,
    seed: int = 1,
    data: Data = CIFAR,
    epochs: int = 240,
    **fields: Any,
) -> TrialConfig:
    """A student's configuration; a method that distils has a made-up teacher."""
    case = PaperCase(*pair, data.name)
    resolved = method.method(case)
    distils = resolved.logit is not None or bool(resolved.features)
    return TrialConfig(
        data=data,
        student=pair[1],
        teacher=Teacher(name=pair[0], weights="ab" * 32) if distils else None,
        method=resolved,
        training=Training(epochs=epochs, precision="float32"),
        seed=seed,
        **fields,
    )


def record(
    about: TrialConfig,
    history: Sequence[dict[str, float]],
    stage: str = "confirm",
    pair: str = "",
    role: str = "baseline",
    status: str = "done",
    number: int = 0,
) -> TrialRecord:
    """A trial with that history; ``epoch`` is added. Each ``number`` begins a minute after the one before."""
    teacher = f"{about.teacher.name}-" if about.teacher is not None else ""
    begun = START + 60.0 * number
    return TrialRecord(
        key=about.trial_key,
        stage=stage,
        pair=pair or f"{teacher}{about.student}",
        method=about.method.label,
        role=role,
        search="",
        config=about.to_dict(),
        started=begun,
        status=status,
        reason="it broke" if status == "failed" else "",
        ended=None if status == "running" else begun + 50,
        history=MetricHistory.of({"epoch": number + 1, **metrics} for number, metrics in enumerate(history)),
        times=[begun + number for number in range(len(history))],
    )


def confirmed(
    pair: tuple[str, str], method: Distillation, top1: Iterable[float], role: str = "baseline", **fields: Any
) -> list[TrialRecord]:
    """One finished run a value, seeds from 1."""
    return [
        record(
            config(pair, method, seed, fit="all", test="end", **fields),
            [{"train/loss": 1.0}, {"train/loss": 0.5, "test/top1": value, "time/epoch_s": 2.0}],
            role=role,
        )
        for seed, value in enumerate(top1, 1)
    ]


def teacher(name: str, top1: float) -> TrialRecord:
    """A trained teacher."""
    about = config(("", name), Supervised(), 0, test="end")
    return record(about, [{"val/top1": 70.0, "test/top1": top1}], stage="teachers", role="")


def search(pair: tuple[str, str], count: int) -> list[TrialRecord]:
    """Finished trials of a search over scales, alpha and beta, the last one stopped early."""
    records = []
    for number in range(count):
        scales = ((1, 2), (1, 4), (1, 2, 4))[number % 3]
        method = SDD(alpha=0.25 * 1.7 ** (number % 5), beta=1.0 + number % 4, scales=scales)
        history = [{"val/top1": 40.0 + 3 * epoch + number % 7, "time/epoch_s": 1.5} for epoch in range(4)]
        stopped = number == count - 1
        about = config(pair, method, 0, epochs=4)
        records.append(
            record(
                about,
                history[: 2 if stopped else 4],
                "search",
                role="",
                status="stopped" if stopped else "done",
                number=number,
            )
        )
    return records


def write_folder(results: Path, study: str, records: Iterable[TrialRecord], seeds: int = 3) -> Path:
    """The journal and the spec of a study, as a launch leaves them; returns the journal."""
    folder = results / study
    folder.mkdir(parents=True)
    spec = {"name": study, "confirm": {"seeds": seeds}, "search": {"maximize": "val/top1"}}
    (folder / "study.json").write_text(json.dumps(spec))
    journal = folder / "journal.jsonl"
    with journal.open("w") as file:
        for item in records:
            for line in lines(item):
                file.write(json.dumps(line, separators=(",", ":")) + "\n")
    return journal


def lines(item: TrialRecord) -> Iterable[dict[str, Any]]:
    """A record as the lines of a journal."""
    names = ("stage", "pair", "method", "role", "config")
    about = {"arm": item.search, "point": item.point, **{name: getattr(item, name) for name in names}}
    yield {"type": "trial", "key": item.key, **about, "time": item.started}
    for metrics, when in zip(item.history, item.times, strict=True):
        yield {"type": "report", "key": item.key, "metrics": metrics, "time": when}
    if item.status != "running":
        yield {
            "type": "end",
            "key": item.key,
            "status": item.status,
            "reason": item.reason,
            "epochs": len(item.history),
            "time": item.ended,
        }


def failed(item: TrialRecord) -> TrialRecord:
    """The same trial, had it failed."""
    return dataclasses.replace(item, status="failed", reason="it broke")


def records() -> list[TrialRecord]:
    """One pair of Table 1, with all that can be odd about a study."""
    sdkd = confirmed(PAIR, SDD(), (74.40, 74.65, 99.9), role="paper")
    running = record(config(PAIR, DKD(), 1, fit="all", test="end"), [{"test/top1": 99.0}], status="running")
    return [
        teacher("wrn_40_2", 75.50),
        *confirmed(PAIR, Supervised(), (70.10, 70.30, 70.50)),
        *confirmed(PAIR, KD(), (73.90, 74.00, 74.25)),
        *sdkd[:2],
        failed(sdkd[2]),
        *confirmed(PAIR, SDD(alpha=1.5, beta=3.0), (74.90, 75.10, 75.00), role="best"),
        running,
        *confirmed(PAIR, NKD(), (73.00, 73.20, 73.40), epochs=100),
        *confirmed(PAIR, SDD(base="nkd"), (80.00,), data=dataclasses.replace(CIFAR, classes=20)),
        *search(PAIR, 4),
    ]
