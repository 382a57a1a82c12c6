"""Real photographs on a laptop: ten classes of CIFAR-100 from a packed .npz, KD beside SD-KD.

The file holds train_images [N,32,32,3] uint8, train_labels, test_images, test_labels, classes. Another one:
--set data.root=FILE.npz.
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
    Training,
)

STUDY = StudySpec(
    data=Data(name="packed", root="data/cifar100.npz", classes=10, validation=0.1),
    pairs=(Pair("resnet20", "wrn_10_1"),),
    methods=(
        KD(),
        SDD(base="kd", alpha=LogFloat(0.25, 4), beta=Float(1, 8), scales=Choice((1, 2), (1, 4), (1, 2, 4))),
    ),
    training=Training(epochs=20, batch_size=64, lr=0.1, schedule="cosine", lr_warmup_epochs=1),
    search=Search(stop=ASHA(grace=5, reduction=2)),
    budget=Budget(trials=10),
    confirm=Confirm(best=1, paper=True, seeds=3),
)
