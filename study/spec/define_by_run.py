"""Takes a method given as a function of a trial, for search spaces that fields with domains cannot say.

def space(trial):
    base = trial.suggest_categorical("base", ["kd", "dkd"])
    deep = trial.suggest_categorical("deep", ["no", "yes"]) if base == "dkd" else "no"
    scales = (1, 2, 4) if deep == "yes" else (1, 2)
    return SDD(base=base, beta=trial.suggest_float("beta", 1, 8), scales=scales)

STUDY = StudySpec(methods=(KD(), space), ...)

The function is called once for each corner of its space when the space file is loaded: every choice, both
ends of every range. So it has to be quick, depend on its trial alone, and give a method for each corner.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from study.spec.distillation import Distillation
from study.spec.domains import Choice, Domain, Float, Int, OptunaTrial
from study.spec.function_source import source_hash
from study.spec.grid import BranchingTrial, walk
from study.spec.known_answers import KnownAnswers
from study.spec.published import ANY_CASE, PaperCase
from study.spec.searchable import Point
from study.spec.settings import settings_of
from study.spec.training import TRAINING_KNOBS, published_value
from trainables.config.serialization import ConfigError, require, to_plain

MOST_CORNERS = 500
"""Corners of a space that are looked at."""


@dataclass(frozen=True, slots=True)
class DefineByRun:
    """Holds a function of a trial and asks it what a study asks its methods; space files give the function.

    Attributes:
        function: takes an Optuna trial, gives a method without domains.
        code: hash of its source; another text is another search.
    """

    function: Any
    code: str = ""

    def __post_init__(self) -> None:
        require(inspect.isfunction(self.function), f"{self.function!r} is no function of a trial")
        object.__setattr__(self, "code", source_hash(self.function))
        _explored(self.function)

    @property
    def label(self) -> str:
        """Name of the function, which is the row's."""
        return str(self.function.__name__)

    @property
    def base(self) -> Any:
        """Base loss, or a choice of those that its corners have."""
        bases = tuple(dict.fromkeys(variant.base for variant in self.variants()))
        return Choice(*bases) if len(bases) > 1 else bases[0]

    @property
    def searched(self) -> bool:
        """True: a function that asks for nothing is refused when it is loaded."""
        return True

    def domains(self) -> Iterator[tuple[str, str | None, Domain]]:
        """Yield (name, None, domain) of everything that the function asks for in some corner."""
        for name, domain in _explored(self.function)[1].items():
            yield name, None, domain

    def suggest(self, trial: OptunaTrial) -> Distillation:
        """Return the method at the point that ``trial`` suggests."""
        method: Distillation = self.function(trial)
        return method

    @property
    def stores_options(self) -> bool:
        """True: what the function asks for is what Optuna gets."""
        return True

    @property
    def training(self) -> Mapping[str, Any]:
        """Empty mapping: what is known of the training lies in the methods that the function gives."""
        return {}

    def variants(self) -> tuple[Distillation, ...]:
        """Return the methods at the corners of the search space."""
        return _explored(self.function)[0]

    def at_paper(self, case: PaperCase = ANY_CASE) -> Distillation:
        """Return its base loss, kd where it may be that, decoupled as published; the features stay."""
        bases = [variant.base for variant in self.variants()]
        first = self.variants()[bases.index("kd") if "kd" in bases else 0]
        features = tuple(dataclasses.replace(added, weight=None) for added in first.features)
        return Distillation(base=first.base, features=features)

    def paper_point(self, case: PaperCase = ANY_CASE) -> Point | None:
        """Find the point where the function asks under the names of fields, such as alpha; None otherwise."""
        published = self.at_paper(case).method(case)
        known = {name: published_value(name, case) for name in TRAINING_KNOBS}
        trial = KnownAnswers({**known, **settings_of({"method": to_plain(published)})})
        try:
            found = self.suggest(trial)
        except LookupError:
            return None
        return trial.params if found.method(case) == published else None

    def point_at(self, settings: Mapping[str, Any]) -> Point:
        """Return an empty point, since what the function does with values it asks for is not known here."""
        return {}


AnyMethod = Distillation | DefineByRun
"""What a study's list of methods may hold; each is a :class:`SearchableMethod`."""


class _CornerTrial(BranchingTrial):
    """Takes both ends of each range and every choice, and notes the domains that it is asked for."""

    def __init__(self, path: list[int]) -> None:
        super().__init__(path)
        self.domains: dict[str, Domain] = {}

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        self.domains[name] = Float(low, high, log=log, step=step)
        return float(self._take(name, (low, high)))

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        self.domains[name] = Int(low, high, log=log)
        return int(self._take(name, (low, high)))

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        if len(choices) > 1:
            self.domains[name] = Choice(*choices)
        return self._take(name, choices)


@functools.cache
def _explored(function: Callable[[OptunaTrial], Any]) -> tuple[tuple[Distillation, ...], dict[str, Domain]]:
    """Return the methods at the corners of a function's search space, and the domains that it asks for."""
    name, found = function.__name__, []
    domains: dict[str, Domain] = {}
    try:
        for trial, method in islice(walk(function, _CornerTrial), MOST_CORNERS):
            require(isinstance(method, Distillation), f"gives {method!r}, not a method such as SDD(...)")
            require(not method.searched, "gives a method that has domains of its own")
            found.append(method)
            domains |= trial.domains
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}") from None
    except Exception as error:
        raise ConfigError(f"{name}: {type(error).__name__}: {error}") from None
    require(bool(domains), f"{name}: asks its trial for nothing; give the method itself")
    return tuple(found), domains
