"""The rules are Optuna's pruners: the same trials are pruned after the same epochs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import optuna
import pytest
from scipy.stats import wilcoxon

from study.journal.curves import Floats
from study.search.early_stopping import StoppingRule
from study.simulation.optuna_pruners import PercentileRule, SuccessiveHalvingRule, WilcoxonRule
from study.simulation.replay import StopEarly, replay, replay_key
from study.simulation.signed_rank import SignedRankTests, p_of_beginnings, signed_rank_p
from tests.study.simulation.made_curves import EPOCHS, curves

RULES: dict[str, tuple[Callable[[], optuna.pruners.BasePruner], Callable[[Floats], StoppingRule]]] = {
    "median": (optuna.pruners.MedianPruner, lambda made: PercentileRule(EPOCHS, 50.0)),
    "percentile": (lambda: optuna.pruners.PercentilePruner(25.0), lambda made: PercentileRule(EPOCHS, 25.0)),
    "hyperband": (optuna.pruners.HyperbandPruner, lambda made: SuccessiveHalvingRule(EPOCHS)),
    "wilcoxon": (optuna.pruners.WilcoxonPruner, lambda made: WilcoxonRule(SignedRankTests(made, 0.1))),
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", RULES)
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_the_decisions_are_optunas(name: str, seed: int) -> None:
    made = curves(24, seed)
    pruner, rule = RULES[name][0](), RULES[name][1](made)
    study = optuna.create_study(direction="maximize", pruner=pruner)
    expected, keys = [], []
    for values in made:
        trial = study.ask()
        for epoch, value in enumerate(values, 1):
            trial.report(float(value), epoch)
            if epoch < EPOCHS and trial.should_prune():
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                break
        else:
            study.tell(trial, float(values[-1]))
        expected.append(epoch)
        keys.append(_key(pruner, study, trial.number))
    got = replay(made, StopEarly(rule, made, range(len(made)), keys)).epochs
    assert got.tolist() == expected
    assert len(set(expected)) > 1, "something is pruned, something is not"


def _key(pruner: optuna.pruners.BasePruner, study: optuna.Study, number: int) -> str:
    """A key whose draw is the bracket that Optuna gave the trial."""
    if not isinstance(pruner, optuna.pruners.HyperbandPruner) or not pruner._n_brackets:
        return replay_key(0, number)
    frozen = study.trials[number]
    sizes = pruner._trial_allocation_budgets
    bracket = pruner._get_bracket_id(study, frozen)
    draw = (sum(sizes[:bracket]) + sizes[bracket] / 2) / sum(sizes)
    return replay_key(int(draw * 16**8), number)


@pytest.mark.parametrize("decimals", [0, 1, 6])
@pytest.mark.parametrize("n", [2, 5, 8, 14, 50, 51, 120])
def test_the_signed_rank_test_is_scipys(n: int, decimals: int) -> None:
    differences = np.round(np.random.default_rng(n).normal(-0.3, size=n), decimals)
    differences[0] = -1.0
    expected = wilcoxon(differences, alternative="less", zero_method="zsplit").pvalue
    assert signed_rank_p(differences) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("decimals", [0, 1, 2, 6])
def test_every_beginning_is_tested_as_it_is_by_itself(decimals: int) -> None:
    differences = np.round(np.random.default_rng(decimals).normal(-0.2, size=80), decimals)
    found = p_of_beginnings(differences)
    for length in range(1, len(differences) + 1):
        if differences[:length].any():
            assert found[length - 1] == pytest.approx(signed_rank_p(differences[:length]), rel=1e-9)
