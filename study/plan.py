"""A study spec with everything it names looked up: from here on every trial is a :class:`TrialConfig`."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from study import methods
from study.define_by_run import AnyMethod, at_paper, variants
from study.domains import Choice, OptunaTrial, options_of
from study.fitting import check_fits
from study.methods import Distillation
from study.precision import best_here, decided, left_open
from study.spec import Pair, StudySpec
from trainables.config import Data, Method, Teacher, Training, TrialConfig
from trainables.data.raw import RawData, Streaming
from trainables.losses.user_code import registered_sources
from trainables.strict import ConfigError, to_plain

if TYPE_CHECKING:
    from trainables.precision import Precision

STAGES = ("teachers", "search", "confirm", "report")
"""What a launch goes through."""


@dataclass(frozen=True, slots=True)
class Arm:
    """One search: a method with domains, and the pair, or the pairs among which it may choose.

    Attributes:
        fingerprint: hash of what is searched, for what, and of all that is the same in its trials; where it
            changes, the Optuna study is another one.
    """

    method: AnyMethod
    pairs: tuple[Pair, ...]
    label: str
    data: str
    fingerprint: str

    @property
    def pair_domain(self) -> Choice | None:
        """The domain of the pair, where the search may choose one."""
        return Choice(*self.pairs) if len(self.pairs) > 1 else None

    def suggest(self, trial: OptunaTrial) -> tuple[Pair, Distillation]:
        """The pair and the method at the point that ``trial`` suggests."""
        domain = self.pair_domain
        pair = self.pairs[0] if domain is None else domain.suggest(trial, "pair")
        return pair, self.method.suggest(trial)


@dataclass(frozen=True, slots=True)
class Job:
    """One trial and where it belongs.

    Attributes:
        stage: teachers, search or confirm.
        method: name of the table's row.
        role: paper for the paper's configuration; best or baseline for other confirmed ones; given for a
            teacher whose weights are.
        arm: label of the search it belongs to; empty outside a search.
        point: the Optuna parameters behind a trial of a search.
    """

    config: TrialConfig
    stage: str
    pair: str
    method: str
    role: str = ""
    arm: str = ""
    point: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The trial key of its configuration."""
        return self.config.trial_key


