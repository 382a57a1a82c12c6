"""Images that are read from files in each epoch: the step that takes a batch of them is one CUDA graph."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import made
from tests.fakecuda.counters import Counted, refuse_captures
from tests.fakecuda.engines import GPU, engine, inputs, runtime, train
from tests.trainables.teacher.test_streamed import SIDE, filed
from trainables.config import Data, FeatureTerm, LogitTerm, Method
from trainables.data import load
from trainables.engine.engine import Engine
from trainables.engine.runtime import CachePolicy, Runtime, TrialInputs
from trainables.teacher.streamed import StreamedTeacher

LAUNCHES = 60
"""Most kernels of a step beside its graph: crops are resized, outputs looked up, the batch handed over."""

METHODS = {
    "remembered": Method(logit=LogitTerm(scales=(1, 2), complementary_weight=2.0)),
    "plain": Method(),
    "live teacher": Method(features=(FeatureTerm(name="fitnet", weight=1.0),)),
}


def pictures(each: int) -> TrialInputs:
    """A trial on so many images of each class: 100 are a whole batch of 64 and a smaller one, 300 four."""
    root = Path(tempfile.mkdtemp())
    for label in range(made.CLASSES):
        for number in range(2 * each + 1):
            path = root / ("train" if number else "test") / f"{label:03}" / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((120, 130, 3), label, np.uint8)).save(path)
    folder = Data(name="folder", root=str(root), validation=0.5, options={"size": SIDE})
    data = load(folder, GPU, workers=2)
    assert len(data.train) == made.CLASSES * each
    of = inputs(epochs=2)
    teacher = filed(of.store, made.CLASSES, SIDE)
    return dataclasses.replace(of, data=data, config=dataclasses.replace(of.config, teacher=teacher))


def of_method(of: TrialInputs, method: Method) -> TrialInputs:
    """The same trial by another method."""
    return dataclasses.replace(of, config=dataclasses.replace(of.config, method=method))


def recording() -> Runtime:
    return runtime(compile_mode="auto", cache_policy=CachePolicy(1 << 32))


def is_recorded(built: Engine) -> bool:
    return built.whole is not None and built.whole.work.recorded


@pytest.mark.parametrize("name", METHODS)
def test_a_step_is_one_graph_for_the_batch_that_is_handed_over(name: str) -> None:
    def second_epoch(each: int) -> Counted:
        of = of_method(pictures(each), METHODS[name])
        built = engine(of, recording())
        assert is_recorded(built)
        train(built, of.data)
        with Counted() as counted:
            built.train_epoch(of.data.train, 1, seed=0)  # whose outputs are remembered
        return counted

    few, many = second_epoch(1), second_epoch(3)
    assert many.graph_launches - few.graph_launches == 3
    assert many.captures == 0
    assert (many.launches - few.launches) / 3 <= LAUNCHES


def test_another_trial_takes_the_recording_over() -> None:
    of, process = pictures(1), recording()
    first = engine(of, process)
    train(first, of.data)
    config = dataclasses.replace(of.config, seed=1)
    with Counted() as counted:
        second = engine(dataclasses.replace(of, config=config), process)
        train(second, of.data)
    assert counted.captures == 0
    assert second is first
    assert isinstance(second.teacher, StreamedTeacher)
    assert second.teacher.views.source.shown[1] == 1, "it looks up what its own seed shows"


def test_a_refused_recording_ends_in_steps_that_are_launched() -> None:
    lines: list[str] = []
    of = pictures(1)
    refuse_captures(True)
    try:
        built = engine(of, dataclasses.replace(recording(), log=lines.append))
    finally:
        refuse_captures(False)
    assert not is_recorded(built)
    assert len(lines) == 1
    train(built, of.data)
