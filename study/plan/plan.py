"""Holds a spec with everything it names looked up: from here on every trial is a :class:`TrialConfig`."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

from study.plan.search_space import SearchSpace
from study.plan.trial import PlannedTrial, Role, StageName
from study.spec import methods
from study.spec.distillation import Distillation
from study.spec.domains import extremes, options_of
from study.spec.published import PaperCase
from study.spec.sampler_factory import SamplerFactory
from study.spec.searchable import SearchableMethod
from study.spec.study import Pair, StudySpec
from study.spec.training import changed, closed
from trainables.config.data import Data
from trainables.config.key import without_later_fields
from trainables.config.method import Method
from trainables.config.training import Training
from trainables.config.trial import LargeImages, Teacher, TrialConfig
from trainables.data.raw import RawData
from trainables.data.registry import source
from trainables.losses import logit_loss_spec
from trainables.models.names import resolve

if TYPE_CHECKING:
    from trainables.engine.device import Precision

STAGES: tuple[StageName, ...] = get_args(StageName)
"""What a launch goes through."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Makes every trial that a study may run, from its spec and the data it was resolved against.

    >>> from study.plan.resolve import resolve
    >>> from study.spec import KD, Data, Pair, StudySpec
    >>> digits = Data(name="cluttered_digits", options={"scenes": 100, "test": 100})
    >>> spec = StudySpec(name="small", data=digits, pairs=(Pair("resnet20", "resnet8"),), methods=(KD(),))
    >>> plan = resolve(spec)
    >>> plan.num_classes, plan.image_size, plan.teacher_trial(spec.pairs[0]).config.training.epochs
    (10, 32, 240)

    Attributes:
        auto: what ``auto`` precision came to; None where the spec names another.
        user_code: texts that register the user's own losses, as they were when the plan was made; trial
            processes run them.
        published: hashes of published weights that some training starts from, by network.
    """

    spec: StudySpec
    data: Data
    raw: RawData = field(repr=False, compare=False)
    auto: Precision | None = None
    user_code: tuple[str, ...] = field(default=(), repr=False, compare=False)
    published: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        from study.plan.describe import describe_trials

        return describe_trials(self)

    @property
    def num_classes(self) -> int:
        """Number of classes in use."""
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
        """Pixels of the longer side of the images that networks see."""
        return max(self.raw.shown_size)

    @property
    def search_spaces(self) -> list[SearchSpace]:
        """Search spaces of the study, one for each search: of a method, on a pair or over all of them."""
        spec = self.spec
        groups: list[tuple[str, tuple[Pair, ...], Literal["pair", "teacher"]]]
        groups = [(pair.label, pair.each(), "teacher") for pair in spec.pairs]
        if spec.search.pairs == "search":
            groups = [("pairs", spec.each_pair, "pair")]
        labels = [method.label for method in self.searched_methods]
        found = []
        for number, method in enumerate(spec.methods):
            label = method.label if labels.count(method.label) <= 1 else f"{method.label}.{number}"
            for where, pairs, chosen in groups:
                where = pairs[0].label if len(pairs) == 1 else where
                if any(spec.searches(method, pair) for pair in pairs):
                    name = self._fingerprint(method, pairs)
                    about = (f"{where}/{label}", spec.data, spec.training, name, chosen)
                    found.append(SearchSpace(method, pairs, *about))
        return found

    def searches(self, method: SearchableMethod, pair: Pair) -> bool:
        """Tell whether a search chooses how ``method`` is run on ``pair``."""
        alike = self.spec.search.pairs == "search"
        return any(self.spec.searches(method, each) for each in (self.spec.each_pair if alike else (pair,)))

    @property
    def epochs(self) -> int:
        """Most epochs that a trial of the students has."""
        spec, most = self.spec, 0
        for pair in spec.each_pair:
            own = pair.student_training(spec.training)
            every = [changed(own, method.training) for method in spec.methods]
            most = max(most, *(value for each in every for value in extremes(each.epochs)))
        return most

    @property
    def mixes(self) -> bool:
        """Tell whether students of some trials see mixed images, with their teachers beside them."""
        trainings = (
            changed(pair.student_training(self.spec.training), method.training)
            for pair in self.spec.each_pair
            for method in self.spec.methods
        )
        return any(max(extremes(rate)) > 0 for each in trainings for rate in (each.mixup, each.cutmix))

    @property
    def two_views(self) -> bool:
        """Tell whether some students see a strong view of each image beside the plain one."""
        variants = (variant for method in self.spec.methods for variant in method.variants())
        bases = (base for variant in variants for base in options_of(variant.base) if base is not None)
        return any(logit_loss_spec(str(base)).views == 2 for base in bases)

    @property
    def searched_methods(self) -> list[SearchableMethod]:
        """Methods that have something to search on some pair."""
        spec = self.spec
        return [m for m in spec.methods if any(spec.searches(m, pair) for pair in spec.each_pair)]

    def _fingerprint(self, method: SearchableMethod, pairs: tuple[Pair, ...]) -> str:
        """Hash what a search is about; teachers count by the trial that trains them, or their file's name."""
        search, known = self.spec.search, self.data.fingerprint
        data = dataclasses.replace(self.spec.data, root=None, fingerprint=known)
        each = []
        for pair in pairs:
            teacher = pair.weights or self.teacher_trial(pair).key
            form = self.large_images(pair.student, str(pair.teacher))
            own = [] if form == "pooled" else [form]
            each.append([pair, pair.student_training(self.spec.training), teacher, *own])
        drawn = [search.sampler.code] if isinstance(search.sampler, SamplerFactory) else []
        named = without_later_fields([method, search.objectives, search.seed, data, each, *drawn])
        text = json.dumps(named, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    def search_name(self, space: SearchSpace) -> str:
        """Return the name of the Optuna study of ``space``; another fingerprint is another Optuna study."""
        return f"{self.spec.name}/{space.label}@{space.fingerprint}"

    def large_images(self, *networks: str) -> LargeImages:
        """Return the form of networks for small images on these data; ``pooled`` if ``networks`` has none."""
        form = source(self.data.name).large_images
        return form if any(resolve(network).for_small_images for network in networks) else "pooled"

    def costs(self, pair: Pair, names: Collection[str]) -> dict[str, float]:
        """Return those costs of the pair's student that ``names`` has; multiply-adds are for one image."""
        from trainables.models.profile import multiply_adds, parameter_count, weightless

        form = self.large_images(pair.student)
        student = weightless(pair.student, self.num_classes, self.image_size, form)
        found = {
            "student/multiply_adds": float(multiply_adds(student, self.image_size)),
            "student/parameters": float(parameter_count(student)),
        }
        return {name: found[name] for name in names}

    def teacher_trial(self, pair: Pair) -> PlannedTrial:
        """Return the trial that trains the teacher of ``pair``: on train without its held-out part."""
        case = PaperCase(student=str(pair.teacher), data=self.data.name)
        training = closed(self.spec.teacher_training or self.spec.training, case)
        config = TrialConfig(
            data=self.data,
            student=str(str(pair.teacher)),
            method=Method(),
            training=training,
            test="end",
            large_images=self.large_images(str(pair.teacher)),
            initial=self._initial(str(pair.teacher), training),
        )
        return PlannedTrial(config, "teachers", str(pair.teacher), "CE")

    def given_teacher_trial(self, teacher: Teacher) -> PlannedTrial:
        """Return the trial that measures a teacher whose weights are given, on the test split."""
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
        """Return a trial of a search, which measures the held-out part of train after every epoch."""
        config = self._student(pair, method, teacher, self.spec.search.seed)
        paper = self._student(pair, space.at_paper(pair), teacher, self.spec.search.seed)
        role: Role = "paper" if config == paper else ""
        return PlannedTrial(config, "search", pair.label, config.method.label, role=role, search=space.label)

    def fixed_config(self, pair: Pair, method: SearchableMethod, teacher: Teacher) -> TrialConfig:
        """Return the configuration of a method without domains, or with those at the paper's values."""
        space = SearchSpace(method, (pair,), "", self.spec.data, self.spec.training)
        return self._student(pair, space.at_paper(pair), teacher, self.spec.search.seed)

    def undecoupled(self, pair: Pair, config: TrialConfig) -> TrialConfig | None:
        """Return decoupled ``config`` with its base loss alone, as published but for the warm-up; else None.

        It is trained as ``config`` is, so that the two differ in the loss alone.
        """
        logit = config.method.logit
        if logit is None or not logit.decoupled:
            return None
        standardize = "no" if logit.standardize == "no" else "region"  # the whole image is the one region
        plain = methods.plain(logit.base, warmup_epochs=logit.warmup_epochs, standardize=standardize)
        return dataclasses.replace(config, method=plain.method(pair.case(self.data.name)))

    def confirm_trials(self, config: TrialConfig, pair: str, role: Role) -> list[PlannedTrial]:
        """Return the trials that may confirm ``config``: one a seed, on all of train, with the test split."""
        confirm = self.spec.confirm
        runs = [
            dataclasses.replace(config, fit="all", test="every" if confirm.watch_test else "end", seed=seed)
            for seed in range(1, confirm.looks[-1] + 1)
        ]
        return [PlannedTrial(run, "confirm", pair, run.method.label, role=role) for run in runs]

    def _student(self, pair: Pair, method: Distillation, teacher: Teacher, seed: int) -> TrialConfig:
        case = pair.case(self.data.name)
        resolved = method.method(case)
        distils = resolved.logit is not None or bool(resolved.features)
        training = closed(changed(pair.student_training(self.spec.training), method.training), case)
        return TrialConfig(
            data=changed(self.data, method.training),
            student=pair.student,
            teacher=teacher if distils else None,
            method=resolved,
            training=training,
            seed=seed,
            large_images=self.large_images(pair.student, *([str(pair.teacher)] if distils else [])),
            initial=self._initial(pair.student, training),
        )

    def _initial(self, network: str, training: Training) -> str | None:
        """Return the hash of the weights that training of ``network`` starts from; None for random ones."""
        return self.published.get(network) if training.init == "published" else None