@dataclass(frozen=True, slots=True)
class Plan:
    """A spec and the data it was resolved against.

    Attributes:
        auto: what ``auto`` precision came to; None where the spec names another.
    """

    spec: StudySpec
    data: Data
    raw: RawData = field(repr=False, compare=False)
    auto: Precision | None = None

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
        return int(shown.size if isinstance(shown, Streaming) else max(self.raw.train_images.shape[1:3]))

    @property
    def user_code(self) -> tuple[str, ...]:
        """Source files of the registered losses the methods use; trial processes run them."""
        bases = {
            str(base)
            for method in self.spec.methods
            for variant in variants(method)
            for base in options_of(variant.base)
            if base is not None
        }
        return registered_sources(sorted(bases))

    @property
    def arms(self) -> list[Arm]:
        """The searches of the study."""
        spec = self.spec
        groups = [(pair,) for pair in spec.pairs] if spec.search.pairs == "each" else [spec.pairs]
        arms = []
        for number, method in enumerate(spec.methods):
            if not method.searched:
                continue
            alone = sum(other.label == method.label for other in spec.searched) == 1
            label = method.label if alone else f"{method.label}.{number}"
            for pairs in groups:
                where = pairs[0].label if len(pairs) == 1 else "pairs"
                arms.append(
                    Arm(method, pairs, f"{where}/{label}", self.data.name, self._fingerprint(method, pairs))
                )
        return arms

    def _fingerprint(self, method: AnyMethod, pairs: tuple[Pair, ...]) -> str:
        """See :class:`Arm`; teachers count by the run that trains them, or by their file's name."""
        search, data = self.spec.search, dataclasses.replace(self.data, root=None)
        each = [
            [pair, pair.student_training(self.spec.training), pair.weights or self.teacher_job(pair).key]
            for pair in pairs
        ]
        text = json.dumps(to_plain([method, search.objectives, search.seed, data, each]), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    def search_name(self, arm: Arm) -> str:
        """The name of the arm's Optuna study."""
        return f"{self.spec.name}/{arm.label}@{arm.fingerprint}"

    def costs(self, pair: Pair, names: Collection[str]) -> dict[str, float]:
        """Those costs of the pair's student that are among ``names``; multiply-adds are for one image."""
        from trainables.models import build
        from trainables.models.profile import multiply_adds, parameter_count

        student = build(pair.student, self.num_classes, image_size=self.image_size)
        found = {
            "student/multiply_adds": float(multiply_adds(student, self.image_size)),
            "student/parameters": float(parameter_count(student)),
        }
        return {name: found[name] for name in names}

    def teacher_job(self, pair: Pair) -> Job:
        """The run that trains the teacher of ``pair``: on train without its held-out part."""
        training = self.spec.teacher_training or self.spec.training
        config = TrialConfig(
            data=self.data, student=pair.teacher, method=Method(), training=training, test="end"
        )
        return Job(config, "teachers", pair.teacher, "CE")

    def given_job(self, teacher: Teacher) -> Job:
        """The run that measures a teacher whose weights are given, on the test split."""
        once = Training(epochs=1, precision=self.spec.training.precision)
        network, weights = teacher.name, teacher.weights
        config = TrialConfig(
            data=self.data, student=network, weights=weights, training=once, fit="all", test="end"
        )
        return Job(config, "teachers", network, "given weights", role="given")

    def search_job(self, arm: Arm, pair: Pair, method: Distillation, teacher: Teacher) -> Job:
        """A trial of a search: the held-out part of train is measured after every epoch."""
        config = self._student(pair, method, teacher, self.spec.search.seed)
        role = "paper" if config == self.fixed_config(pair, arm.method, teacher) else ""
        return Job(config, "search", pair.label, config.method.label, role=role, arm=arm.label)

    def fixed_config(self, pair: Pair, method: AnyMethod, teacher: Teacher) -> TrialConfig:
        """The configuration of a method without domains, or with those at the paper's values."""
        fixed = at_paper(method, pair.case(self.data.name))
        return self._student(pair, fixed, teacher, self.spec.search.seed)

    def undecoupled(self, pair: Pair, config: TrialConfig, teacher: Teacher) -> TrialConfig | None:
        """The base loss of a decoupled ``config`` by itself, as published but for the warm-up; else None."""
        logit = config.method.logit
        if logit is None or not logit.decoupled:
            return None
        plain = methods.plain(logit.base, warmup_epochs=logit.warmup_epochs)
        return self._student(pair, plain, teacher, config.seed)

    def confirm_jobs(self, config: TrialConfig, pair: str, role: str) -> list[Job]:
        """The runs that confirm ``config``: one a seed, on all of train, measured on the test split."""
        confirm = self.spec.confirm
        runs = [
            dataclasses.replace(config, fit="all", test="every" if confirm.watch_test else "end", seed=seed)
            for seed in range(1, confirm.seeds + 1)
        ]
        return [Job(run, "confirm", pair, run.method.label, role=role) for run in runs]

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
        )


def resolve(spec: StudySpec, precision: Callable[[], Precision] = best_here) -> Plan:
    """Look up what ``spec`` names and check that it fits together; creates nothing.

    Args:
        precision: tells what ``auto`` comes to; asked where ``spec`` has one.

    Raises:
        ConfigError: the data cannot be read, a teacher's weights are not its network's, or a scale does not
            fit a network's last map.
    """
    from trainables import data

    root = str(Path(spec.data.root).expanduser().absolute()) if spec.data.root is not None else None
    located = dataclasses.replace(spec.data, root=root)
    try:
        found = dataclasses.replace(located, fingerprint=data.fingerprint(located))
        raw = data.load_raw(found)
        data.check_classes(found, len(raw.classes))
    except ConfigError as error:
        raise ConfigError(f"data.{error}") from None
    auto = precision() if left_open(spec) else None
    plan = Plan(decided(spec, auto) if auto else spec, found, raw, auto)
    check_fits(plan)
    return plan
