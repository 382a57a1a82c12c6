"""Methods given as functions of a trial, or as mappings: they load, search and resume like the rest."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from optuna.storages import InMemoryStorage

from study.errors import SpecError
from study.loading import load_space
from study.plan.plan import Plan
from study.plan.resolve import resolve
from study.spec.distillation import Distillation
from study.spec.published import PaperCase
from tests.study.conftest import SPACE
from tests.study.driving import TEACHER, Driven, keys
from trainables.config.serialization import to_plain

Write = Callable[..., Path]
FUNCTION = """
def space(trial):
    base = trial.suggest_categorical("base", ["kd", "dkd"])
    deep = base == "dkd" and trial.suggest_categorical("deep", ["no", "yes"]) == "yes"
    alpha = trial.suggest_float("alpha", 0.25, 4, log=True)
    return SDD(base=base, alpha=alpha, scales=(1, 2, 4) if deep else (1, 2))

"""


def with_function(folder: Path, function: str = FUNCTION, name: str = "made") -> Path:
    """A space file whose searched method is a function."""
    method = SPACE[SPACE.index("SDD(base=") : SPACE.index("],\n    training")]
    text = SPACE.replace(method, "space").format(extra="")
    file = folder / f"{name}.py"
    file.write_text(text.replace("STUDY =", f"{function}STUDY ="))
    return file


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return resolve(load_space(with_function(tmp_path), ["budget.trials=8", "search.sampler=random"]))


def test_a_function_is_a_method_with_domains(plan: Plan) -> None:
    method = plan.spec.methods[1]
    assert method.label == "space"
    assert {name: str(domain) for name, _, domain in method.domains()} == {
        "base": "Choice('kd', 'dkd')",
        "deep": "Choice('no', 'yes')",
        "alpha": "Float(low=0.25, high=4, log=True, step=None)",
    }
    found = [(m.base, m.scales, m.alpha) for m in method.variants()]
    assert len(found) == 6
    assert ("dkd", (1, 2, 4), 4.0) in found
    assert ("kd", (1, 2), 0.25) in found
    assert [space.label for space in plan.search_spaces] == ["pairs/space"]
    assert json.dumps(to_plain(plan.spec))


def test_it_is_searched_and_goes_on_after_a_crash_without_a_database(plan: Plan, tmp_path: Path) -> None:
    first = Driven(plan, tmp_path, InMemoryStorage())
    configs = [first.ask(str(n)) for n in range(4)]
    for n in range(2):
        first.end(str(n), 40.0, 50.0)
    first.close()
    again = Driven(plan, tmp_path, InMemoryStorage())
    assert again.search.left() == 6
    assert keys([again.ask("a"), again.ask("b")]) == keys(configs[2:])
    scales = {
        (planned.config.method.logit.base, planned.point.get("deep"), planned.config.method.logit.scales)
        for planned in [*first.planned_trials.values(), *again.planned_trials.values()]
        if planned.config.method.logit
    }
    assert scales <= {("kd", None, (1, 2)), ("dkd", "no", (1, 2)), ("dkd", "yes", (1, 2, 4))}
    assert again.history.of(plan.search_spaces[0])[0].key == first.planned_trials["0"].key


def test_the_papers_configuration_is_found_by_the_names_of_fields(plan: Plan) -> None:
    case = PaperCase("resnet8", "resnet8", "cluttered_digits")
    assert plan.spec.methods[1].paper_point(case) == {"base": "kd", "alpha": 0.9}
    logit = plan.fixed_config(plan.spec.pairs[1], plan.spec.methods[1], TEACHER).method.logit
    assert logit is not None
    assert (logit.base, logit.alpha, logit.complementary_weight, logit.scales) == ("kd", 0.9, 2.0, (1, 2))


def test_another_text_is_another_search(plan: Plan, tmp_path: Path) -> None:
    text = FUNCTION.replace("0.25, 4", "0.25, 8")
    other = resolve(load_space(with_function(tmp_path, text, "other"), ["budget.trials=8"]))
    assert other.search_spaces[0].fingerprint != plan.search_spaces[0].fingerprint
    before = Driven(plan, tmp_path, InMemoryStorage())
    before.ask("0")
    before.end("0", 40.0, 50.0)
    before.close()
    after = Driven(other, tmp_path, InMemoryStorage())
    assert len(after.history.of(other.search_spaces[0])) == 1, "what fits stays"


@pytest.mark.parametrize(
    ("body", "part"),
    [
        ("return 3", "space: gives 3, not a method such as SDD"),
        ("return SDD()", "space: asks its trial for nothing; give the method itself"),
        ("return SDD(beta=Float(1, 2))", "space: gives a method that has domains of its own"),
        ("return SDD(beta=trial.suggest_float('beta', 2, 1))", "space: range 2 to 1 is the wrong way round"),
        ("return SDD(beta=trial.nothing)", r"space: AttributeError: .*nothing"),
        ("return SDD(beta=trial.suggest_float('beta', -1, 1))", r"methods.1.beta: -1.0 is below 0"),
        ("return SDD(base=trial.suggest_categorical('base', ['kd', 'kld']))", r"methods.1.base: .*'kld'"),
    ],
)
def test_a_wrong_function_gets_one_line(tmp_path: Path, body: str, part: str) -> None:
    file = with_function(tmp_path, f"\ndef space(trial):\n    {body}\n\n")
    with pytest.raises(SpecError, match=part) as caught:
        load_space(file)
    assert "\n" not in str(caught.value)


def test_a_grid_over_a_function_needs_finite_domains(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"methods\.1\.alpha: a grid needs finite domains"):
        load_space(with_function(tmp_path), ["search.sampler=grid"])


def test_a_mapping_is_a_method_too(space: Write) -> None:
    mapping = {
        'SDD(base=Choice("kd", "dkd"), alpha=LogFloat(0.25, 4), scales=Choice((1, 2), (1, 2, 4)))': (
            '{"base": Choice("kd", "dkd"), "alpha": LogFloat(0.25, 4), "scales": Choice((1, 2), (1, 2, 4))}'
        )
    }
    plain, given = load_space(space()), load_space(space(**mapping))
    assert isinstance(given.methods[1], Distillation)
    assert given.methods == plain.methods
