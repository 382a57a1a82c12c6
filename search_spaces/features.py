"""Tables A1 and A2: feature losses alone, beside SD-KD, and SP on the scales of SDD, on CIFAR-100.

Weights are those each loss was published with; Feature("crd", weight=LogFloat(0.1, 4)) searches one.
"""

from study.spec import KD, SDD, Confirm, Data, Feature, Pair, StudySpec

STUDY = StudySpec(
    data=Data(name="cifar100", root="data/cifar100"),
    pairs=(
        Pair("wrn_40_2", "vgg8"),
        Pair("resnet32x4", "ShuffleV1"),
        Pair("resnet32x4", "resnet8x4"),
        Pair("resnet32x4", "ShuffleV2"),
    ),
    methods=(
        SDD(),
        KD(),
        *(Feature(name) for name in ("fitnet", "at", "sp", "rkd", "pkt", "crd", "reviewkd")),
        Feature("sp", plus=SDD()),
        Feature("crd", plus=SDD()),
        Feature("sp_multiscale"),  # A2
        SDD(base="dkd"),  # A2
    ),
    confirm=Confirm(seeds=5, watch_test=True),
)
