"""The quickstart study as it was first: its trials have the keys under which users filed them."""

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
    data=Data(name="cluttered_digits", validation=0.2, options={"scenes": 1600}),
    pairs=(Pair("resnet20", "resnet8"), Pair("resnet20", "wrn_10_1")),
    methods=(
        KD(),
        SDD(
            base=Choice("kd", "dkd"),
            alpha=LogFloat(0.25, 4),
            beta=Float(1, 8),
            scales=Choice((1, 2), (1, 4), (1, 2, 4)),
            warmup_epochs=0,
        ),
    ),
    training=Training(epochs=10, batch_size=32, lr=0.05, schedule="cosine", lr_warmup_epochs=1),
    search=Search(pairs="search", stop=ASHA(grace=3, reduction=2)),
    budget=Budget(trials=12),
    confirm=Confirm(best=1, paper=False, seeds=3),
)
