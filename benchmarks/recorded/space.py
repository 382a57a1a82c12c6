"""Sixty random configurations over all knobs, trained to their end: the curves that ``simulate`` replays.

Twenty classes of CIFAR-100 from a packed .npz (see ``search_spaces/cifar_small.py``), named by the
environment: SDD_RECORDED_DATA=FILE.npz. SDD_RECORDED_EPOCHS (30) gives the same configurations another
length, its drops at the same fractions.
"""

import os

from study.spec import SDD, Budget, Choice, Confirm, Data, Float, LogFloat, Pair, Search, StudySpec, Training

EPOCHS = int(os.environ.get("SDD_RECORDED_EPOCHS", "30"))

STUDY = StudySpec(
    data=Data(
        name="packed",
        root=os.environ.get("SDD_RECORDED_DATA", "data/cifar100.npz"),
        classes=20,
        fraction=0.3,
        validation=0.5,
    ),
    pairs=(Pair("resnet20", "resnet8"),),
    methods=(
        SDD(
            base="kd",
            options={"kd": {"temperature": Float(1, 8)}},
            alpha=LogFloat(0.1, 10),
            beta=Float(0, 8),
            scales=Choice((1,), (1, 2), (1, 4), (1, 2, 4)),
        ),
    ),
    training=Training(
        epochs=EPOCHS,
        batch_size=64,
        lr=LogFloat(0.005, 0.5),
        weight_decay=LogFloat(1e-5, 5e-3),
        milestones=(EPOCHS * 5 // 8, EPOCHS * 3 // 4, EPOCHS * 7 // 8),
    ),
    teacher_training=Training(
        epochs=EPOCHS, milestones=(EPOCHS * 5 // 8, EPOCHS * 3 // 4, EPOCHS * 7 // 8), lr=0.1
    ),
    search=Search(sampler="random", stop=None),
    budget=Budget(trials=60),
    confirm=Confirm(best=0, paper=False),
)
