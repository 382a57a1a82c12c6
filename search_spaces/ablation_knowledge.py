"""Table 6: which regions teach? All of them, the consistent ones, the complementary ones, or the image alone.

Four rows, four settings of two weights: a region whose weight is 0 is left out.
"""

from study.spec import KD, SDD, Confirm, Data, Pair, StudySpec

STUDY = StudySpec(
    data=Data(name="cifar100", root="data/cifar100"),
    pairs=(Pair("resnet32x4", "resnet8x4"), Pair("resnet32x4", "ShuffleV1")),
    methods=(
        SDD(),  # both, complementary regions with the paper's beta
        SDD(beta=0.0),
        SDD(consistent_weight=0.0),
        KD(),
    ),
    confirm=Confirm(seeds=5, watch_test=True),
)
