"""Table 7: which scales? {1,2} is the paper's choice for one architecture, {1,2,4} for different ones."""

from study.spec import KD, SDD, Confirm, Data, Pair, StudySpec

STUDY = StudySpec(
    data=Data(name="cifar100", root="data/cifar100"),
    pairs=(Pair("resnet32x4", "resnet8x4"), Pair("resnet32x4", "ShuffleV1")),
    methods=(
        SDD(),  # the pair's own set, one of those below: it runs once
        KD(),  # {1}
        *(SDD(scales=scales) for scales in ((1, 2), (1, 4), (1, 2, 4))),
    ),
    confirm=Confirm(seeds=5, watch_test=True),
)
