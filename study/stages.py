"""teachers -> search -> confirm: each does what is not yet done, and can be called again at any time."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from study.folder import StudyFolder
from study.journal import Record
from study.plan import Job, Plan
from study.recorder import Recorder
from study.runner import Runner
from study.spec import Pair
from trainables.config import Teacher, TrialConfig


class StageFailed(Exception):
    """A stage cannot go on, such as a search whose teacher failed to train."""


@dataclass(slots=True)
class Stages:
    """The stages of one study.

    Attributes:
        teachers: by pair label, once :meth:`train_teachers` has been through.
    """

    plan: Plan
    folder: StudyFolder
    runner: Runner
    recorder: Recorder
    teachers: dict[str, Teacher] = field(default_factory=dict)

    def train_teachers(self) -> None:
        """Train, find or import the teacher of each pair, and file it under the hash of its weights."""
        jobs = {
            pair.label: self.plan.teacher_job(pair) for pair in self.plan.spec.pairs if pair.weights is None
        }
        self._run("teachers", list(jobs.values()))
        for pair in self.plan.spec.pairs:
            if pair.weights is not None:
                self.teachers[pair.label] = import_teacher(self.folder, pair.teacher, Path(pair.weights))
            else:
                self.teachers[pair.label] = self._file_trained(jobs[pair.label])

    def search(self) -> None:
        """Spend what is left of each arm's trials."""
        from study.scheduler import make_scheduler
        from study.searcher import ArmSearch, Interleaved, open_storage

        spec = self.plan.spec
        if not self.plan.arms:
            return
        storage = open_storage(self.folder.optuna_url)
        arms = [
            ArmSearch(
                arm,
                spec.search,
                storage,
                f"{spec.name}/{arm.label}@{arm.fingerprint}",
                lambda arm, pair, method: self.plan.search_job(arm, pair, method, self.teachers[pair.label]),
            )
            for arm in self.plan.arms
        ]
        search = Interleaved(arms)
        self.recorder.stage("search", spec.search.trials * len(arms), search.left)
        if search.left:
            self.runner.run_search(search, make_scheduler(spec.search, spec.training.epochs))

    def confirm(self) -> None:
        """Run the winners, the paper's configurations and the baselines over seeds."""
        self._run("confirm", self.confirm_jobs())

    def confirm_jobs(self) -> list[Job]:
        """What the search decided is worth confirming; a configuration that is two things runs once."""
        spec = self.plan.spec
        pairs = {pair.label: pair for pair in spec.pairs}
        chosen: list[tuple[TrialConfig, Pair, str]] = []
        for arm in self.plan.arms:
            for record in winners(self.recorder.records, arm.label, spec.search.maximize)[
                : spec.confirm.best
            ]:
                chosen.append((TrialConfig.from_dict(record.config), pairs[record.pair], "best"))
        shown = {pair.label: pair for _, pair, _ in chosen} if chosen else pairs
        for pair in shown.values():
            teacher = self.teachers[pair.label]
            for method in spec.methods:
                if not method.searched:
                    chosen.append((self.plan.fixed_config(pair, method, teacher), pair, "baseline"))
                elif spec.confirm.paper:
                    chosen.append((self.plan.fixed_config(pair, method, teacher), pair, "paper"))
            for config, of, _ in list(chosen):
                plain = self.plan.undecoupled(pair, config, teacher)
                if of is pair and plain is not None:
                    chosen.append((plain, pair, "baseline"))
        jobs: dict[str, Job] = {}
        for config, pair, role in chosen:
            for job in self.plan.confirm_jobs(config, pair.label, role):
                jobs.setdefault(job.key, job)
        return list(jobs.values())

    def _run(self, stage: str, jobs: list[Job]) -> None:
        """Run those of ``jobs`` that neither this study nor, by the store, any other has finished."""
        unique = {job.key: job for job in jobs}
        left = []
        for job in unique.values():
            if (record := self.recorder.records.get(job.key)) is not None and record.status == "done":
                continue
            result = self.folder.store.run(job.key).result()
            if result is not None:
                self.recorder.adopt(job, result)
            else:
                left.append(job)
        self.recorder.stage(stage, len(unique), len(left))
        if left:
            self.runner.run_jobs(left)

    def _file_trained(self, job: Job) -> Teacher:
        run = self.folder.store.run(job.key)
        result = run.result()
        if result is None:
            record = self.recorder.records.get(job.key)
            raise StageFailed(
                f"teacher {job.config.student} was not trained: {record.reason if record else 'no run'}"
            )
        about = {
            "name": job.config.student,
            "weights": result["weights"],
            "trial_key": job.key,
            "data": job.config.data.name,
            "num_classes": result["num_classes"],
            "test/top1": result["history"][-1].get("test/top1"),
        }
        self.folder.store.file_teacher(result["weights"], run.student.read_bytes(), about)
        return Teacher(name=job.config.student, weights=result["weights"])


def import_teacher(folder: StudyFolder, name: str, file: Path) -> Teacher:
    """File the weights in ``file`` as teacher ``name``."""
    import io

    import torch

    from trainables.models.weights import load_published, state_sha256

    state = load_published(file)
    weights = state_sha256(state)
    buffer = io.BytesIO()
    torch.save({"model": state, "name": name}, buffer)
    about: dict[str, Any] = {"name": name, "weights": weights, "file": file.name}
    folder.store.file_teacher(weights, buffer.getvalue(), about)
    return Teacher(name=name, weights=weights)


def winners(records: dict[str, Record], arm: str, metric: str) -> list[Record]:
    """Trials of an arm by their value after the last epoch, best first; unfinished ones only if all are."""
    trials = [record for record in records.values() if record.arm == arm and metric in record.final]
    whole = [record for record in trials if record.status == "done"]
    return sorted(whole or trials, key=lambda record: -record.final[metric])
