"""What one search may vary: a method with domains, and the pairs it may choose among."""

from __future__ import annotations

from dataclasses import dataclass

from study.spec.distillation import Distillation, SearchableMethod
from study.spec.domains import Choice, OptunaTrial
from study.spec.study import Pair


@dataclass(frozen=True, slots=True)
class SearchSpace:
    """One search: a method with domains, and the pair, or the pairs among which it may choose.

    Attributes:
        fingerprint: hash of what is searched, for what, and of all that is the same in its trials; where it
            changes, the Optuna study is another one.
    """

    method: SearchableMethod
    pairs: tuple[Pair, ...]
    label: str
    data: str
    fingerprint: str

    @property
    def pair_domain(self) -> Choice | None:
        """The domain of the pair, where the search may choose one."""
        return Choice(*self.pairs) if len(self.pairs) > 1 else None

    def suggest(self, trial: OptunaTrial) -> tuple[Pair, Distillation]:
        """The pair and the method at the point that ``trial`` suggests."""
        domain = self.pair_domain
        pair = self.pairs[0] if domain is None else domain.suggest(trial, "pair")
        return pair, self.method.suggest(trial)
