"""Orders recorded configurations as a sampler of Optuna's would begin them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from study.errors import UserError
from study.journal.curves import Floats
from study.search.samplers import SAMPLERS

STARTUP = 10
"""Trials that are drawn at random before a model of the results is trusted, as a study of 40 trials has."""

LOG_FROM = 20.0
"""Ratio of a knob's largest value to its smallest from which it is searched on a log scale."""


class SamplerOrder(Iterator[int]):
    """Gives configurations as a sampler asks for them: each time the recorded one nearest to its proposal.

    A recorded point is given once. Nearness is the mean over knobs of the distance in ranks, 0 to 1, for
    numbers; 0 or 1 for categories, and where one of the two has not got the knob. Only where the points lie
    densely is this what the sampler would have found by itself.

    >>> points = [{"lr": 0.01}, {"lr": 0.05}, {"lr": 0.2}]
    >>> order = SamplerOrder(points, there=[0, 2], most=2, sampler="random", seed=0)
    >>> sorted(order)
    [0, 2]

    Args:
        points: what was searched, of each recorded configuration.
        there: which of them may be given.
        most: how many are given.
    """

    def __init__(
        self, points: Sequence[Mapping[str, Any]], there: Sequence[int], most: int, sampler: str, seed: int
    ) -> None:
        self._knobs = _distributions(points)
        if not self._knobs:
            raise UserError("--sampler: these curves do not say what was searched")
        self._points, self._left, self._most = points, list(there), most
        self._places = {name: _ranks([point.get(name) for point in points]) for name in self._knobs}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            made = SAMPLERS[sampler](seed, STARTUP)
            self._study = optuna.create_study(direction="maximize", sampler=made)
        self._asked: dict[int, optuna.Trial] = {}

    def __next__(self) -> int:
        if not self._left or not self._most:
            raise StopIteration
        trial = self._study.ask(self._knobs)
        apart = np.mean([self._apart(name, trial.params[name]) for name in self._knobs], axis=0)
        nearest = min(self._left, key=lambda number: (apart[number], number))
        self._left.remove(nearest)
        self._most -= 1
        self._asked[nearest] = trial
        return nearest

    def tell(self, number: int, value: float, whole: bool) -> None:
        """Tell the sampler of the recorded point, instead of its proposal, and how it ended."""
        self._study.tell(self._asked.pop(number).number, state=optuna.trial.TrialState.FAIL)
        point = self._points[number]
        knobs = {name: of for name, of in self._knobs.items() if name in point}
        state = optuna.trial.TrialState.COMPLETE if whole else optuna.trial.TrialState.PRUNED
        told = optuna.trial.create_trial(
            state=state,
            value=value,
            params={name: point[name] for name in knobs},
            distributions=knobs,
            intermediate_values={0: value},
        )
        self._study.add_trial(told)

    def _apart(self, name: str, proposed: Any) -> Floats:
        """Return how far each recorded point is from a proposal in one knob."""
        values = [point.get(name) for point in self._points]
        if isinstance(self._knobs[name], CategoricalDistribution):
            return np.array([float(value != proposed) for value in values])
        known = np.array([np.nan if value is None else float(value) for value in values])
        place = np.mean(known[~np.isnan(known)] < proposed)
        apart: Floats = np.nan_to_num(np.abs(self._places[name] - place), nan=1.0)
        return apart


def _distributions(points: Sequence[Mapping[str, Any]]) -> dict[str, BaseDistribution]:
    """Return the range of each knob by the values it had: numbers from lowest to highest, else the values."""
    found: dict[str, BaseDistribution] = {}
    for name in dict.fromkeys(name for point in points for name in point):
        values = [point[name] for point in points if name in point]
        kinds = list(dict.fromkeys(values))
        if len(kinds) < 2:
            continue
        if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
            low, high = float(min(values)), float(max(values))
            found[name] = FloatDistribution(low, high, log=low > 0 and high / low >= LOG_FROM)
        else:
            found[name] = CategoricalDistribution(kinds)
    return found


def _ranks(values: Sequence[Any]) -> Floats:
    """Return the rank of each number among all, 0 to 1; NaN of what is no number."""
    numbers = np.array([float(v) if isinstance(v, int | float) else np.nan for v in values])
    known = np.sort(numbers[~np.isnan(numbers)])
    found: Floats = np.where(np.isnan(numbers), np.nan, np.searchsorted(known, numbers) / max(1, len(known)))
    return found
