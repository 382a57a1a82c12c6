"""Every network and every loss goes through a step: no tensor is on another device than its peers."""

from __future__ import annotations

import pytest
import torch

import trainables.models as models
from tests.fakecuda.engines import GPU, engine, inputs, runtime, train
from trainables.config import FeatureTerm, LogitTerm, Method
from trainables.engine.engine import Engine
from trainables.engine.evaluation import evaluate_due
from trainables.losses.catalog import FEATURE_LOSSES

NETWORKS = [name for name in models.names() if ":" not in name]
OPTIONS = {"crd": {"dim": 8, "negatives": 32}}
METHODS = {
    "ce": Method(),
    **{
        f"{base}-{agreement}-{scales}": Method(
            logit=LogitTerm(base=base, scales=scales, agreement=agreement, complementary_weight=2.0)
        )
        for base in ("kd", "dkd", "nkd")
        for agreement in ("released", "text")
        for scales in ((1,), (2,), (1, 2, 4))
    },
    **{
        name: Method(features=(FeatureTerm(name=name, weight=1.0, options=OPTIONS.get(name, {})),))
        for name in FEATURE_LOSSES
    },
}


def everything_is_on_the_device(built: Engine) -> None:
    for module in (built.student, built.criterion):
        for tensor in (*module.parameters(), *module.buffers()):
            assert tensor.device.type == "cuda"
    for momentum in built.optimizer.state_dict()["momenta"]:
        assert momentum is None or momentum.device.type == "cuda"


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_trains_and_is_evaluated(name: str) -> None:
    of, on = inputs(student=name), runtime()
    built = engine(of, on)
    train(built, of.data)
    evaluate_due(of.config, built.student.network, of.data, 1, on)
    everything_is_on_the_device(built)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_trains(name: str) -> None:
    of = inputs(METHODS[name])
    built = engine(of)
    train(built, of.data)
    everything_is_on_the_device(built)
    assert torch.cuda.current_device() == (GPU.index or 0)
