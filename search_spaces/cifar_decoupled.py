"""What decoupling gains where all is tuned alike: twenty classes of CIFAR-100, some hours of two CPU cores.

Cross-entropy, KD, DKD and standardised KD, each of the three by itself and decoupled, for a student of the
teacher's family and one of another. Each has as many trials over rate and temperature (decoupled: over beta
too) on a held-out tenth of train; the best of each is trained on all of train with five seeds, and measured
once on test. The step schedule is the paper's, a twentieth as long, the teacher's an eighth. Data as for
``cifar_small.py``, with all 500 images of a class.
"""

from typing import Any

from study.spec import (
    SDD,
    Budget,
    Confirm,
    Data,
    Distillation,
    Float,
    LogFloat,
    Pair,
    Search,
    StudySpec,
    Supervised,
    Training,
    plain,
)

BASES = (("kd", "no"), ("dkd", "no"), ("kd", "region"))


def drops(epochs: int) -> tuple[int, ...]:
    """Return the paper's milestones, 150, 180 and 210 of 240, for another length."""
    return tuple(epochs * at // 240 for at in (150, 180, 210))


def tuned(base: str, standardize: str) -> tuple[Distillation, Distillation]:
    """Return a loss by itself and decoupled, its temperature to be searched."""
    about: dict[str, Any] = {
        "base": base,
        "standardize": standardize,
        "warmup_epochs": 2 if base == "dkd" else 0,
    }
    options = {"temperature": Float(1, 8)}
    decoupled = SDD(**about, options={base: options}, beta=Float(1, 8), scales=(1, 2, 4))
    return plain(**about, options=options), decoupled


STUDY = StudySpec(
    data=Data(name="packed", root="data/cifar100.npz", classes=20, validation=0.1),
    pairs=(Pair("wrn_16_2", "wrn_10_1"), Pair("wrn_16_2", "resnet8")),
    methods=(Supervised(), *(method for base in BASES for method in tuned(*base))),
    training=Training(epochs=12, milestones=drops(12), lr=LogFloat(0.02, 0.4)),
    teacher_training=Training(epochs=30, milestones=drops(30), lr=0.1),
    search=Search(),
    budget=Budget(trials=6),
    confirm=Confirm(best=1, paper=False, seeds=5),
)
