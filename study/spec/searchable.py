"""Names what every method of a study can be asked, given by fields or by a function of a trial."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from study.spec.domains import Domain, OptunaTrial
from study.spec.published import ANY_CASE, PaperCase

if TYPE_CHECKING:
    from study.spec.distillation import Distillation

Point = dict[str, Any]
"""Values of a search's domains by name, as Optuna stores them."""


class SearchableMethod(Protocol):
    """Names what a study asks of each of its methods, given by fields or by a function of a trial."""

    @property
    def label(self) -> str:
        """Name of the row."""

    @property
    def base(self) -> Any:
        """Base loss, a choice of several, or None for no logit loss."""

    @property
    def searched(self) -> bool:
        """Tell whether anything of it is searched."""

    @property
    def stores_options(self) -> bool:
        """Tell whether Optuna stores the options of a choice themselves, not their labels."""

    @property
    def training(self) -> Mapping[str, Any]:
        """Fields in which the method departs from the study's training: values or domains, by field."""

    def domains(self) -> Iterator[tuple[str, str | None, Domain]]:
        """Yield (name, base it belongs to or None, domain) of all that may be asked for, but the training."""

    def suggest(self, trial: OptunaTrial) -> Distillation:
        """Return the method at the point that ``trial`` suggests; no domain is left but in its training."""

    def variants(self) -> tuple[Distillation, ...]:
        """Return methods that have all there is to check: itself, or those of a function's corners."""

    def at_paper(self, case: PaperCase = ANY_CASE) -> Distillation:
        """Return the method with all that is searched at the paper's value in ``case``."""

    def paper_point(self, case: PaperCase = ANY_CASE) -> Point | None:
        """Return the point of :meth:`at_paper` in the search space; None where it lies outside."""

    def point_at(self, settings: Mapping[str, Any]) -> Point:
        """Return what is known of a point from the settings of a trial, see :mod:`study.spec.settings`."""
