"""Every shipped space loads in milliseconds without torch, resolves, and begins with the paper's settings."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from optuna.storages import InMemoryStorage

from study.loading import load_space
from study.plan.plan import Plan
from study.plan.resolve import resolve
from study.plan.trial import PlannedTrial
from study.search.history import SearchHistory
from study.search.optuna_searcher import OptunaSearcher
from study.spec import Data, Distillation, Pair, StudySpec
from study.spec import published as paper
from trainables.config import Teacher
from trainables.data import prepare
from trainables.data.registry import SOURCES
from trainables.engine.runtime import Runtime
from trainables.models import build
from trainables.storage.run_store import RunStore
from trainables.teacher.importing import file_teacher
from trainables.training.loop import run_trial

SPACES = Path(__file__).parents[2] / "search_spaces"
NAMES = sorted(path.stem for path in SPACES.glob("*.py") if not path.stem.startswith("_"))
SECONDS = 0.25
"""Far more than a space takes to load (milliseconds), far less than an import of torch does (seconds)."""

LOAD_ALL = """
import json, sys, time
from study.loading import load_space
took = {}
for name in sys.argv[1:]:
    began = time.perf_counter()
    load_space(name)
    took[name] = time.perf_counter() - began
heavy = [m for m in ("torch", "numpy", "ray", "optuna", "pandas", "mlflow") if m in sys.modules]
print(json.dumps([took, heavy]))
"""

SMALLEST = {
    "cifar_pairs": Pair("wrn_40_2", "vgg8"),
    "cifar_same": Pair("resnet56", "resnet20"),
    "cub_pairs": Pair("resnet32x4", "ShuffleV1"),
    "imagenet": Pair("torchvision:resnet34", "torchvision:resnet18"),
    "ablation_knowledge": Pair("resnet32x4", "resnet8x4"),
    "ablation_scales": Pair("resnet32x4", "ShuffleV1"),
    "ablation_beta": Pair("resnet32x4", "ShuffleV1"),
    "features": Pair("resnet32x4", "resnet8x4"),
    "tiny_imagenet": Pair("resnet32x4", "resnet8x4"),
    "deploy_budget": Pair("resnet32x4", "resnet8x4"),
}


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spaces load although their data is not there."""
    monkeypatch.setattr("study.spec.validation.data.check", lambda data: None)


def make_files(place: Path) -> None:
    """Below ``place``, empty files where the shipped spaces look for their data."""
    for data in (load_space(name).data for name in NAMES):
        for item in (SOURCES[data.name].layout or ("",)) if data.root is not None else ():
            file = place / str(data.root) / item
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()


@pytest.mark.usefixtures("unchecked")
def test_every_space_loads_in_milliseconds_without_torch(tmp_path: Path) -> None:
    make_files(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", LOAD_ALL, *NAMES],
        cwd=tmp_path,
        env={"PYTHONPATH": str(SPACES.parent)},
        capture_output=True,
        text=True,
        check=True,
    )
    took, heavy = json.loads(done.stdout)
    assert sorted(took) == NAMES
    assert not heavy
    assert max(took.values()) < SECONDS, took


@pytest.mark.parametrize("name", NAMES)
def test_a_space_is_short_and_says_what_it_is_for(name: str) -> None:
    lines = (SPACES / f"{name}.py").read_text().splitlines()
    assert len(lines) < 60
    assert lines[0].startswith('"""')


def test_missing_data_is_one_line_that_says_what_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Exception, match=r"data.root: data/cifar100 does not exist; cifar100 needs") as caught:
        load_space("cifar_pairs")
    assert "\n" not in str(caught.value)


def on_made_data(name: str, request: pytest.FixtureRequest) -> StudySpec:
    """The shipped space on the made data set of the name it asks for."""
    spec = load_space(name)
    made: Data = request.getfixturevalue(spec.data.name)
    return dataclasses.replace(
        spec,
        data=dataclasses.replace(spec.data, root=made.root, validation=made.validation),
        methods=tuple(with_few_negatives(method) for method in spec.methods),
    )


def with_few_negatives(method: Any) -> Any:
    """``method`` with as many of CRD's negatives as a made data set has images for."""
    if not isinstance(method, Distillation):
        return method
    features = (
        dataclasses.replace(term, options={**term.options, "negatives": 16}) if term.name == "crd" else term
        for term in method.features
    )
    return dataclasses.replace(method, features=tuple(features))


def first_job(plan: Plan, teacher: Teacher) -> PlannedTrial:
    """The first trial of a search, or, where nothing is searched, the first configuration confirmed."""
    if not plan.search_spaces:
        pair = plan.spec.pairs[0]
        return plan.confirm_trials(plan.fixed_config(pair, plan.spec.methods[0], teacher), pair.label, "")[0]
    history = SearchHistory(plan, {pair.label: teacher for pair in plan.spec.pairs}, {})
    searcher = OptunaSearcher(plan.search_spaces[0], history, InMemoryStorage())
    planned = searcher.ask("first")
    assert planned is not None
    return planned


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("name", SMALLEST)
def test_the_first_trial_is_the_papers_and_trains(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    spec = on_made_data(name, request)
    pair = SMALLEST[name]
    assert pair in spec.pairs
    plan = resolve(dataclasses.replace(spec, pairs=(pair,)))
    store = RunStore(tmp_path / "store")
    form = plan.large_images(pair.teacher)
    network = build(pair.teacher, plan.num_classes, image_size=plan.image_size, large_images=form)
    teacher = file_teacher(store, pair.teacher, network.state_dict(), {})

    planned = first_job(plan, teacher)
    published = planned.config.method.logit
    assert published is not None
    base = paper.base_loss(published.base, pair.case(spec.data.name))
    assert published.scales == paper.scales(pair.case(spec.data.name), published.base)
    assert (published.complementary_weight, published.consistent_weight) == (paper.BETA, 1.0)
    assert (published.alpha, planned.config.method.ce_weight) == (base.alpha, base.ce_weight)
    assert published.options.items() >= base.options.items()

    short = dataclasses.replace(
        planned.config.training, epochs=1, batch_size=8, milestones=(), precision="float32"
    )
    config = dataclasses.replace(planned.config, training=short, fit="train", test="never")
    reports: list[dict[str, float]] = []
    run_trial(
        config,
        store,
        lambda config, device: prepare(plan.raw, plan.data, device, workers=0),
        reports.append,
        Runtime(torch.device("cpu")),
    )
    assert reports[-1]["train/loss_logit"] > 0
    assert "val/top1" in reports[-1]


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("name", SMALLEST)
def test_every_pair_of_a_space_resolves(name: str, request: pytest.FixtureRequest) -> None:
    spec = on_made_data(name, request)
    plan = resolve(spec)
    for pair in spec.pairs:
        for method in (method for method in spec.methods if method.searched):
            fixed = method.at_paper(pair.case(spec.data.name))
            assert not fixed.searched
        assert plan.teacher_trial(pair).config.student == pair.teacher


def test_the_papers_tables_have_their_pairs() -> None:
    """Counted by hand in the paper's Tables 1, 2, 3 to 5."""
    text = {name: (SPACES / f"{name}.py").read_text().count("Pair(") for name in NAMES}
    assert (text["cifar_pairs"], text["cifar_same"], text["cub_pairs"], text["imagenet"]) == (10, 6, 5, 2)
