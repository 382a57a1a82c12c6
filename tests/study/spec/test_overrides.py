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
        ("methods.0.alpha=Float(1, nan)", r"methods.0.alpha: cannot read Float\(1, nan\)"),
        ("search.stop=ASHA(gracee=3)", r"search.stop: cannot read ASHA\(gracee=3\) .*gracee"),
        ("search.stop=ASHA(grace=0)", r"search.stop: grace: 0 is"),
        ("budget.trials", r"write it as path=value"),
    ],
)
def test_what_cannot_be_read_is_said(override: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        apply_override(SPEC, override)
