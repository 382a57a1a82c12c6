"""teachers -> search -> confirm: each does what is not yet done, and can be called again at any time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from study.errors import StageFailed
from study.feed import JobList, Phase
from study.folder import StudyFolder
from study.history import History
from study.plan import Job, Plan
from study.recorder import Recorder
from study.runner import Runner
from study.spec import Pair
from study.teachers import file_teacher, read_teacher
from trainables.config import Teacher, TrialConfig
from trainables.files import read_json, write_json

LITTLE = 0.05
"""Of the way from chance to all right: what a teacher is to know at least."""


@dataclass(slots=True)
class Stages:
    """The stages of one study.

    Attributes:
        teachers: by pair label, once :meth:`run` has been through.
        ended: why each search is at its end, by its label, once :meth:`run` has been through.
    """

    plan: Plan
    folder: StudyFolder
    runner: Runner
    recorder: Recorder
    say: Callable[[str], None]
    teachers: dict[str, Teacher] = field(default_factory=dict)
    ended: dict[str, str] = field(default_factory=dict)

    def run(self, names: Collection[str]) -> None:
        """The named ones of teachers, search and confirm; trained teachers are found, not trained."""
        self.runner.run(self._phases(names))

    def _phases(self, names: Collection[str]) -> Iterator[Phase]:
        """What is to be run, and between that, what comes of it."""
        if set(names) & {"teachers", "search", "confirm"}:
            yield from self._train_teachers()
        if "search" in names:
            yield from self._search()
        if "confirm" in names:
            yield from self._run("confirm", self.confirm_jobs())

    def _train_teachers(self) -> Iterator[Phase]:
        """Train or measure the teacher of each pair, and file it under the hash of its weights."""
        jobs = {pair.label: self._teacher_job(pair) for pair in self.plan.spec.pairs}
        yield from self._run("teachers", list(jobs.values()))
        for pair in self.plan.spec.pairs:
            self.teachers[pair.label] = self._file(jobs[pair.label])
        for job in {job.key: job for job in jobs.values()}.values():
            self._check_accuracy(job)

    def _teacher_job(self, pair: Pair) -> Job:
        """What trains the teacher of ``pair``, or measures it where its weights are given."""
        if pair.weights is None:
            return self.plan.teacher_job(pair)
        state = read_teacher(Path(pair.weights), pair.teacher, self.plan.num_classes, self.plan.image_size)
        about = {"file": Path(pair.weights).name}
        return self.plan.given_job(file_teacher(self.folder.store, pair.teacher, state, about))

    def _check_accuracy(self, job: Job) -> None:
        """Say so where a teacher knows next to nothing: of these data, prepared in this way."""
        chance, top1 = 100 / self.plan.num_classes, self.recorder.records[job.key].final.get("test/top1")
        if top1 is not None and top1 - chance < LITTLE * (100 - chance):
            remedy = (
                "are its classes and the data's preparation the ones it was trained with?"
                if job.role == "given"
                else "has it enough epochs, and a rate that suits it (teacher_training)?"
            )
            known = f"a test top-1 of {top1:.2f} %, chance has {chance:.2f} %"
            self.say(f"teacher {job.config.student} has {known}: {remedy}")

    def _search(self) -> Iterator[Phase]:
        """Spend what is left of the budget."""
        from study.interleaved import Interleaved
        from study.searcher import ArmSearch
        from study.spending import Spending
        from study.storage import open_storage

        spec = self.plan.spec
        if not self.plan.arms:
            return
        storage = open_storage(self.folder.optuna_url, self.say)
        history = History(self.plan, self.teachers, self.recorder.records)
        spending = Spending(spec.budget, self.recorder.records, self.recorder.journal.notes)
        search = Interleaved([ArmSearch(arm, history, storage) for arm in self.plan.arms], spending)
        left = search.left
        self.recorder.stage("search", search.used + left, left)
        if left:
            yield Phase(search, self._measure if spec.resources.gpus_per_trial == "measure" else None)
        self.ended = search.ended()
        file = self.folder.path / "study.json"
        write_json(file, {**(read_json(file) or {}), "ended": self.ended})

    def _measure(self) -> None:
        self.runner.measure_share(self._heaviest(), self.say)

    def _heaviest(self) -> TrialConfig:
        """The paper's configuration of the pair whose student computes most."""
        name = "student/multiply_adds"
        pair = max(self.plan.spec.pairs, key=lambda pair: self.plan.costs(pair, [name])[name])
        return self.plan.fixed_config(pair, self.plan.arms[0].method, self.teachers[pair.label])

    def confirm_jobs(self) -> list[Job]:
        """What the search decided is worth confirming; a configuration that is two things runs once."""
        spec = self.plan.spec
        pairs = {pair.label: pair for pair in spec.pairs}
        chosen: list[tuple[TrialConfig, Pair, str]] = []
        history = History(self.plan, self.teachers, self.recorder.records)
        objectives = history.objectives
        whole_front = len(objectives.names) > 1 and spec.confirm.best > 0
        for arm in self.plan.arms:
            ranked = objectives.ranked(history.of(arm))
            for record in ranked if whole_front else ranked[: spec.confirm.best]:
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

    def _run(self, stage: str, jobs: list[Job]) -> Iterator[Phase]:
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
            yield Phase(JobList(left))

    def _file(self, job: Job) -> Teacher:
        run = self.folder.store.run(job.key)
        result = run.result()
        if result is None:
            record = self.recorder.records.get(job.key)
            raise StageFailed(
                f"teacher {job.config.student} was not {'measured' if job.role == 'given' else 'trained'}: "
                f"{record.reason if record else 'no run'}"
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
