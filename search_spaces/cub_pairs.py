"""Table 5: CUB-200, birds at 224x224, where classes differ in details that single regions show.

Networks and training are those of the released code (docs/fidelity.md).
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
    Resources,
    StudySpec,
    Supervised,
)
from study.spec import published as paper

STUDY = StudySpec(
    data=Data(name="cub200", root="data/CUB_200_2011"),
    pairs=(
        Pair("resnet32x4", "MobileNetV2"),
        Pair("resnet32x4", "ShuffleV1"),
        Pair("vgg13", "MobileNetV2"),
        Pair("vgg13", "vgg8"),
        Pair("ResNet50", "ShuffleV1"),
    ),
    methods=(
        Supervised(),
        *PAPER_METHODS,
        SDD(
            base=Choice("kd", "dkd", "nkd"),
            alpha=LogFloat(0.25, 4),
            beta=Float(1, 8),
            scales=Choice((1, 2), (1, 2, 4), (1, 2, 4, 7)),
        ),
    ),
    training=paper.released_training("cub200"),
    budget=Budget(trials=24),
    confirm=Confirm(seeds=5, watch_test=True),
    resources=Resources(cpus_per_trial=4),
)
