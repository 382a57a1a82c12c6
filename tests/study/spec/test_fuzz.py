"""Whatever stands in a space, an override or a command line: a valid spec, or one line that says why not.

Each example is run in this process; nothing may reach the disk when it is refused.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from study import launch
from study.errors import SpecError
from study.loading import load_space
from study.spec import StudySpec
from tests.study.conftest import SPACE
from tests.study.plan.test_golden_keys import Drawn, plan_of
from trainables.config import Teacher, Training, TrialConfig
from trainables.config.serialization import field_types, to_plain

FAST = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
    database=None,
)


def examples(number: int) -> settings:
    """So many examples, the same in each run."""
    return settings(FAST, max_examples=number)


TOP = list(field_types(StudySpec))


def fields(kind: Any, prefix: str) -> Iterator[str]:
    """Paths of the fields of a dataclass, one level deeper where they hold one."""
    for name, hint in field_types(kind).items():
        yield f"{prefix}{name}"
        if dataclasses.is_dataclass(hint):
            yield from fields(hint, f"{prefix}{name}.")


PATHS = [
    *fields(StudySpec, ""),
    "search.stop.grace",
    "search.stop.reduction",
    "pairs.0.student",
    "pairs.1.weights",
]
PATHS += [
    "pairs.0.training",
    "methods.0",
    "methods.1.alpha",
    "methods.1.base",
    "methods.1.scales",
    "methods.1.options",
]
PATHS += ["methods.1.features", "data.options.scenes", "data.classes"]
TRAINED = ["training.", "pairs.0.training.", "methods.1.training.", "data."]
OPEN_PATHS = [
    f"{place}{name}" for place in TRAINED for name in (*field_types(Training), "augment", "augment_strength")
]
PATHS += OPEN_PATHS
NUMBERS = st.one_of(st.integers(), st.integers(-2, 5), st.floats(), st.floats(0, 1))
SCALARS = st.one_of(
    NUMBERS, st.booleans(), st.none(), st.text(max_size=8), st.sampled_from(["kd", "dkd", "tpe", "val/top1"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(tuple),
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from([*TOP, "beta", "kd", "grace", "x"]), inner, max_size=2),
    ),
    max_leaves=4,
)
DOMAINS = st.one_of(
    st.builds("{}({!r}, {!r})".format, st.sampled_from(["Float", "Int", "LogFloat"]), SCALARS, SCALARS),
    st.builds("Float({!r}, {!r}, step={!r})".format, NUMBERS, NUMBERS, NUMBERS),
    st.lists(SCALARS, max_size=3).map(lambda options: f"Choice({', '.join(map(repr, options))})"),
)
TEXTS = st.one_of(VALUES.map(repr), DOMAINS, st.text(max_size=12))
OVERRIDES = st.one_of(
    st.builds("{}={}".format, st.sampled_from(PATHS), TEXTS),
    st.builds("{}.{}={}".format, st.sampled_from(PATHS), st.sampled_from([*TOP, "0", "-1", "", "é"]), TEXTS),
    st.text(max_size=20),
)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A space file that is right."""
    made = tmp_path_factory.mktemp("fuzz") / "small.py"
    made.write_text(SPACE.format(extra=""))
    return made


@contextmanager
def untouched(folder: Path) -> Iterator[None]:
    """Nothing in ``folder`` changes."""
    before = {path: path.read_bytes() if path.is_file() else b"" for path in folder.rglob("*")}
    yield
    after = {path: path.read_bytes() if path.is_file() else b"" for path in folder.rglob("*")}
    assert after == before


def outcome(file: Path, *overrides: str) -> StudySpec | str:
    """The spec, or the message of the :class:`SpecError`; anything else is a fault."""
    with untouched(file.parent):
        try:
            spec = load_space(file, overrides)
        except SpecError as error:
            said = str(error)
        else:
            said = ""
    if said:
        assert "\n" not in said
        return said
    json.dumps(to_plain(spec), allow_nan=False)
    assert load_space(file, overrides) == spec
    return spec


@examples(80)
@given(st.lists(OVERRIDES, min_size=1, max_size=3))
def test_an_override_gives_a_spec_or_names_the_field(file: Path, overrides: list[str]) -> None:
    found = outcome(file, *overrides)
    if isinstance(found, str):
        assert found.startswith(f"{file}: ")
        named = [override.partition("=")[0].strip().split(".")[0] for override in overrides]
        said = found.removeprefix(f"{file}: ")
        assert said.startswith("--set") or any(said.startswith(name) for name in [*named, *TOP]), said


