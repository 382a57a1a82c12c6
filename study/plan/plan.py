"""A study spec with everything it names looked up: from here on every trial is a :class:`TrialConfig`."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, get_args

from study.spec import methods
from study.spec.distillation import Distillation, SearchableMethod
from study.spec.study import Pair, StudySpec
from trainables.config.trial import (
    Data,
    LargeImages,
    Method,
    Teacher,
    Training,
    TrialConfig,
    without_later_fields,
)
from trainables.data.raw import RawData, StreamedViews
from trainables.data.registry import source
from trainables.models.names import resolve

if TYPE_CHECKING:
    from trainables.engine.device import Precision
from study.plan.search_space import SearchSpace
from study.plan.trial import PlannedTrial, Role, StageName

STAGES: tuple[StageName, ...] = get_args(StageName)
"""What a launch goes through."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A spec and the data it was resolved against.

    Attributes:
        auto: what ``auto`` precision came to; None where the spec names another.
        user_code: texts that register the user's own losses, as they were when the plan was made; trial
            processes run them.
    """

    spec: StudySpec
    data: Data
    raw: RawData = field(repr=False, compare=False)
    auto: Precision | None = None
    user_code: tuple[str, ...] = field(default=(), repr=False, compare=False)

    def __str__(self) -> str:
        from study.plan.describe import describe_trials

        return describe_trials(self)

    @property
    def num_classes(self) -> int:
        """Classes in use."""
        classes = self.data.classes
        return (
            len(self.raw.classes)
            if classes is None
            else classes
            if isinstance(classes, int)
            else len(classes)
        )

    @property
    def image_size(self) -> int:
        """Pixels of the longer side of what networks see."""
        shown = self.raw.augmentation
        return int(shown.size if isinstance(shown, StreamedViews) else max(self.raw.train_images.shape[1:3]))

    @property
    def search_spaces(self) -> list[SearchSpace]:
        """The searches of the study."""
        spec = self.spec
        groups = [(pair,) for pair in spec.pairs] if spec.search.pairs == "each" else [spec.pairs]
        search_spaces = []
        for number, method in enumerate(spec.methods):
            if not method.searched:
                continue
            alone = sum(other.label == method.label for other in spec.searched) == 1
            label = method.label if alone else f"{method.label}.{number}"
            for pairs in groups:
                where = pairs[0].label if len(pairs) == 1 else "pairs"
                search_spaces.append(
                    SearchSpace(
                        method, pairs, f"{where}/{label}", self.data.name, self._fingerprint(method, pairs)
                    )
                )
        return search_spaces

    def _fingerprint(self, method: SearchableMethod, pairs: tuple[Pair, ...]) -> str:
        """See :class:`SearchSpace`; teachers count by the run that trains them, or by their file's name."""
        search, data = self.spec.search, dataclasses.replace(self.data, root=None)
        each = []
        for pair in pairs:
            teacher = pair.weights or self.teacher_trial(pair).key
            form = self.large_images(pair.student, pair.teacher)
            own = [] if form == "pooled" else [form]
            each.append([pair, pair.student_training(self.spec.training), teacher, *own])
        named = without_later_fields([method, search.objectives, search.seed, data, each])
        text = json.dumps(named, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    def search_name(self, space: SearchSpace) -> str:
        """The name of the arm's Optuna study."""
        return f"{self.spec.name}/{space.label}@{space.fingerprint}"

    def large_images(self, *networks: str) -> LargeImages:
        """Tell what networks for small images are on these data; of ``networks`` none may be one."""
        form = source(self.data.name).large_images
        return form if any(resolve(network).for_small_images for network in networks) else "pooled"

    def costs(self, pair: Pair, names: Collection[str]) -> dict[str, float]:
        """Those costs of the pair's student that are among ``names``; multiply-adds are for one image."""
        from trainables.models import build
        from trainables.models.profile import multiply_adds, parameter_count

        form = self.large_images(pair.student)
        student = build(pair.student, self.num_classes, image_size=self.image_size, large_images=form)
        found = {
            "student/multiply_adds": float(multiply_adds(student, self.image_size)),
            "student/parameters": float(parameter_count(student)),
        }
        return {name: found[name] for name in names}

    def teacher_trial(self, pair: Pair) -> PlannedTrial:
        """The run that trains the teacher of ``pair``: on train without its held-out part."""
        training = self.spec.teacher_training or self.spec.training
        config = TrialConfig(
            data=self.data,
            student=pair.teacher,
            method=Method(),
            training=training,
            test="end",
            large_images=self.large_images(pair.teacher),
        )
        return PlannedTrial(config, "teachers", pair.teacher, "CE")

    def given_teacher_trial(self, teacher: Teacher) -> PlannedTrial:
        """The run that measures a teacher whose weights are given, on the test split."""
        once = Training(epochs=1, precision=self.spec.training.precision)
        network, weights = teacher.name, teacher.weights
        config = TrialConfig(
            data=self.data,
            student=network,
            weights=weights,
            training=once,
            fit="all",
            test="end",
            large_images=self.large_images(network),
        )
        return PlannedTrial(config, "teachers", network, "given weights", role="given")

    def search_trial(
        self, space: SearchSpace, pair: Pair, method: Distillation, teacher: Teacher
    ) -> PlannedTrial:
        """A trial of a search: the held-out part of train is measured after every epoch."""
        config = self._student(pair, method, teacher, self.spec.search.seed)
        role: Role = "paper" if config == self.fixed_config(pair, space.method, teacher) else ""
        return PlannedTrial(config, "search", pair.label, config.method.label, role=role, search=space.label)

    def fixed_config(self, pair: Pair, method: SearchableMethod, teacher: Teacher) -> TrialConfig:
        """The configuration of a method without domains, or with those at the paper's values."""
        fixed = method.at_paper(pair.case(self.data.name))
        return self._student(pair, fixed, teacher, self.spec.search.seed)

    def undecoupled(self, pair: Pair, config: TrialConfig, teacher: Teacher) -> TrialConfig | None:
        """The base loss of a decoupled ``config`` by itself, as published but for the warm-up; else None."""
        logit = config.method.logit
        if logit is None or not logit.decoupled:
            return None
        plain = methods.plain(logit.base, warmup_epochs=logit.warmup_epochs)
        return self._student(pair, plain, teacher, config.seed)

    def confirm_trials(self, config: TrialConfig, pair: str, role: Role) -> list[PlannedTrial]:
        """The runs that confirm ``config``: one a seed, on all of train, measured on the test split."""
        confirm = self.spec.confirm
        runs = [
            dataclasses.replace(config, fit="all", test="every" if confirm.watch_test else "end", seed=seed)
            for seed in range(1, confirm.seeds + 1)
        ]
        return [PlannedTrial(run, "confirm", pair, run.method.label, role=role) for run in runs]

    def _student(self, pair: Pair, method: Distillation, teacher: Teacher, seed: int) -> TrialConfig:
        resolved = method.method(pair.case(self.data.name))
        distils = resolved.logit is not None or bool(resolved.features)
        return TrialConfig(
            data=self.data,
            student=pair.student,
            teacher=teacher if distils else None,
            method=resolved,
            training=pair.student_training(self.spec.training),
            seed=seed,
            large_images=self.large_images(pair.student, *([pair.teacher] if distils else [])),
        )
