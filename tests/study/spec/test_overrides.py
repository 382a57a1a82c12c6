"""What ``--set`` understands, and the line that the rest gets."""

from __future__ import annotations

from typing import Any

import pytest

from study.spec import ASHA, KD, Data, Float, Median, Pair, StudySpec
from study.spec.overrides import apply_override
from trainables.config.serialization import ConfigError

SPEC = StudySpec(data=Data(name="cluttered_digits"), pairs=(Pair("resnet8", "resnet8"),), methods=(KD(),))


@pytest.mark.parametrize(
    ("value", "expected"),
    [("ASHA(grace=3)", ASHA(grace=3)), ("Median()", Median()), ("None", None)],
)
def test_a_stopping_rule_is_written_as_in_a_space_file(value: str, expected: Any) -> None:
    assert apply_override(SPEC, f"search.stop={value}").search.stop == expected


def test_a_domain_is_written_as_in_a_space_file() -> None:
    assert apply_override(SPEC, "methods.0.alpha=Float(1, 2)").methods[0].alpha == Float(1, 2)


@pytest.mark.parametrize(
    ("override", "complaint"),
    [
        ("methods.0.alpha=Float(1, nan)", r"methods.0.alpha: Float: expected a number, .* got nan$"),
        ("methods.0.alpha=Float(1)", r"methods.0.alpha: Float: missing a required argument: 'high'; its"),
        ("methods.0.alpha=LogFloat(1, 1e999)", r"methods.0.alpha: range 1 to inf is not made of finite"),
        ("methods.0.alpha=Float(1, 8, log=2)", r"methods.0.alpha: log: expected True or False, got 2"),
        ("methods.0.warmup_epochs=Int(0, 2.5)", r"methods.0.warmup_epochs: range 0 to 2.5 is not .*whole"),
        ("search.stop=ASHA(gracee=3)", r"search.stop: ASHA has no field 'gracee'; did you mean 'grace'\?"),
        ("search.stop=ASHA(3)", r"search.stop: ASHA: too many positional arguments; its fields are grace, r"),
        ("search.stop=ASHA(grace=x)", r"search.stop: ASHA: grace: expected a number, .* got x$"),
        ("search.stop=ASHA(grace=2.5)", r"search.stop: grace: expected a whole number, got 2.5"),
        ("search.stop=ASHA(grace=True)", r"search.stop: grace: expected a whole number, got True"),
        ("search.stop=ASHA(grace=1e400)", r"search.stop: grace: expected a whole number, got inf"),
        ("search.stop=ASHA(**{'grace': 3})", r"search.stop: ASHA: '\*\*' is not read; write each field"),
        ("search.stop=ASHA(grace=1, grace=2)", r"search.stop: ASHA: grace is given twice"),
        ("search.stop=Median(min_trials=2.5)", r"search.stop: min_trials: expected a whole number, got 2.5"),
        ("search.stop=HyperBand(brackets=1.5)", r"search.stop: brackets: expected a whole number, got 1.5"),
        ("search.stop={'grace': 2.5}", r"search.stop.*grace: expected a whole number, got 2.5"),
        ("search.stop=ASHA(grace=", r"search.stop: expected ASHA or .*, got 'ASHA\(grace='"),
        ("budget={'trials': 2.5}", r"budget.trials: expected a whole number, got 2.5"),
        ("budget=Budget(trials=2.5)", r"budget: expected Budget, got 'Budget\(trials=2.5\)'"),
        ("search.stop=ASHA(grace=0)", r"search.stop: grace: 0 is"),
        ("budget.trials", r"write it as path=value"),
    ],
)
def test_what_cannot_be_read_is_said(override: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        apply_override(SPEC, override)


def test_numbers_too_large_and_texts_too_deep_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"budget.hours: expected a finite number, got 1000"):
        apply_override(SPEC, f"budget.hours=1{'0' * 400}")
    with pytest.raises(ConfigError, match=r"budget.trials: expected a whole number, got '----"):
        apply_override(SPEC, f"budget.trials={'-' * 100_000}1")
