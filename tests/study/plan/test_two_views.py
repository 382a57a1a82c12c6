"""A loss of two views in a space file: searched, planned, named and pinned as every other."""

from __future__ import annotations

from pathlib import Path

from study.estimate.probe import heaviest
from study.loading import load_space
from study.plan.plan import Plan
from study.plan.resolve import resolve
from study.spec import SDD, plain
from study.spec.distillation import Distillation
from study.spec.published import PaperCase
from study.spec.source_code import written
from trainables.config import Teacher

SPACE = """
from study.spec import *

STUDY = StudySpec(
    data=Data(name="cluttered_digits", options={"scenes": 100, "test": 100}),
    pairs=(Pair("resnet20", "resnet8"),),
    methods=(
        SDD(base="kd", scales=(1, 2, 4)),
        SDD(base=BASE, scales=(1, 2), options={"crld": {"across_weight": Float(0.1, 2)}}),
    ),
    training=Training(epochs=2),
)
"""


def planned(folder: Path, base: str) -> Plan:
    """The plan of a space whose second method has ``base``."""
    file = folder / "two_views.py"
    file.write_text(SPACE.replace("BASE", base))
    return resolve(load_space(file, ()))


def test_it_is_searched_beside_others_and_the_dry_run_says_what_its_teacher_does(tmp_path: Path) -> None:
    plan = planned(tmp_path, 'Choice("dkd", "crld")')
    assert plan.two_views
    assert "run on the strong view of each image too" in str(plan)
    (space,) = plan.search_spaces
    assert [each.name for each in space.dimensions()] == ["base", "crld.across_weight"]
    point = space.method.paper_point()  # type: ignore[union-attr]
    assert point is not None
    assert isinstance(space.method, Distillation)
    chosen = space.method.with_values({"base": "crld", "crld.across_weight": 1.5})
    config = plan.search_trial(space, plan.spec.pairs[0], chosen, Teacher(name="resnet20", weights="0" * 64))
    logit = config.config.method.logit
    assert logit is not None
    assert (config.method, logit.options["across_weight"]) == ("SD-CRLD", 1.5)


def test_without_one_nothing_is_said(tmp_path: Path) -> None:
    file = tmp_path / "one_view.py"
    file.write_text(
        SPACE.replace("BASE", '"kd"').replace(', options={"crld": {"across_weight": Float(0.1, 2)}}', "")
    )
    plan = resolve(load_space(file, ()))
    assert not plan.two_views
    assert "strong view" not in str(plan)


def test_the_heaviest_configuration_is_one_of_two_views(tmp_path: Path) -> None:
    plan = planned(tmp_path, '"crld"')
    config = heaviest(plan, plan.spec.pairs[0], Teacher(name="resnet20", weights="0" * 64))
    assert config.method.label == "SD-CRLD"


def test_published_settings_differ_by_data() -> None:
    for data, temperature, ce_weight in (("cifar100", 4, 1), ("tiny_imagenet", 2, 1), ("imagenet", 1, 2)):
        for made in (plain("crld"), SDD(base="crld")):
            method = made.method(PaperCase("resnet34", "resnet18", data))
            assert method.logit is not None
            assert (method.logit.options["temperature"], method.ce_weight) == (temperature, ce_weight)


def test_it_is_written_as_it_is_read() -> None:
    method = SDD(base="crld", scales=(1, 2), options={"crld": {"across_weight": 1.5}}).method()
    again = Distillation.of(method)
    assert again.method() == method
    assert "'across_weight': 1.5" in written(again) or '"across_weight": 1.5' in written(again)
