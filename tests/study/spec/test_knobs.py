"""A knob is declared once: one line in the table, beside the field of the data plane that uses it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from study.spec import SDD, Choice, Float
from study.spec.settings import settings_of
from trainables.config import ConfigError, Method
from trainables.config.serialization import to_plain

ROOT = Path(__file__).parents[3]

LINE = "    sharpness: float | Domain = knob(0.0, column=11)\n"
"""All that a new knob takes in the control plane."""

USED = "    sharpness: float = field(default=0.0, metadata=SINCE_LATER)\n"
"""The field of the data plane whose code would use it."""

SCRIPT = """
from study.results.frames import TRIAL_COLUMNS
from study.search.enqueue import EnqueueDomain, EnqueueTarget, point
from study.spec import SDD, Float
from study.spec.distillation import METHOD_KNOBS, Distillation
from study.spec.settings import settings_of
from study.spec.source_code import written
from study.spec.validation import check_method
from trainables.config import ConfigError
from trainables.config.serialization import to_plain

method = SDD(sharpness=Float(0, 4))
assert [name for name, _, _ in method.domains()] == ["sharpness"]
chosen = method.with_values({"sharpness": 2.5})
resolved = chosen.method()
assert resolved.logit.sharpness == 2.5
assert settings_of({"method": to_plain(resolved)})["sharpness"] == 2.5
assert Distillation.of(resolved).method() == resolved
assert "sharpness=2.5" in written(Distillation.of(resolved))
assert method.paper_point() == {"sharpness": 0.0}
assert method.point_at({"sharpness": 3}) == {"sharpness": 3.0}
assert "sharpness" in TRIAL_COLUMNS
domains = {name: EnqueueDomain(domain) for name, _, domain in method.domains()}
target = EnqueueTarget("p/SD-KD", "o", ("maximize",), ("p",), "SD-KD", ("kd",), domains)
assert point(target, ["sharpness=1.5"], None, None) == {"sharpness": 1.5}
try:
    check_method(SDD(sharpness="very"), "methods.0")
except ConfigError as error:
    assert str(error) == "methods.0.sharpness: expected a number, got 'very'", error
else:
    raise AssertionError("a text is no number")
"""


def test_a_new_knob_costs_one_line(tmp_path: Path) -> None:
    for package in ("study", "trainables"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name, before, line in (
        ("study/spec/distillation.py", "    features: tuple[Added, ...] = ()\n", LINE),
        ("trainables/config/method.py", "    warmup_epochs: int = 0\n", USED),
    ):
        file = tmp_path / name
        text = file.read_text()
        assert before in text
        file.write_text(text.replace(before, line + before, 1))
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SCRIPT)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_settings_are_read_under_the_names_of_a_search() -> None:
    method = SDD(base="dkd", beta=3.0, options={"dkd": {"beta": 6.0}}).method()
    found = settings_of({"method": to_plain(method)})
    assert (found["base"], found["beta"], found["dkd.beta"]) == ("dkd", 3.0, 6.0)
    assert "beta" not in settings_of({"method": to_plain(Method())})


def test_a_value_that_is_no_knob_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"gamma: not a knob"):
        SDD(alpha=Float(1, 2)).with_values({"gamma": 1.0})


def test_a_whole_number_among_the_options_is_found_as_the_float_that_a_configuration_holds() -> None:
    assert Choice(1, 2).stored(1.0) == "1"
    assert Choice(True, False).stored(1) is None
