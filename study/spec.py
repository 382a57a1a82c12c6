"""What a study is: data, pairs, methods, how they are searched and confirmed, and on what.

A space file holds one :class:`StudySpec` called ``STUDY``. Everything here is a frozen dataclass; every field
has a default that suits the paper where the paper has one. Nothing here imports torch or Ray.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from study import paper
from study.domains import Choice, Domain, Float, Int, LogFloat
from study.methods import DKD, KD, NKD, PAPER_METHODS, SDD, Added, Distillation, Feature, Supervised
from trainables.config import Data, Scalar, Training, require

__all__ = [
    "ASHA",
    "DKD",
    "KD",
    "NKD",
    "PAPER_METHODS",
    "SDD",
    "Added",
    "Choice",
    "Confirm",
    "Data",
    "Distillation",
    "Domain",
    "Feature",
    "Float",
    "Int",
    "LogFloat",
    "Median",
    "Pair",
    "Resources",
    "Search",
    "StudySpec",
    "Supervised",
    "Training",
]


@dataclass(frozen=True, slots=True)
class Pair:
    """A teacher, a student, and what their runs do otherwise than the study's ``training``.

    Attributes:
        weights: a teacher file to use (RepDistiller and mdistiller layouts are read); None trains one.
        training: fields of :class:`Training` for this student, such as ``{"lr": 0.02}``. The published
            learning rate of ShuffleNet and MobileNetV2 students (0.01) needs no mention.
    """

    teacher: str
    student: str
    weights: str | None = None
    training: Mapping[str, Scalar] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """``teacher-student``, as the paper writes it."""
        return f"{self.teacher}-{self.student}"

    def case(self, data: str) -> paper.Case:
        """What the paper's settings depend on, on data set ``data``."""
        return paper.Case(self.teacher, self.student, data)

    def student_training(self, common: Training) -> Training:
        """The training settings of this pair's student."""
        published = paper.learning_rate(self.student)
        usual = common.lr == Training().lr
        own: dict[str, Any] = {"lr": published} if published is not None and usual else {}
        return dataclasses.replace(common, **{**own, **self.training})


@dataclass(frozen=True, slots=True, kw_only=True)
class ASHA:
    """Asynchronous successive halving (Li 2020): at each rung 1 of ``reduction`` trials goes on.

    Attributes:
        grace: epochs before the first rung; later rungs are at grace * reduction, grace * reduction^2, ...
    """

    grace: int = 30
    reduction: int = 3

    def __post_init__(self) -> None:
        require(self.grace >= 1, f"grace: {self.grace} is fewer than 1 epoch")
        require(self.reduction >= 2, f"reduction: {self.reduction} is below 2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Median:
    """Stops a trial whose best value is worse than the median of the others' averages at that epoch."""

    grace: int = 30
    min_trials: int = 3

    def __post_init__(self) -> None:
        require(self.grace >= 1, f"grace: {self.grace} is fewer than 1 epoch")
        require(self.min_trials >= 2, f"min_trials: {self.min_trials} is below 2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """How hyper-parameters are chosen; the paper's configuration is always the first trial.

    Attributes:
        maximize: metric of the held-out part of train.
        minimize: a second objective, the cost of the student: multiply-adds of one image, counted from the
            network. The winners are then the Pareto front. Early stopping compares accuracies alone and would
            drop small students first, so that there is none.
        trials: trials for each search, finished ones of earlier launches included.
        pairs: ``each`` gives every pair a search of its own, ``search`` makes the pair a dimension.
        sampler: tpe (multivariate, grouped, constant liar) or random.
        stop: early stopping, or None.
        seed: of the sampler and of the trials.
    """

    maximize: Literal["val/top1", "val/top5"] = "val/top1"
    minimize: Literal["student/multiply_adds"] | None = None
    trials: int = 40
    pairs: Literal["each", "search"] = "each"
    sampler: Literal["tpe", "random"] = "tpe"
    stop: ASHA | Median | None = ASHA()
    seed: int = 0

    def __post_init__(self) -> None:
        require(self.trials >= 1, f"trials: {self.trials} is fewer than 1")
        require(
            self.minimize is None or (self.stop is None and self.pairs == "search"),
            "minimize: a second objective needs stop=None (it would drop small students) and pairs='search'",
        )

    @property
    def objectives(self) -> tuple[str, ...]:
        """What goes up, then what goes down if anything does."""
        return (self.maximize,) if self.minimize is None else (self.maximize, self.minimize)


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirm:
    """Retraining on all of train over seeds; the test split is read here and nowhere else.

    Attributes:
        best: configurations of each search that are confirmed; of a search with two objectives, all on the
            Pareto front, unless it is 0.
        paper: whether the paper's configuration of each searched method is confirmed beside them.
        seeds: runs of each configuration.
        watch_test: measure the test split after every epoch, to report the "best test epoch" of published
            code beside the honest number; it chooses nothing.
    """

    best: int = 1
    paper: bool = True
    seeds: int = 3
    watch_test: bool = False

    def __post_init__(self) -> None:
        require(self.best >= 0, f"best: {self.best} is below 0")
        require(self.seeds >= 1, f"seeds: {self.seeds} is fewer than 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What one trial gets.

    Attributes:
        cpus_per_trial: cores, and the threads its process computes with.
        gpus_per_trial: devices, fractions allowed; None means 1 where the cluster has any, else 0.
        max_concurrent: trials at once; None means as many as fit.
    """

    cpus_per_trial: int = 1
    gpus_per_trial: float | None = None
    max_concurrent: int | None = None

    def __post_init__(self) -> None:
        require(self.cpus_per_trial >= 1, f"cpus_per_trial: {self.cpus_per_trial} is fewer than 1")
        gpus = self.gpus_per_trial
        require(gpus is None or 0 <= gpus <= 1, f"gpus_per_trial: {gpus} is not between 0 and 1")
        require(self.max_concurrent is None or self.max_concurrent >= 1, "max_concurrent: fewer than 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class StudySpec:
    """A study, whole.

    Attributes:
        name: of its results folder and its MLflow experiment; the space file's name unless given.
        training: of the students; of the teachers too, unless ``teacher_training`` is given.
        methods: rows of the tables. Those with domains are searched; those without are baselines.
    """

    data: Data
    pairs: tuple[Pair, ...]
    methods: tuple[Distillation, ...]
    training: Training = field(default_factory=Training)
    teacher_training: Training | None = None
    search: Search = Search()
    confirm: Confirm = Confirm()
    resources: Resources = Resources()
    name: str = ""

    def __post_init__(self) -> None:
        require(bool(self.pairs), "pairs: names no pair")
        require(bool(self.methods), "methods: names no method")
        labels = [pair.label for pair in self.pairs]
        require(len(set(labels)) == len(labels), f"pairs: one is named twice ({', '.join(labels)})")
        require(
            not self.name or (self.name.replace("-", "").replace("_", "").isalnum() and self.name.isascii()),
            f"name: '{self.name}' may hold letters, digits, - and _ only",
        )

    @property
    def searched(self) -> tuple[Distillation, ...]:
        """The methods that have something to search."""
        return tuple(method for method in self.methods if method.searched)
