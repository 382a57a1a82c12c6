"""Is it the loss, or was it tuned more? Every method gets the same search over how students are trained.

A domain in ``training`` is searched for each method of the study, plain cross-entropy and the published
losses included: each has ``budget.trials`` trials on the held-out part of train, and what is confirmed on the
test split are the tuned ones. The summary says of each row how many trials it had and over which knobs.
"""

from study.spec import (
    DKD,
    KD,
    SDD,
    Budget,
    Confirm,
    Data,
    Float,
    LogFloat,
    Pair,
    StudySpec,
    Supervised,
    Training,
)

STUDY = StudySpec(
    data=Data(name="cifar100", root="data/cifar100", validation=0.1),
    pairs=(Pair("resnet32x4", "resnet8x4"),),
    methods=(
        Supervised(),
        KD(),
        DKD(),
        SDD(base="kd", beta=Float(1, 8)),
        SDD(base="dkd", beta=Float(1, 8)),
    ),
    training=Training(lr=LogFloat(0.01, 0.2), weight_decay=LogFloat(1e-4, 2e-3)),
    budget=Budget(trials=24),
    confirm=Confirm(best=1, paper=False, seeds=5),
)
