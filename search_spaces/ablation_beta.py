"""Table 8: how much weight on complementary regions? beta = 1 treats all regions alike."""

from study.spec import KD, SDD, Confirm, Data, Pair, StudySpec

STUDY = StudySpec(
    data=Data(name="cifar100", root="data/cifar100"),
    pairs=(Pair("resnet32x4", "ShuffleV1"),),
    methods=(SDD(beta=2.0), *(SDD(beta=beta) for beta in (1.0, 4.0, 6.0, 8.0)), KD()),
    confirm=Confirm(seeds=5, watch_test=True),
)
