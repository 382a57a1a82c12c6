from __future__ import annotations

import doctest
import importlib
import importlib.util
import subprocess
import sys
from typing import Any

import pytest

import trainables.losses as losses
from trainables.losses import LossError, check_logit_loss, check_scale_decoupled, register_logit_loss
from trainables.losses.registry import logit_loss_fingerprint


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("kdd", {}, r"logit loss 'kdd' is unknown; known: abkd, crld, dist, dkd, .*did you mean"),
        ("kd", {"temprature": 4}, r"kd: option 'temprature' is unknown; known: temperature.*'temperature'\?"),
        ("kd", {"temperature": 0}, r"kd\.temperature: 0 is not allowed.*greater than 0"),
        ("kd", {"temperature": "4"}, r"kd\.temperature: '4'.*a finite number"),
        ("kd", {"temperature": True}, r"kd\.temperature: True"),
        ("kd", {"temperature": float("nan")}, r"kd\.temperature: nan"),
        ("dkd", {"beta": -1}, r"dkd\.beta: -1.*at least 0"),
        ("nkd", {"gamma": float("inf")}, r"nkd\.gamma: inf"),
        ("gdkd", {"top": 0}, r"gdkd\.top: 0 is not allowed.*at least 1"),
        ("gdkd", {"top": 2.5}, r"gdkd\.top: 2\.5.*an integer"),
        ("ldrld", {"top": 1}, r"ldrld\.top: 1 is not allowed.*at least 2"),
        ("ofa", {"exponent": 0}, r"ofa\.exponent: 0 is not allowed.*greater than 0"),
        ("nkd", {"as_released": 1}, r"nkd\.as_released: 1.*True or False"),
    ],
)
def test_what_cannot_be_used_is_named(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(LossError, match=message):
        check_logit_loss(name, options)
    with pytest.raises(ValueError, match=message):
        losses.logit_loss(name, **options)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("reduction", "median"),
        ("agreement", "maybe"),
        ("standardize", "global"),
        ("consistent_weight", -0.5),
        ("complementary_weight", float("nan")),
        ("beta", 2.0),
    ],
)
def test_scale_decoupled_options_are_checked(option: str, value: Any) -> None:
    with pytest.raises(LossError, match=option):
        check_scale_decoupled({option: value})


def test_checked_options_are_complete_and_of_their_kind() -> None:
    checked = check_logit_loss("dkd", {"beta": 6})
    assert checked == {"alpha": 1.0, "beta": 6.0, "temperature": 4.0}
    assert all(type(value) is float for value in checked.values())
    assert check_scale_decoupled({"reduction": "sum"}) == {
        "consistent_weight": 1.0,
        "complementary_weight": 2.0,
        "reduction": "sum",
        "agreement": "released",
        "standardize": "no",
    }


def test_options_of_a_registered_loss_come_from_its_signature() -> None:
    @register_logit_loss("mine")
    def mine(student: Any, teacher: Any, target: Any, *, power: int = 2, scale: float = 1) -> Any: ...

    assert check_logit_loss("mine", {"scale": 3}) == {"power": 2, "scale": 3.0}
    with pytest.raises(LossError, match=r"mine: option 'temperature' is unknown; known: power, scale"):
        check_logit_loss("mine", {"temperature": 1.0})
    with pytest.raises(LossError, match=r"mine\.power: 1\.5.*an integer"):
        check_logit_loss("mine", {"power": 1.5})


def test_functions_that_cannot_be_a_loss_are_refused() -> None:
    def no_default(student: Any, teacher: Any, target: Any, *, temperature: float) -> Any: ...
    def two(student: Any, teacher: Any) -> Any: ...
    def open_ended(student: Any, teacher: Any, target: Any, **options: Any) -> Any: ...

    with pytest.raises(LossError, match=r"'x'.*'temperature' needs a default"):
        register_logit_loss("x")(no_default)
    for function in (two, open_ended):
        with pytest.raises(LossError, match=r"must take \(student, teacher, target\)"):
            register_logit_loss("x")(function)
    assert "x" not in losses.logit_loss_names()


def test_names_are_not_taken_over() -> None:
    def other(student: Any, teacher: Any, target: Any) -> Any: ...

    with pytest.raises(LossError, match=r"'kd' is built in"):
        register_logit_loss("kd")(other)

    source = "def mine(student, teacher, target, *, {}=1.0): ...\nregister_logit_loss('mine')(mine)"
    for option, file in (("a", "one.py"), ("b", "one.py")):  # the same file, loaded again after an edit
        exec(compile(source.format(option), file, "exec"), {"register_logit_loss": register_logit_loss})
    assert check_logit_loss("mine") == {"b": 1.0}
    with pytest.raises(LossError, match=r"'mine' is already registered from one\.py"):
        register_logit_loss("mine")(other)


def test_a_fingerprint_tells_edits_apart(tmp_path: Any) -> None:
    prints: list[str | None] = []
    for body in ("student", "2 * student", "student"):
        file = tmp_path / f"space_{len(prints)}.py"
        file.write_text(f"def mine(student, teacher, target):\n    return {body}\n")
        spec = importlib.util.spec_from_file_location(file.stem, file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        register_logit_loss(f"mine_{len(prints)}")(module.mine)
        prints.append(logit_loss_fingerprint(f"mine_{len(prints)}"))
    assert prints[0] == prints[2] != prints[1]
    assert logit_loss_fingerprint("kd") is None


@pytest.mark.parametrize("module", ["registry", "logits", "warmup"])
def test_examples_in_docstrings(module: str) -> None:
    result = doctest.testmod(importlib.import_module(f"trainables.losses.{module}"))
    assert result.attempted > 0
    assert result.failed == 0


def test_checking_needs_no_torch() -> None:
    code = """
import sys
import trainables.losses as losses
@losses.register_logit_loss("mine")
def mine(student, teacher, target, *, temperature=2.0): ...
losses.check_logit_loss("mine", {"temperature": 1})
losses.check_logit_loss("nkd", {"as_released": True})
losses.check_scale_decoupled({"reduction": "sum"})
losses.linear_warmup(3, 20)
dir(losses)
assert "torch" not in sys.modules and "numpy" not in sys.modules
losses.scale_decoupled
assert "torch" in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_every_public_name_is_there() -> None:
    for name in losses.__all__:
        assert getattr(losses, name) is not None
    assert set(losses.__all__) <= set(dir(losses))
    with pytest.raises(AttributeError, match="no attribute 'scale_coupled'"):
        losses.scale_coupled  # type: ignore[attr-defined]  # noqa: B018
