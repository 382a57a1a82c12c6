"""Takes a sampler of the user's own: a function of the space file that makes one from a seed.

def nearest(seed):
    import optunahub

    return optunahub.load_module("samplers/...").SomeSampler(seed=seed)

STUDY = StudySpec(search=Search(sampler=nearest), ...)

It is called anew for each trial, with a seed that comes from the search's and the trial's number. What it
imports it imports inside, so that loading the space stays quick.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

from study.spec.function_source import source_hash
from trainables.config.serialization import require


@dataclass(frozen=True, slots=True)
class SamplerFactory:
    """Holds a function that makes a sampler, and its source's hash; space files give the function itself.

    Attributes:
        function: takes a seed, gives an ``optuna.samplers.BaseSampler``.
        code: hash of its source, as it was when the space was loaded; another text is another search.
    """

    function: Any
    code: str = ""

    def __post_init__(self) -> None:
        require(inspect.isfunction(self.function), f"{self.function!r} is no function of a seed")
        try:
            inspect.signature(self.function).bind(0)
        except TypeError:
            require(False, f"{self.name}: it takes one argument, the seed")
        object.__setattr__(self, "code", source_hash(self.function))

    @property
    def name(self) -> str:
        """Name of the function, by which errors call it."""
        return str(self.function.__name__)

    def __str__(self) -> str:
        return self.name
