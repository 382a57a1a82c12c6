"""Tables 3 and 4: ImageNet, ResNet34-ResNet18 and ResNet50-MobileNetV1.

Teachers as torchvision publishes them: --set pairs.0.weights=resnet34-b627a593.pth, and pairs.1.weights for
ResNet50; without them, teachers are trained first. --set resources.workers_per_trial=4 trains each trial on
four devices, with the curve of one (docs/multi_device.md).
"""

from study.spec import (
    ASHA,
    PAPER_METHODS,
    SDD,
    Budget,
    Confirm,
    Data,
    Float,
    LogFloat,
    Pair,
    Resources,
    Search,
    StudySpec,
    Supervised,
)
from study.spec import published as paper

STUDY = StudySpec(
    data=Data(name="imagenet", root="data/imagenet", validation=0.04),
    pairs=(
        Pair("torchvision:resnet34", "torchvision:resnet18"),
        Pair("torchvision:resnet50", "MobileNetV1"),
    ),
    methods=(
        Supervised(),
        *PAPER_METHODS,
        SDD(base="dkd", alpha=LogFloat(0.5, 2), beta=Float(1, 4), options={"dkd": {"beta": Float(0.25, 4)}}),
    ),
    training=paper.TRAINING["imagenet"],
    search=Search(stop=ASHA(grace=10, reduction=3)),
    budget=Budget(trials=9),
    confirm=Confirm(seeds=1, watch_test=True),
    resources=Resources(cpus_per_trial=12),
)
