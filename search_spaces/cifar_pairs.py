"""Tables 1 and 2: CIFAR-100, teachers and students of different architectures.

The paper's rows over five seeds, and for each pair a search for a better decoupled loss than the paper's.
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
    Search,
    StudySpec,
    Supervised,
)

TABLE_1 = (
    Pair("resnet32x4", "MobileNetV2"),
    Pair("wrn_40_2", "vgg8"),
    Pair("wrn_40_2", "MobileNetV2"),
    Pair("ResNet50", "ShuffleV1"),
)
TABLE_2 = (
    Pair("ResNet50", "MobileNetV2"),
    Pair("ResNet50", "vgg8"),
    Pair("resnet32x4", "ShuffleV1"),
    Pair("resnet32x4", "ShuffleV2"),
    Pair("wrn_40_2", "ShuffleV1"),
    Pair("vgg13", "MobileNetV2"),
)

STUDY = StudySpec(
    data=Data(name="cifar100", root="data/cifar100"),
    pairs=TABLE_1 + TABLE_2,
    methods=(
        Supervised(),
        *PAPER_METHODS,
        SDD(
            base=Choice("kd", "dkd", "nkd"),
            alpha=LogFloat(0.25, 4),
            beta=Float(1, 8),
            scales=Choice((1, 2), (1, 4), (1, 2, 4)),
            options={"dkd": {"beta": Float(2, 10)}, "nkd": {"gamma": Float(0.5, 3)}},
        ),
    ),
    search=Search(maximize="val/top1"),
    budget=Budget(trials=40),
    confirm=Confirm(best=1, seeds=5, watch_test=True),
)
