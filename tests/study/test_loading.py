"""Space files: what loads, and the one line each wrong one gets."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from study.errors import SpecError
from study.loading import load_space
from study.spec import ASHA
from study.spec.domains import Choice, Float

Write = Callable[..., Path]


def test_a_space_loads_with_its_fields_converted(space: Write) -> None:
    spec = load_space(space("my study"))
    assert spec.name == "my-study"
    assert isinstance(spec.pairs, tuple)
    assert spec.search.stop == ASHA(grace=1, reduction=2)
    assert [method.label for method in spec.methods] == ["KD", "SDD"]


@pytest.mark.parametrize(("file", "name"), [("größe", "gr--e"), ("实验2", "2"), ("_a", "_a")])
def test_a_study_has_the_letters_of_its_files_name(space: Write, file: str, name: str) -> None:
    assert load_space(space(file)).name == name


@pytest.mark.parametrize("file", ["实验", "实_验", "__"])
def test_a_file_without_such_letters_says_how_to_name_the_study(space: Write, file: str) -> None:
    path = space(file)
    with pytest.raises(SpecError, match=r"name: missing; StudySpec\(name=...\), or --name, names the folder"):
        load_space(path)
    assert load_space(path, ["name=first"]).name == "first"


def test_a_shipped_space_loads_by_name() -> None:
    assert load_space("quickstart").name == "quickstart"


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("budget.trials=7", ("budget", "trials"), 7),
        ("training.lr=1", ("training", "lr"), 1.0),
        ("pairs.0.student=resnet20", ("pairs", 0, "student"), "resnet20"),
        ("search.stop=None", ("search", "stop"), None),
        ("methods.1.beta=Float(1, 8)", ("methods", 1, "beta"), Float(1, 8)),
        ("methods.1.scales=Choice((1, 2), (1, 4))", ("methods", 1, "scales"), Choice((1, 2), (1, 4))),
        ("data.options.scenes=200", ("data", "options", "scenes"), 200),
        ("name=other", ("name",), "other"),
    ],
)
def test_an_override_replaces_one_field(
    space: Write, override: str, path: tuple[str | int, ...], value: object
) -> None:
    spec: object = load_space(space(), [override])
    for step in path:
        spec = spec[step] if isinstance(spec, (tuple, dict)) else getattr(spec, str(step))  # type: ignore[call-overload,index]
    assert spec == value
    assert type(spec) is type(value)


@pytest.mark.parametrize(
    ("override", "part"),
    [
        ("budget.trails=7", r"budget.trails: unknown field 'trails'; did you mean 'trials'"),
        ("budget.trials=many", r"budget.trials: expected a whole number, got 'many'"),
        ("budget.trials=0", r"budget.trials: 0 is fewer than 1"),
        ("search.sampler=tpee", r"search.sampler: 'tpee' is not one of"),
        ("search.stop.grace=0", r"search.stop.grace: 0 is fewer"),
        ("training.lr=-1", r"training.lr: -1.0 is not above 0"),
        ("training.lr=1e999", r"training.lr: expected a finite number"),
        ("data.validation=1.5", r"data.validation: 1.5 is not between"),
        ("data.name=cifar1000", r"data.name: unknown data set 'cifar1000'; did you mean 'cifar100'"),
        ("data.options.scenes=5", r"data.options.scenes: 5 is below"),
        ("data.options.scens=500", r"data.options.scens: unknown option; did you mean 'scenes'"),
        ("pairs.2.student=resnet20", r"pairs.2.student: '2' is not an index below 2"),
        ("pairs.0.student=resnet21", r"pairs.0.student: unknown network 'resnet21'"),
        ("pairs.0.weights=nowhere.pth", r"pairs.0.weights: no file nowhere.pth"),
        ("methods.1.beta=Float(8, 1)", r"range 8 to 1 is the wrong way round"),
        ("methods.1.beta=Float(-1, 8)", r"methods.1.beta: -1.* is below 0"),
        ("methods.1.alpha=Float(-1, 8)", r"methods.1.alpha: -1.0 is below 0"),
        ("methods.1.scales=(1, 1)", r"methods.1.scales: .*repeats one"),
        ("methods.1.scales=Choice((1, 2), (0,))", r"methods.1.scales: .*positive"),
        ("methods.1.base=kld", r"methods.1.base: logit loss 'kld' is unknown"),
        (
            "methods.1.options={'kd': {'temprature': 1.0}}",
            r"methods.1.base: kd: option 'temprature' is unknown",
        ),
        ("methods.1.reduction=max", r"methods.1.reduction: 'max' is not one of 'mean', 'sum'"),
        ("search", r"write it as path=value"),
        ("name=a/b", r"name: 'a/b' may hold letters"),
    ],
)
def test_a_wrong_override_gets_one_line_that_names_the_field(space: Write, override: str, part: str) -> None:
    with pytest.raises(SpecError, match=part) as caught:
        load_space(space(), [override])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("STUDY = (", r"line 1: '\(' was never closed"),
        ("import nothing_of_that_name", r"line 1: ModuleNotFoundError"),
        ("x = 1", r"defines no STUDY"),
        ("STUDY = 3", r"STUDY is no StudySpec but of type int"),
        ("from study.spec import *\nData(nam='x')", r"line 2: Data has no field 'nam'; did you mean 'name'"),
        ("from study.spec import *\nTraining(lr=0)", r"line 2: lr: 0 is not above 0"),
        ("from study.spec import *\n\nFloat(3, 2)", r"line 3: range 3 to 2 is the wrong way round"),
        (
            "from study.spec import *\ntraining = dict(training=Training(lr=LogFloat(0, 1)))",
            r"line 2: training.lr: a logarithmic range cannot start at 0",
        ),
        (
            "from study.spec import *\nPair('a', 'b', training={'lr': LogFloat(0, 1)})",
            r"line 2: training.lr: a logarithmic range cannot start at 0",
        ),
        ("from study.spec import *\nBudget(trials='x')", r"line 2: trials: expected a whole number, got 'x'"),
        ("1 / 0", r"line 1: ZeroDivisionError"),
        ("raise SystemExit", r"line 1: SystemExit"),
    ],
)
def test_a_broken_file_gets_one_line_with_the_line_number(tmp_path: Path, text: str, part: str) -> None:
    file = tmp_path / "broken.py"
    file.write_text(text)
    with pytest.raises(SpecError, match=part) as caught:
        load_space(file)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == [file], "loading left something behind"


def test_a_missing_file_names_the_spaces_there_are() -> None:
    with pytest.raises(SpecError, match="did you mean 'quickstart'"):
        load_space("quickstrat")


def test_loading_imports_no_torch_and_no_ray() -> None:
    code = (
        "import sys; from study.loading import load_space; load_space('quickstart');"
        "sys.exit(', '.join({'torch', 'ray', 'mlflow', 'optuna', 'pandas'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
