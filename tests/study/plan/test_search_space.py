"""What a search asks for: the method, how its students are trained, and which teacher; under which names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from optuna.trial import FixedTrial

from study.plan.plan import Plan
from study.plan.search_space import SearchSpace
from study.spec import (
    ASHA,
    KD,
    SDD,
    Choice,
    Data,
    Feature,
    Float,
    Int,
    LogFloat,
    Pair,
    Search,
    StudySpec,
    Supervised,
    Training,
)
from study.spec.training import corners
from study.spec.validation import check_names
from tests.study.plan.test_golden_keys import plan_of
from trainables.config import ConfigError, Teacher, TrialConfig

TEACHER = Teacher(name="resnet20", weights="0" * 64)
PAIR = Pair("resnet20", "resnet8")


def spec(**fields: Any) -> StudySpec:
    """A study on two small networks."""
    usual: dict[str, Any] = {"data": Data(name="cluttered_digits"), "pairs": (PAIR,), "methods": (KD(),)}
    return StudySpec(**{**usual, "name": "made", **fields})


def plan(**fields: Any) -> Plan:
    """Its plan; the data need not be there."""
    made = spec(**fields)
    check_names(made)
    return plan_of(made)


def names(space: SearchSpace) -> list[str]:
    """Names of the dimensions."""
    return [each.name for each in space.dimensions()]


def trial(made: Plan, space: SearchSpace, point: Mapping[str, Any]) -> TrialConfig:
    """The configuration at a point."""
    pair, method = space.suggest(FixedTrial(dict(point)))
    return made.search_trial(space, pair, method, TEACHER).config


def test_a_domain_in_the_training_is_searched_for_every_method() -> None:
    made = plan(
        methods=(KD(), Supervised(), SDD(beta=Float(1, 8))), training=Training(lr=LogFloat(0.01, 0.2))
    )
    spaces = {space.label.partition("/")[2]: names(space) for space in made.search_spaces}
    assert spaces == {"KD": ["lr"], "CE": ["lr"], "SD-KD": ["beta", "lr"]}
    config = trial(made, made.search_spaces[2], {"beta": 3.0, "lr": 0.1})
    assert config.training.lr == 0.1
    assert config.method.logit is not None
    assert config.method.logit.complementary_weight == 3.0


def test_the_trial_is_the_one_that_fixed_fields_give() -> None:
    """So that finished trials are found again when a fixed field becomes a domain."""
    fixed = plan(methods=(SDD(beta=Float(1, 8)),), training=Training(lr=0.1, milestones=(1, 2)))
    opened = plan(
        methods=(SDD(beta=Float(1, 8)),),
        training=Training(lr=LogFloat(0.01, 0.2), milestones=Choice((1, 2), (3, 4))),
    )
    before = trial(fixed, fixed.search_spaces[0], {"beta": 2.5})
    space = opened.search_spaces[0]
    point = space.point_at(before.to_dict())
    assert point == {"beta": 2.5, "lr": 0.1, "milestones": "1,2"}
    assert trial(opened, space, point).trial_key == before.trial_key


def test_what_means_nothing_is_not_asked_for_and_has_its_usual_value() -> None:
    training = Training(
        epochs=8,
        schedule=Choice("step", "cosine"),
        milestones=Choice((2, 4), (3, 6)),
        lr_decay=Float(0.1, 0.5),
    )
    made = plan(training=training)
    space = made.search_spaces[0]
    assert [(each.name, each.when) for each in space.dimensions()] == [
        ("schedule", ()),
        ("milestones", (("schedule", ("step",)),)),
        ("lr_decay", (("schedule", ("step",)),)),
    ]
    fixed = FixedTrial({"schedule": "cosine", "milestones": "2,4", "lr_decay": 0.3})
    pair, method = space.suggest(fixed)
    assert fixed.params == {"schedule": "cosine"}
    config = made.search_trial(space, pair, method, TEACHER).config
    assert config.training.milestones == Training().milestones
    step = trial(made, space, {"schedule": "step", "milestones": "3,6", "lr_decay": 0.3})
    assert (step.training.milestones, step.training.lr_decay) == ((3, 6), 0.3)


def test_each_optimiser_is_asked_for_its_own_fields() -> None:
    training = Training(
        optimizer=Choice("sgd", "adamw"),
        lr=LogFloat(0.001, 0.2),
        momentum=Float(0.5, 0.95),
        adam_beta1=Float(0.7, 0.8),
        label_smoothing=Float(0, 0.2),
        ema_decay=Choice(None, 0.99),
    )
    made = plan(training=training)
    space = made.search_spaces[0]
    assert names(space) == ["lr", "optimizer", "label_smoothing", "ema_decay", "momentum", "adam_beta1"]
    point = {"lr": 0.01, "label_smoothing": 0.1, "ema_decay": "0.99", "momentum": 0.6, "adam_beta1": 0.75}
    sgd, adamw = (trial(made, space, {**point, "optimizer": name}).training for name in ("sgd", "adamw"))
    assert (sgd.momentum, sgd.adam_beta1) == (0.6, 0.9)
    assert (adamw.momentum, adamw.adam_beta1) == (0.9, 0.75)
    assert (adamw.label_smoothing, adamw.ema_decay) == (0.1, 0.99)
    teacher = made.teacher_trial(PAIR).config.training
    assert (teacher.optimizer, teacher.adam_beta1, teacher.ema_decay) == ("sgd", 0.9, None)
    assert space.paper_point(PAIR) == {
        "lr": 0.05, "optimizer": "sgd", "label_smoothing": 0.0, "ema_decay": "None", "momentum": 0.9
    }  # fmt: skip


def test_dot_is_asked_for_the_momentum_that_sgd_is_and_for_its_own_field() -> None:
    training = Training(
        optimizer=Choice("sgd", "dot", "adamw"),
        lr=LogFloat(0.001, 0.2),
        momentum=Float(0.5, 0.9),
        dot_delta=Float(0.02, 0.09),
    )
    made = plan(training=training)
    space = made.search_spaces[0]
    assert {each.name: each.when for each in space.dimensions()} == {
        "lr": (),
        "optimizer": (),
        "momentum": (("optimizer", ("sgd", "dot")),),
        "dot_delta": (("optimizer", ("dot",)),),
    }
    point = {"lr": 0.01, "momentum": 0.6, "dot_delta": 0.05}
    found = {
        name: trial(made, space, {**point, "optimizer": name}).training for name in ("sgd", "dot", "adamw")
    }
    assert {name: (each.momentum, each.dot_delta) for name, each in found.items()} == {
        "sgd": (0.6, 0.075), "dot": (0.6, 0.05), "adamw": (0.9, 0.075)
    }  # fmt: skip
    alone: Any = Training(optimizer="dot", lr=LogFloat(0.01, 0.2), dot_delta=Float(0.02, 0.09))
    assert plan(training=alone).search_spaces[0].paper_point(PAIR) == {"lr": 0.05, "dot_delta": 0.075}


def test_a_published_rate_stands_for_no_domain_of_another_optimiser() -> None:
    rate: Any = LogFloat(1e-4, 1e-1)
    made = plan(training=Training(optimizer="adamw", lr=rate))
    assert made.teacher_trial(PAIR).config.training.lr == pytest.approx(10**-2.5)
    assert made.search_spaces[0].paper_point(PAIR) == {"lr": pytest.approx(10**-2.5)}
    both: Any = Training(optimizer=Choice("sgd", "adamw"), lr=rate)
    assert plan(training=both).teacher_trial(PAIR).config.training.lr == 0.05
    assert {(each.optimizer, each.lr) for each in corners(both)} >= {("adamw", 0.05), ("sgd", 1e-4)}


def test_a_pair_may_be_trained_otherwise_than_the_others() -> None:
    pairs = (
        Pair("resnet20", "resnet8", training={"lr": LogFloat(0.001, 0.01)}),
        Pair("resnet20", "wrn_10_1", training={"lr": 0.02}),
        Pair("resnet20", "vgg8"),
    )
    made = plan(pairs=pairs, training=Training(lr=LogFloat(0.01, 0.2)), search=Search(pairs="search"))
    (space,) = made.search_spaces
    assert names(space) == ["resnet20-resnet8.lr", "resnet20-vgg8.lr"]
    one = trial(made, space, {"pair": "resnet20-resnet8", "resnet20-resnet8.lr": 0.005})
    two = trial(made, space, {"pair": "resnet20-wrn_10_1"})
    assert (one.student, one.training.lr) == ("resnet8", 0.005)
    assert (two.student, two.training.lr) == ("wrn_10_1", 0.02)
    each = plan(pairs=pairs, training=Training(lr=LogFloat(0.01, 0.2)))
    assert [names(space) for space in each.search_spaces] == [["lr"], [], ["lr"]]


def test_a_method_may_be_trained_otherwise_than_the_others() -> None:
    made = plan(methods=(KD(training={"lr": 0.1}), SDD(training={"lr": LogFloat(0.01, 0.2), "epochs": 3})))
    (space,) = made.search_spaces
    assert (space.label, names(space)) == ("resnet20-resnet8/SD-KD", ["lr"])
    config = trial(made, space, {"lr": 0.03})
    assert (config.training.lr, config.training.epochs) == (0.03, 3)
    assert made.fixed_config(PAIR, made.spec.methods[0], TEACHER).training.lr == 0.1


def space_by_function(trial: Any) -> Any:
    """A method that comes with changes to the training."""
    beta = trial.suggest_float("beta", 1, 8)
    nesterov = trial.suggest_categorical("nesterov", [False, True])
    return SDD(beta=beta, training={"nesterov": nesterov, "weight_decay": trial.suggest_float("wd", 0, 0.1)})


def test_a_function_gives_a_method_with_changes_to_the_training() -> None:
    made = plan(methods=(space_by_function,), training=Training(lr=LogFloat(0.01, 0.2)))
    (space,) = made.search_spaces
    assert set(names(space)) == {"beta", "nesterov", "wd", "lr"}
    config = trial(made, space, {"beta": 2.0, "nesterov": True, "wd": 0.05, "lr": 0.1})
    assert (config.training.nesterov, config.training.weight_decay, config.training.lr) == (True, 0.05, 0.1)


def test_the_teacher_may_be_chosen() -> None:
    made = plan(
        pairs=(Pair(Choice("resnet20", "resnet32"), "resnet8"),), training=Training(lr=LogFloat(0.01, 1))
    )
    (space,) = made.search_spaces
    assert space.label == "resnet20,resnet32-resnet8/KD"
    pair, _ = space.suggest(FixedTrial({"teacher": "resnet32", "lr": 0.1}))
    assert pair == Pair("resnet32", "resnet8")
    assert space.paper_point(pair) == {"teacher": "resnet32", "lr": 0.05}
    assert [made.teacher_trial(pair).config.student for pair in made.spec.each_pair] == [
        "resnet20",
        "resnet32",
    ]


def test_options_of_a_feature_loss_are_searched() -> None:
    method = Feature("crd", weight=LogFloat(0.1, 4), temperature=LogFloat(0.05, 0.2), warmup_epochs=Int(0, 5))
    made = plan(methods=(method,))
    (space,) = made.search_spaces
    assert names(space) == ["crd.weight", "crd.warmup_epochs", "crd.temperature"]
    config = trial(made, space, {"crd.weight": 1.0, "crd.warmup_epochs": 2, "crd.temperature": 0.1})
    (term,) = config.method.features
    assert (term.weight, term.warmup_epochs, term.options) == (1.0, 2, {"temperature": 0.1})
    assert space.point_at(config.to_dict()) == {
        "crd.weight": 1.0,
        "crd.warmup_epochs": 2,
        "crd.temperature": 0.1,
    }
    assert space.paper_point(PAIR) == {"crd.weight": 0.8, "crd.warmup_epochs": 0, "crd.temperature": 0.07}


def test_augmentation_is_searched() -> None:
    made = plan(data=Data(name="cluttered_digits", augment=Choice("standard", "none")))
    (space,) = made.search_spaces
    assert trial(made, space, {"augment": "none"}).data.augment == "none"
    assert made.teacher_trial(PAIR).config.data.augment == "standard"


def test_the_strength_of_augmentation_is_searched_where_there_is_one() -> None:
    data = Data(name="cluttered_digits", augment=Choice("standard", "none"), augment_strength=Float(0, 2))
    made = plan(data=data)
    (space,) = made.search_spaces
    assert trial(made, space, {"augment": "standard", "augment_strength": 0.3}).data.augment_strength == 0.3
    assert trial(made, space, {"augment": "none"}).data.augment_strength == 1.0
    assert made.teacher_trial(PAIR).config.data.augment_strength == 1.0


def test_smoothing_is_refused_for_a_method_without_cross_entropy() -> None:
    bare = SDD(ce_weight=0.0)
    for share in (0.1, Float(0, 0.2)):
        with pytest.raises(
            ConfigError, match=r"methods.0.ce_weight: 0 leaves nothing of training.label_smoo"
        ):
            plan(methods=(bare,), training=Training(label_smoothing=share))  # type: ignore[arg-type]
    plan(
        methods=(SDD(ce_weight=0.0, training={"label_smoothing": 0.0}),),
        training=Training(label_smoothing=0.1),
    )


def test_a_teacher_and_the_papers_point_have_the_papers_value_where_it_is_inside() -> None:
    inside = plan(training=Training(lr=LogFloat(0.01, 0.2)))
    outside = plan(training=Training(lr=LogFloat(0.0001, 0.01)))
    assert inside.teacher_trial(PAIR).key == plan().teacher_trial(PAIR).key
    assert inside.search_spaces[0].paper_point(PAIR) == {"lr": 0.05}
    assert outside.teacher_trial(PAIR).config.training.lr == pytest.approx(0.001)
    small = Pair("resnet20", "ShuffleV1")
    assert plan(pairs=(small,), training=Training(lr=LogFloat(0.001, 0.2))).search_spaces[0].paper_point(
        small
    ) == {"lr": 0.01}


def trained(**training: Any) -> dict[str, Any]:
    """A study whose one pair is trained otherwise."""
    return {"pairs": (Pair("resnet20", "resnet8", training=training),)}


def test_one_alone_is_told_to_be_put_into_a_list() -> None:
    with pytest.raises(ConfigError, match=r"^pairs: expected a list, got Pair\(.* \(put it into \[ \]\)$"):
        plan(pairs=Pair("vgg13", "vgg8"))


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"training": Training(epochs=Int(10, 20))}, "training.epochs: cannot be searched under early"),
        (trained(epochs=Int(1, 2)), "pairs.0.training.epochs: cannot be searched under early stopping"),
        ({"methods": (KD(training={"lr": Float(0, 1)}),)}, "methods.0.training.lr: 0.0 is not above 0"),
        ({"methods": (KD(training={"epochs": Int(1, 2)}),)}, "methods.0.training.epochs: cannot be sea"),
        (
            {"training": Training(optimizer="adamw", lr=0.001, momentum=Float(0.5, 0.9))},
            "training.momentum: means something only where optimizer is 'sgd'",
        ),
        ({"methods": (KD(training={"optimizer": "adamw"}),)}, "methods.0.training.lr: missing"),
        (
            {"training": Training(schedule="cosine", milestones=Choice((1,), (2,)))},
            "training.milestones: means something only where schedule is 'step'",
        ),
        (trained(lrr=0.1), "pairs.0.training.lrr: training has no such field; did you mean 'lr'?"),
        (trained(lr="fast"), "pairs.0.training.lr: expected a number, got 'fast'"),
        (trained(lr=Float(-1, 1)), "pairs.0.training.lr: -1"),
        (
            {"search": Search(sampler="grid"), "training": Training(lr=Float(0.1, 1))},
            "training.lr: a grid needs",
        ),
        ({"methods": (Feature("crd", temperature=Float(-1, 1)),)}, "methods.0.features.0: crd.temperature"),
    ],
)
def test_a_domain_that_cannot_be_is_refused_by_its_place(fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError) as refused:
        plan(**fields)
    assert str(refused.value).startswith(complaint)


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: Training(lr=Float(0, 1)), "lr: 0.0 is not above 0"),
        (lambda: Training(lr=Choice(0.1, "fast")), "lr: expected a number, got 'fast'"),
        (lambda: Training(lr="fast"), "lr: expected a number, got 'fast'"),
        (lambda: Training(batch_size=Float(16, 64)), "batch_size: expected a whole number"),
        (lambda: Training(precision=Choice("bf16", "tf32")), "precision: cannot be searched"),
        (lambda: Training(milestones=Choice((2, 1), (3, 4))), "milestones: (2, 1) do not rise"),
        (lambda: Data(name="cifar100", validation=Float(0.1, 0.2)), "validation: cannot be searched"),
        (lambda: ASHA(grace=Int(1, 3)), "grace: cannot be searched"),
        (
            lambda: KD(training={"precision": Choice("bf16", "tf32")}),
            "training.precision: cannot be searched",
        ),
        (lambda: Pair("a", Choice("b", "c")), "student: cannot be searched"),
        (lambda: Pair(Choice("a", "b"), "c", weights="file"), "weights: are of one teacher"),
    ],
)
def test_what_a_fixed_field_would_refuse_a_domain_may_not_hold(make: Any, complaint: str) -> None:
    with pytest.raises(ConfigError) as refused:
        make()
    assert str(refused.value).startswith(complaint)


def test_epochs_are_searched_where_nothing_is_stopped_early() -> None:
    made = plan(training=Training(epochs=Choice(8, 20)), search=Search(stop=None))
    assert trial(made, made.search_spaces[0], {"epochs": "20"}).training.epochs == 20
    assert made.epochs == 20
