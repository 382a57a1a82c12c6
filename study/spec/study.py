"""Says what a study is: data, pairs, methods, how they are searched and confirmed, and on what.

A space file holds one :class:`StudySpec` called ``STUDY``. Everything here is a frozen dataclass; every field
has a default that suits the paper where the paper has one. Nothing here imports torch or Ray.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from inspect import isfunction
from pathlib import Path
from typing import Any, Literal

from study.spec import domains
from study.spec import published as paper
from study.spec.define_by_run import AnyMethod, DefineByRun
from study.spec.distillation import Distillation
from study.spec.domains import Domain, label, options_of
from study.spec.features import Added
from study.spec.methods import DKD, KD, NKD, PAPER_METHODS, SDD, Feature, Supervised, plain
from study.spec.search import ASHA, Budget, HyperBand, Median, Search
from study.spec.searchable import SearchableMethod
from study.spec.training import changed
from trainables.config.data import Data
from trainables.config.open_values import guarded, open_fields
from trainables.config.serialization import require
from trainables.config.training import DefaultRate, Training
from trainables.models.names import is_published

__all__ = [
    "ASHA",
    "DKD",
    "KD",
    "NKD",
    "PAPER_METHODS",
    "SDD",
    "Added",
    "Budget",
    "Choice",
    "Confirm",
    "Data",
    "Distillation",
    "Domain",
    "Feature",
    "Float",
    "HyperBand",
    "Int",
    "LogFloat",
    "Median",
    "Pair",
    "Resources",
    "Search",
    "StudySpec",
    "Supervised",
    "Training",
    "plain",
]


Float: Any = domains.Float
Int: Any = domains.Int
LogFloat: Any = domains.LogFloat
Choice: Any = domains.Choice
"""Typed so that a field of any type takes them: ``Training(lr=LogFloat(0.01, 0.2))``."""


@dataclass(frozen=True, slots=True)
@guarded(None)
class Pair:
    """Names a teacher, a student, and what their runs do otherwise than the study's ``training``.

    >>> pair = Pair("resnet32x4", "MobileNetV2")
    >>> pair.label, pair.student_training(Training()).lr
    ('resnet32x4-MobileNetV2', 0.01)

    Attributes:
        teacher: a network's name, or a ``Choice`` of several, among which every search chooses.
        weights: a teacher file to use, and measure (RepDistiller's and mdistiller's); ``published``, or
            ``published:TAG``, for those of a network of torchvision or timm; None trains one.
        training: fields of :class:`Training` for this student, values or domains, such as ``{"lr": 0.02}``.
            The published learning rate of ShuffleNet and MobileNetV2 students (0.01) needs no mention; it
            stands in for a rate that the study does not name.
    """

    teacher: str | domains.Choice
    student: str
    weights: str | None = None
    training: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require(
            self.weights is None or isinstance(self.teacher, str),
            "weights: are of one teacher, and there is a choice of several",
        )

    @property
    def weight_file(self) -> Path | None:
        """File of ``weights``, a leading ``~`` followed; None where there are none, or published ones."""
        if self.weights is None or is_published(self.weights):
            return None
        return Path(os.path.expanduser(self.weights))

    @property
    def label(self) -> str:
        """Name of the pair, ``teacher-student``, as the paper writes it."""
        return f"{','.join(map(label, options_of(self.teacher)))}-{self.student}"

    def each(self) -> tuple[Pair, ...]:
        """Return the pair with each teacher that it may have."""
        teachers = options_of(self.teacher)
        return tuple(dataclasses.replace(self, teacher=teacher) for teacher in teachers)

    def case(self, data: str) -> paper.PaperCase:
        """Return what the paper's settings depend on, on data set ``data``."""
        return paper.PaperCase(label(self.teacher), self.student, data)

    def student_training(self, common: Training) -> Training:
        """Return the training settings of this pair's student, domains among them."""
        published = paper.learning_rate(self.student)
        unwritten = isinstance(common.lr, DefaultRate)
        own: dict[str, Any] = {"lr": published} if published is not None and unwritten else {}
        return changed(common, {**own, **self.training})


