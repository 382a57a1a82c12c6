"""A whole study in minutes, with no download and no GPU: cluttered digits, a teacher, a small student.

Does decoupling help a small network here, when cross-entropy, KD and SD-KD are tuned alike, by 8 trials each?
Sizes, rates and epochs were chosen in pilots on other scenes (``data.options.seed=7``), so that minutes are
enough: benchmarks/results/quickstart.md.
"""

from dataclasses import replace

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

TEACHER = Training(
    epochs=24,
    batch_size=16,
    optimizer="adamw",
    lr=0.004,
    weight_decay=0.02,
    schedule="cosine",
    lr_warmup_epochs=1,
)
STUDY = StudySpec(
    data=Data(
        name="cluttered_digits",
        validation=0.2,
        options={"scenes": 1000, "test": 2000, "size": 16, "distractors": 1},
    ),
    pairs=(Pair("wrn_10_2", "wrn_10_1"),),
    methods=(
        KD(alpha=LogFloat(0.25, 4)),
        SDD(
            alpha=LogFloat(0.25, 4),
            beta=Float(1, 8),
            scales=Choice((1, 2), (1, 4), (1, 2, 4)),
            warmup_epochs=0,
        ),
        Supervised(),
    ),
    training=replace(TEACHER, epochs=12, lr=LogFloat(0.003, 0.006)),
    teacher_training=TEACHER,
    search=Search(stop=ASHA(grace=4, reduction=3)),
    budget=Budget(trials=8),
    confirm=Confirm(best=1, paper=False, seeds=4),
)
