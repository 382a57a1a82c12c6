"""Reads and writes ``study.json``, in which a study's folder says what was launched there last."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from study.errors import UserError
from study.spec.rungs import Rung, judged, searched_training
from study.spec.search import Budget, Search
from study.spec.study import Confirm, Pair, Resources, StudySpec
from study.workspace.folder import StudyFolder
from study.workspace.written import read_written
from trainables.config.serialization import ConfigError, field_types, from_plain, to_plain
from trainables.storage.files import write_json

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StudyFile:
    """Holds the study that was launched last, as far as its readers need it without its space file and data.

    The file has the spec's fields and, beside them, ``code``, ``searches`` and ``ended``.

    >>> file = StudyFile(fields={"name": "mine"}).with_ends({"pairs/SDD": "40 trials"})
    >>> file.plain
    {'name': 'mine', 'code': [], 'searches': [], 'ended': {'pairs/SDD': '40 trials'}}

    Attributes:
        fields: of the spec, in plain data; empty where there is no such file.
        code: source files that register losses of the user's own.
        rungs: where trials of the searches are compared; in the file ``[epoch, since]`` each.
        costs: what the student of each pair costs, where that is an objective or limited.
        searches: what may be enqueued by hand, as :func:`study.search.enqueue.read_searches` takes it.
        ended: why each search is at its end, by its label, once it is.
        metric: what the search maximises.
        budget: None where the file does not say.
    """

    fields: Mapping[str, Any] = field(default_factory=dict)
    code: tuple[str, ...] = ()
    searches: tuple[Mapping[str, Any], ...] = ()
    ended: Mapping[str, str] = field(default_factory=dict)
    metric: str = Search().maximize
    budget: Budget | None = None
    confirm: Confirm | None = None
    resources: Resources = field(default_factory=Resources)
    pairs: Mapping[str, Pair] = field(default_factory=dict)
    rungs: tuple[Rung, ...] = ()
    costs: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        spec: StudySpec,
        code: tuple[str, ...],
        searches: list[dict[str, Any]],
        costs: Mapping[str, Mapping[str, float]],
    ) -> StudyFile:
        """Make the file of a study that is launched now."""
        placed = [[rung.epoch, rung.since] for rung in judged(spec.search.stop, searched_training(spec))]
        own = {"code": list(code), "searches": searches, "rungs": placed, "costs": to_plain(costs)}
        return cls._from_plain({**to_plain(spec), **own})

    @classmethod
    def read(cls, folder: StudyFolder) -> StudyFile:
        """Read the file of ``folder``; an empty one where there is none.

        Raises:
            UserError: it is damaged, or holds what this version cannot read.
        """
        file = folder.path / "study.json"
        found = read_written(file, "move it away, and launch the study again, which writes it anew")
        try:
            return cls._from_plain(found)
        except (ConfigError, AttributeError, TypeError, LookupError, ValueError) as error:
            reason = repr(error) if isinstance(error, LookupError) else error
            raise UserError(f"{file}: written by another version, or edited: {reason}") from None

    @classmethod
    def _from_plain(cls, data: Mapping[str, Any]) -> StudyFile:
        own = ("code", "searches", "ended", "rungs", "costs")
        pairs = [
            _known(Pair, {**pair, "teacher": teacher})
            for pair in data.get("pairs", [])
            for teacher in _teachers(pair["teacher"])
        ]
        return cls(
            fields={name: value for name, value in data.items() if name not in own},
            code=tuple(data.get("code", ())),
            searches=tuple(data.get("searches", ())),
            ended=data.get("ended", {}),
            metric=data.get("search", {}).get("maximize", Search().maximize),
            budget=_known(Budget, data["budget"]) if "budget" in data else None,
            confirm=_known(Confirm, data["confirm"]) if "confirm" in data else None,
            resources=_known(Resources, data.get("resources", {})),
            pairs={pair.label: pair for pair in pairs},
            rungs=tuple(Rung(epoch, since) for epoch, since in data.get("rungs", ())),
            costs=data.get("costs", {}),
        )

    @property
    def plain(self) -> dict[str, Any]:
        """Content of the file, in plain data."""
        placed = [[rung.epoch, rung.since] for rung in self.rungs]
        more = {"rungs": placed, "costs": to_plain(self.costs), "ended": dict(self.ended)}
        more = {name: value for name, value in more.items() if value}
        return {**self.fields, "code": list(self.code), "searches": list(self.searches), **more}

    @property
    def limits(self) -> Mapping[str, float]:
        """``Search.subject_to`` of the study."""
        found: Mapping[str, float] = self.fields.get("search", {}).get("subject_to", {})
        return found

    @property
    def objectives(self) -> tuple[str, ...]:
        """Names of what the searches go for: the maximised metric, then what is minimised."""
        down = self.fields.get("search", {}).get("minimize") or ()
        return (self.metric, *((down,) if isinstance(down, str) else down))

    def write(self, folder: StudyFolder) -> None:
        """Write the file into ``folder``."""
        write_json(folder.path / "study.json", self.plain)

    def with_ends(self, ended: Mapping[str, str]) -> StudyFile:
        """Return the file with why each search ended, by its label."""
        return dataclasses.replace(self, ended=dict(ended))


def _teachers(written: Any) -> list[str]:
    """Return the teachers that a pair may have: one, or the options of a choice."""
    return list(written["options"]) if isinstance(written, Mapping) else [written]


def _known(kind: type[T], data: Mapping[str, Any]) -> T:
    """Build ``kind`` from the fields this version has."""
    names = field_types(kind)  # type: ignore[arg-type]
    return from_plain(kind, {name: value for name, value in data.items() if name in names})