@dataclass(frozen=True, slots=True, kw_only=True)
@guarded()
class Confirm:
    """Says what is retrained on all of train over seeds; the test split is read here and nowhere else.

    Attributes:
        best: configurations of each search that are confirmed; of a search with two objectives, all on the
            Pareto front, unless it is 0.
        paper: whether the paper's configuration of each searched method is confirmed beside them.
        seeds: runs of each configuration.
        at_most: runs of those whose comparison with their base loss is open after ``seeds``; half as many
            again at a time, until it is decided or these are reached. None: ``seeds`` for all.
        watch_test: measure the test split after every epoch, to report the "best test epoch" of published
            code beside the honest number; it chooses nothing.
    """

    best: int = 1
    paper: bool = True
    seeds: int = 3
    at_most: int | None = None
    watch_test: bool = False

    def __post_init__(self) -> None:
        require(self.best >= 0, f"best: {self.best} is below 0")
        require(self.seeds >= 1, f"seeds: {self.seeds} is fewer than 1")
        most = self.at_most
        require(
            most is None or most >= self.seeds, f"at_most: {most} is fewer than the {self.seeds} of seeds"
        )
        require(
            most is None or self.seeds >= 2,
            "at_most: needs seeds=2 or more; one run has no spread to test by",
        )

    @property
    def looks(self) -> tuple[int, ...]:
        """Numbers of seeds a side after which a comparison is tested.

        >>> Confirm(seeds=3, at_most=10).looks
        (3, 5, 8, 10)
        """
        found = [self.seeds]
        while self.at_most is not None and found[-1] < self.at_most:
            found.append(min(self.at_most, -(-3 * found[-1] // 2)))
        return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
@guarded()
class Resources:
    """Says what one trial gets, and how it computes; none of it is part of a trial's configuration.

    >>> Resources(cpus_per_trial=2, gpus_per_trial=0.5).gpus_per_trial
    0.5

    Attributes:
        workers_per_trial: processes that train one trial together, each on a device of its own with a share
            of every batch; 1 trains inside the trial's own process.
        cpus_per_trial: cores of each worker, and the threads it computes with. Without a cluster, GPUs or
            ``max_concurrent`` the teachers, which are few, share all cores.
        gpus_per_trial: devices of each worker, fractions allowed; None means 1 where the cluster has any,
            else 0; ``measure`` tries out before the search how many of its trials share one best.
        max_concurrent: trials at once; None means as many as fit.
        engine: whether steps are compiled; ``auto`` for trials long enough to win the time back.
        views: room for stored teacher outputs on each node, in bytes; ``auto`` for a quarter of what is
            free, at most half of the memory, ``off`` for none.
    """

    workers_per_trial: int = 1
    cpus_per_trial: int = 1
    gpus_per_trial: float | Literal["measure"] | None = None
    max_concurrent: int | None = None
    engine: Literal["auto", "eager", "compiled"] = "auto"
    views: Literal["auto", "off"] | int = "auto"

    def __post_init__(self) -> None:
        require(self.workers_per_trial >= 1, f"workers_per_trial: {self.workers_per_trial} is fewer than 1")
        require(self.cpus_per_trial >= 1, f"cpus_per_trial: {self.cpus_per_trial} is fewer than 1")
        gpus = self.gpus_per_trial
        given = isinstance(gpus, float | int)
        require(not given or 0 <= gpus <= 1, f"gpus_per_trial: {gpus} is not between 0 and 1")  # type: ignore[operator]
        require(
            gpus != "measure" or self.workers_per_trial == 1,
            "gpus_per_trial: 'measure' is for trials of one worker; a group's workers want whole devices",
        )
        require(self.max_concurrent is None or self.max_concurrent >= 1, "max_concurrent: fewer than 1")
        require(isinstance(self.views, str) or self.views >= 0, f"views: {self.views} bytes is below 0")


LONGEST_NAME = 120
"""Characters of a study's name: with what is put behind it, a file's name has 255."""

RESERVED = {"_store", "mlartifacts", "mlruns"}
"""Folders of a results folder that are no studies, in lower case: some file systems take no other."""


@dataclass(frozen=True, slots=True, kw_only=True)
@guarded()
class StudySpec:
    """Says what a study is, whole.

    >>> spec = StudySpec(
    ...     data=Data(name="cifar100", root="data/cifar100"),
    ...     pairs=(Pair("resnet32x4", "resnet8x4"),),
    ...     methods=(KD(), SDD(alpha=LogFloat(0.25, 4))),
    ... )
    >>> [method.label for method in spec.methods if method.searched]
    ['SD-KD']

    Attributes:
        name: of its results folder and its MLflow experiment; the space file's name unless given.
        pairs: of teacher and student; :attr:`each_pair` has one for each teacher that may be chosen.
        training: of the students; of the teachers too, unless ``teacher_training`` is given. A domain in it
            is searched for every method, baselines too; teachers have the paper's value, if it lies inside.
        methods: rows of the tables. Those with domains are searched; those without are baselines. A function
            of an Optuna trial that gives a method is a method too, see ``study/spec/define_by_run.py``.
    """

    data: Data
    pairs: tuple[Pair, ...]
    methods: tuple[AnyMethod, ...]
    training: Training = field(default_factory=Training)
    teacher_training: Training | None = None
    search: Search = field(default_factory=Search)
    budget: Budget = field(default_factory=Budget)
    confirm: Confirm = Confirm()
    resources: Resources = Resources()
    name: str = ""

    def __post_init__(self) -> None:
        methods = (DefineByRun(method) if isfunction(method) else method for method in self.methods)
        object.__setattr__(self, "methods", tuple(methods))
        require(bool(self.pairs), "pairs: names no pair")
        require(bool(self.methods), "methods: names no method")
        labels = [pair.label for pair in self.each_pair]
        require(len(set(labels)) == len(labels), f"pairs: one is named twice ({', '.join(labels)})")
        require(
            not self.name or (self.name.replace("-", "").replace("_", "").isalnum() and self.name.isascii()),
            f"name: '{self.name}' may hold letters a to z, digits, - and _ only; give another (--name)",
        )
        require(
            len(self.name) <= LONGEST_NAME,
            f"name: has {len(self.name)} characters, a folder's and an experiment's may have {LONGEST_NAME}; "
            "give another (--name)",
        )
        require(
            self.name.lower() not in RESERVED,
            f"name: '{self.name}' is a folder that results have of their own; give another (--name)",
        )
        require(
            not self.name.startswith("-"), f"name: '{self.name}' begins like an option; give another (--name)"
        )

    @property
    def each_pair(self) -> tuple[Pair, ...]:
        """Pairs of the study, one for each teacher that may be chosen."""
        return tuple(each for pair in self.pairs for each in pair.each())

    @property
    def tuned_alike(self) -> bool:
        """Tell whether every method has something searched: the study's training, or data, has a domain."""
        return bool(open_fields(self.training) or open_fields(self.data))

    def searches(self, method: SearchableMethod, pair: Pair) -> bool:
        """Tell whether ``method`` has something to search on ``pair``."""
        return method.searched or self.tuned_alike or bool(open_fields(changed(Training(), pair.training)))
