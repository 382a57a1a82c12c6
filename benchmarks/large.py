"""A study of many finished trials, made without training them, and what it takes to open it."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.report import journal_line
from benchmarks.studies import METRICS, NAME, finish, launch
from study.journal.journal import read_records
from study.loading import load_space
from study.plan.plan import Plan
from study.plan.resolve import resolve
from study.search.history import SearchHistory
from study.tracking.client import connect
from study.tracking.run_writer import RunWriter
from study.workspace.folder import StudyFolder
from trainables.config.serialization import to_plain
from trainables.teacher.importing import file_teacher, read_teacher


def planned_trials(plan: Plan, folder: StudyFolder) -> Iterator[Any]:
    """Random trials of the plan's search, as its journal would have them."""
    import optuna

    (pair,), (space,) = plan.spec.pairs, plan.search_spaces
    state = read_teacher(Path(str(pair.weights)), str(pair.teacher), plan.num_classes, plan.image_size)
    history = SearchHistory(plan, {pair.label: file_teacher(folder.store, str(pair.teacher), state, {})}, {})
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    search = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    while True:
        yield history.planned(space, search.ask())


def opened(path: Path, folder: Path, finished: int, epochs: int) -> dict[str, float]:
    """Launch the study of a space file for one more trial than it has finished, and one that has none."""
    none, _ = asked(path, StudyFolder(folder / "none", NAME))
    place = StudyFolder(folder / "large", NAME)
    plan = resolve(load_space(path))
    place.path.mkdir(parents=True)
    write_journal(plan, place, finished, epochs)
    tell_mlflow(plan, place)
    finish(launch(path, place.path.parent))  # Optuna's database is made from the journal, once
    path.write_text(path.read_text().replace(f"trials={finished}", f"trials={finished + 1}"))
    many, memory = asked(path, place)
    return {
        "first ask, no trials, s": none,
        f"first ask, {finished:,} finished, s": many,
        f"open {finished:,}, s": many - none,
        "launcher, GiB": memory,
    }


def asked(path: Path, place: StudyFolder) -> tuple[float, float]:
    """Seconds from the command until a trial was asked for; the launcher's peak memory until then, GiB."""
    size = place.journal.stat().st_size if place.journal.exists() else 0
    began = time.time()
    process = launch(path, place.path.parent)
    while True:
        time.sleep(0.01)
        if process.poll() is not None:
            finish(process)
            raise SystemExit("the study ended before it asked for a trial")
        if not place.journal.exists():
            continue
        with place.journal.open("rb") as file:
            file.seek(size)
            if b'"type":"trial"' in file.read():
                break
    seconds, memory = time.time() - began, peak_gib(process.pid)
    process.terminate()
    process.communicate()
    return seconds, memory


def tell_mlflow(plan: Plan, place: StudyFolder) -> None:
    """Runs of all trials in MLflow, as the launcher knows them again; without their metrics."""
    mirror = RunWriter(connect(place), place, to_plain(plan.spec))
    for key, record in read_records(place.journal).items():
        tags = {"mlflow.parentRunId": mirror.parent, "study": place.name, "trial_key": key}
        tags |= {"epochs": str(len(record.history)), "trial_status": record.status}
        mirror.client.create_run(mirror.experiment, run_name=key, tags=tags)


def write_journal(plan: Plan, folder: StudyFolder, finished: int, epochs: int) -> None:
    """The journal of a study with ``finished`` trials, with the metrics that trials report."""
    with folder.journal.open("w") as file:
        for number, planned in enumerate(itertools.islice(planned_trials(plan, folder), finished)):
            where = {
                "stage": planned.stage,
                "pair": planned.pair,
                "method": planned.method,
                "role": "",
                "arm": planned.search,
            }
            begun = {
                "key": planned.key,
                **where,
                "config": planned.config.to_dict(),
                "point": dict(planned.point),
            }
            file.write(journal_line("trial", begun, 100.0 * number))
            for epoch in range(1, epochs + 1):
                metrics: dict[str, float] = dict.fromkeys(METRICS, (number * 31 + epoch) % 97 + 0.123456789)
                metrics = {"epoch": epoch, **metrics, "time/epoch_s": 0.01}
                file.write(
                    journal_line("report", {"key": planned.key, "metrics": metrics}, 100.0 * number + epoch)
                )
            ended = {"key": planned.key, "status": "done", "reason": "", "epochs": epochs}
            file.write(journal_line("end", ended, 100.0 * number + 99))


def peak_gib(pid: int) -> float:
    """Most memory that a process has held, GiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 2**20
