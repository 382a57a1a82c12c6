"""Which student, distilled how, is the best that a budget of multiply-adds buys? CIFAR-100, one teacher.

The student is a dimension of the search, and there are two objectives: accuracy up, cost down. Confirmed is
the Pareto front, each student on it beside plain KD.
"""

from study.spec import KD, SDD, Budget, Choice, Confirm, Data, Float, LogFloat, Pair, Search, StudySpec

STUDENTS = ("resnet8x4", "resnet20", "wrn_16_2", "vgg8", "MobileNetV2", "ShuffleV1", "ShuffleV2")

STUDY = StudySpec(
    data=Data(name="cifar100", root="data/cifar100"),
    pairs=tuple(Pair("resnet32x4", student) for student in STUDENTS),
    methods=(
        KD(),
        SDD(
            base=Choice("kd", "dkd"),
            alpha=LogFloat(0.25, 4),
            beta=Float(1, 8),
            scales=Choice((1, 2), (1, 4), (1, 2, 4)),
        ),
    ),
    search=Search(maximize="val/top1", minimize="student/multiply_adds", pairs="search", stop=None),
    budget=Budget(trials=56),
    confirm=Confirm(seeds=3),
)
