"""Tiny ImageNet, 64x64: what the paper leaves open, on half of its schedule.

Runs on any part of the data set in its standard layout; on a few classes, with --set data.classes=20.
"""

from study.spec import (
    ASHA,
    KD,
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
    Training,
)

STUDY = StudySpec(
    data=Data(name="tiny_imagenet", root="data/tiny-imagenet-200"),
    pairs=(Pair("resnet32x4", "resnet8x4"), Pair("resnet32x4", "ShuffleV2")),
    methods=(
        Supervised(),
        KD(),
        SDD(
            base=Choice("kd", "dkd"),
            alpha=LogFloat(0.25, 4),
            beta=Float(1, 8),
            scales=Choice((1, 2), (1, 4), (1, 2, 4), (1, 2, 4, 8)),
            warmup_epochs=0,
        ),
    ),
    training=Training(epochs=120, milestones=(75, 90, 105)),
    search=Search(stop=ASHA(grace=15, reduction=3)),
    budget=Budget(trials=24),
    confirm=Confirm(seeds=3),
)