GOOD_DOMAINS = st.sampled_from(
    [
        "LogFloat(0.01, 0.2)",
        "Float(0, 1, step=0.5)",
        "Float(-1, 1)",
        "Int(2, 8)",
        "Int(0, 3, log=False)",
        "Choice(True, False)",
        "Choice(0.1, 2)",
        "Choice('step', 'cosine')",
        "Choice('standard', 'none')",
        "Choice((1,), (1, 2))",
        "Choice(None, 1)",
    ]
)


@examples(80)
@given(st.lists(st.tuples(st.sampled_from(OPEN_PATHS), GOOD_DOMAINS), min_size=1, max_size=3), st.booleans())
def test_a_domain_in_the_training_gives_trials_or_names_the_field(
    file: Path, opened: list[tuple[str, str]], stopped: bool
) -> None:
    overrides = [f"{path}={text}" for path, text in opened]
    found = outcome(file, *overrides, *([] if stopped else ["search.stop=None"]))
    if isinstance(found, str):
        said = found.removeprefix(f"{file}: ")
        assert any(path.rpartition(".")[2] in said.split(":")[0] for path, _ in opened), said
        return
    plan = plan_of(found)
    teacher = Teacher(name="resnet20", weights="0" * 64)
    for space in plan.search_spaces:
        for seed in range(3):
            pair, method = space.suggest(Drawn(seed))
            config = plan.search_trial(space, pair, method, teacher).config
            assert (
                TrialConfig.from_dict(json.loads(json.dumps(config.to_dict()))).trial_key == config.trial_key
            )
        space.paper_point(space.pairs[0])


@examples(60)
@given(st.sampled_from(TOP), st.one_of(VALUES.map(repr), DOMAINS))
def test_a_field_of_the_file_gives_a_spec_or_is_named(file: Path, name: str, text: str) -> None:
    changed = file.with_name("changed.py")
    body = SPACE.format(extra="").rstrip().rstrip(")")
    known = body[body.index(f"    {name}=") :].splitlines()[0] if f"    {name}=" in body else None
    body = body.replace(f"{known}\n", "") if known else body
    changed.write_text(f"from math import inf, nan\n{body}    {name}={text},\n)\n")
    found = outcome(changed)
    if isinstance(found, str):
        assert found.startswith(str(changed))
        assert name in found or "line" in found


@examples(30)
@given(st.text(max_size=80))
def test_any_text_as_a_space_file_gives_one_line(file: Path, text: str) -> None:
    changed = file.with_name("changed.py")
    changed.write_text(text, errors="replace")
    assert isinstance(outcome(changed), str)


WORDS = st.one_of(
    st.sampled_from(
        ["--space", "--set", "--results", "--name", "--stages", "--dry-run", "--address", "=", "--"]
    ),
    st.text(st.characters(exclude_characters="\0"), max_size=10),
)


@examples(60)
@given(st.lists(WORDS, max_size=5))
def test_any_command_line_of_launch_ends_with_a_code_and_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with untouched(tmp_path):
        code, said = call(words)
    assert code in (0, 2), said
    assert "Traceback" not in said
    assert code == 0 or said.count("error: ") == 1, said


@examples(20)
@given(st.lists(OVERRIDES, min_size=1, max_size=2), st.text(max_size=6))
def test_launch_refuses_in_one_line_and_leaves_nothing(
    file: Path, tmp_path: Path, overrides: list[str], name: str
) -> None:
    words = [word for override in overrides for word in ("--set", override)]
    with untouched(tmp_path):
        code, said = call(
            [
                "--space",
                str(file),
                "--results",
                str(tmp_path / "results"),
                f"--name={name}",
                "--stages=none",
                *words,
            ],
        )
    assert code == 2, said
    assert "Traceback" not in said
    assert said.splitlines()[-1].count("error: ") == 1, said


def call(words: list[str]) -> tuple[int, str]:
    """Exit code of a launch, and all that it printed."""
    said = StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        try:
            code = launch.main(words)
        except SystemExit as stopped:  # argparse's way
            code = stopped.code
    return int(code or 0), said.getvalue()
