"""Every network and every loss goes through a step: no tensor is on another device than its peers."""

from __future__ import annotations

import pytest
import torch

import trainables.models as models
from tests.fakecuda.engines import GPU, engine, inputs, runtime, train
from trainables.config import FeatureTerm, LogitTerm, Method
from trainables.engine.engine import Engine
from trainables.engine.evaluation import evaluate_due
from trainables.engine.process_cache import ProcessCache
from trainables.losses import logit_loss_names
from trainables.losses.catalog import FEATURE_LOSSES

NETWORKS = [name for name in models.names() if ":" not in name]
OPTIONS = {"crd": {"dim": 8, "negatives": 32}}
METHODS = {
    "ce": Method(),
    **{
        f"{base}-{agreement}-{scales}": Method(
            logit=LogitTerm(base=base, scales=scales, agreement=agreement, complementary_weight=2.0)
        )
        for base in logit_loss_names()
        for agreement, scales in (("released", (1,)), ("released", (1, 2, 4)), ("text", (2,)))
    },
    **{
        name: Method(features=(FeatureTerm(name=name, weight=1.0, options=OPTIONS.get(name, {})),))
        for name in FEATURE_LOSSES
    },
}


cache = ProcessCache()
"""All methods are of one student, whose network is compiled once."""


def refuse(line: str) -> None:
    """Nothing is said of a trial that goes as asked for."""
    raise AssertionError(line)


def everything_is_on_the_device(built: Engine) -> None:
    for module in (built.student, built.criterion):
        for tensor in (*module.parameters(), *module.buffers()):
            assert tensor.device.type == "cuda"
    for momentum in built.optimizer.state_dict()["momenta"]:
        assert momentum is None or momentum.device.type == "cuda"


MODES = [
    pytest.param({"compile_mode": "eager"}, id="eager"),
    pytest.param({"compile_mode": "compiled"}, id="compiled", marks=pytest.mark.slow),
]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_trains_and_is_evaluated(name: str, mode: dict[str, str]) -> None:
    of, on = inputs(student=name), runtime(**mode, log=refuse)
    built = engine(of, on)
    assert (built.compiled is not None) == (mode["compile_mode"] == "compiled")
    train(built, of.data)
    evaluate_due(of.config, built.student.network, of.data, 1, on)
    everything_is_on_the_device(built)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", METHODS)
def test_a_method_trains(name: str, mode: dict[str, str]) -> None:
    of = inputs(METHODS[name])
    built = engine(of, runtime(**mode, log=refuse, process_cache=cache))
    train(built, of.data)
    everything_is_on_the_device(built)
    assert torch.cuda.current_device() == (GPU.index or 0)
