"""CIFAR-100, teachers and students of the same architecture; the paper's scales are {1,2} here.

The paper's Tables 6, 7, A1 and A2 show ResNet32x4-ResNet8x4; the other pairs are those of the released
configurations.
"""

from study.spec import (
    PAPER_METHODS,
    SDD,
    Budget,
    Choice,
    Confirm,
    Data,
    Float,
    LogFloat,
    Pair,
    StudySpec,
    Supervised,
)

STUDY = StudySpec(
    data=Data(name="cifar100", root="data/cifar100"),
    pairs=(
        Pair("resnet56", "resnet20"),
        Pair("resnet110", "resnet32"),
        Pair("resnet32x4", "resnet8x4"),
        Pair("wrn_40_2", "wrn_16_2"),
        Pair("wrn_40_2", "wrn_40_1"),
        Pair("vgg13", "vgg8"),
    ),
    methods=(
        Supervised(),
        *PAPER_METHODS,
        SDD(
            base=Choice("kd", "dkd", "nkd"),
            alpha=LogFloat(0.25, 4),
            beta=Float(1, 8),
            scales=Choice((1, 2), (1, 4), (1, 2, 4)),
            options={"dkd": {"beta": Float(2, 10)}},
        ),
    ),
    budget=Budget(trials=40),
    confirm=Confirm(seeds=5, watch_test=True),
)
