"""Each logit loss plain, standardised and decoupled, tuned alike: which gain by decoupling?

Every form of every loss gets the same trials over its weight, from a quarter to four times the published one,
and the best of each is confirmed over seeds. The report's league table has the losses down, the forms across.
"""

from study.spec import (
    SDD,
    Budget,
    Confirm,
    Data,
    Distillation,
    LogFloat,
    Pair,
    Search,
    StudySpec,
    Training,
    plain,
    published,
)

PAIR = Pair("resnet20", "resnet8")


def forms(base: str) -> list[Distillation]:
    """Return the four forms of ``base``, each with its weight to be searched."""
    tuned = []
    for standardize in ("no", "region"):
        weight = published.base_loss(base, PAIR.case("cluttered_digits"), standardize).alpha
        alpha = LogFloat(weight / 4, weight * 4)
        for make in (plain, SDD):
            tuned.append(make(base=base, standardize=standardize, alpha=alpha, warmup_epochs=0))
    return tuned


STUDY = StudySpec(
    data=Data(name="cluttered_digits", validation=0.2, options={"scenes": 1600}),
    pairs=(PAIR,),
    methods=tuple(form for base in published.BASE_LOSSES for form in forms(base)),
    training=Training(epochs=10, batch_size=32, lr=0.05, schedule="cosine", lr_warmup_epochs=1),
    search=Search(stop=None),
    budget=Budget(trials=8),
    confirm=Confirm(best=1, paper=False, seeds=3),
)
