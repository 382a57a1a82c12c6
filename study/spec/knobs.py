"""Declares knobs: what a search may vary, each in one place, the field of a method that holds it.

    beta: float | Domain = knob(paper.BETA, field="complementary_weight", column=4)

That line is the whole declaration. From it follow the name in a search, in ``--set`` and in ``enqueue``,
where a trial's configuration holds the value, its type and range (those of the configuration's field),
what stands for it when nothing is said, and its column in ``trials.csv``. The code that uses a new knob lies
in the data plane, with its field of the configuration. A field of :class:`Training` is a knob as it stands.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from trainables.config.data import Data
from trainables.config.key import SINCE_LATER
from trainables.config.method import LogitTerm, Method
from trainables.config.open_values import may_be_searched
from trainables.config.serialization import ConfigError, convert, field_types
from trainables.config.training import Training

HOLDERS: Mapping[type, tuple[str, ...]] = {
    Method: ("method",),
    LogitTerm: ("method", "logit"),
    Training: ("training",),
    Data: ("data",),
}
"""Parts of a trial's configuration that hold knobs, and where they stand in it."""

ABSENT: Final = object()
"""What :meth:`Knob.read` gives where a configuration has no such part."""


@dataclass(frozen=True, slots=True)
class Knob:
    """Says of one thing that a search may vary where its value lies, and what it is called.

    >>> row = fields_of(Training)[0]
    >>> row.read({"training": {row.name: 3}})
    3
    >>> row.read({}) is ABSENT
    True

    Attributes:
        name: in space files, in a search and in tables.
        holder: the class of the configuration that holds its value, in ``field``.
        default: what a method has that does not name it; None stands for the published value.
        column: its place among the knobs' columns of ``trials.csv``, from 1; 0 where it has one only in
            studies that search it. Those from 10 on came later and stand behind the data set.
        only_with: another knob and the values of it with which this one means something.
    """

    name: str
    holder: type
    field: str
    default: Any
    column: int = 0
    only_with: tuple[str, tuple[Any, ...]] | None = None

    @property
    def kind(self) -> Any:
        """Type of its value in a configuration."""
        return field_types(self.holder)[self.field]

    def read(self, config: Mapping[str, Any]) -> Any:
        """Look its value up in a trial's configuration; :data:`ABSENT` where that has no such part."""
        place: Any = config
        for part in (*HOLDERS[self.holder], self.field):
            if not isinstance(place, Mapping) or part not in place:
                return ABSENT
            place = place[part]
        return place

    def checked(self, value: Any, path: str) -> Any:
        """Give ``value`` in the knob's type; :class:`ConfigError` that names ``path`` if it is refused."""
        converted = convert(self.kind, value, path)
        try:
            self.holder(**{self.field: converted})
        except ConfigError as error:
            raise ConfigError(f"{path}:{str(error).partition(':')[2]}") from None
        return converted


def knob(
    default: Any,
    *,
    field: str = "",
    holder: type = LogitTerm,
    column: int = 0,
    since_later: bool = False,
) -> Any:
    """Declare a field of a method as a knob, as ``dataclasses.field`` declares others.

    Args:
        field: its name in ``holder``, where it is not the method's own name for it.
        since_later: at its default it stays out of the names of searches, as before it was there.
    """
    about = {"knob": {"field": field, "holder": holder, "column": column}}
    return dataclasses.field(default=default, metadata={**about, **(SINCE_LATER if since_later else {})})


def declared(kind: Any) -> tuple[Knob, ...]:
    """Return the knobs among the fields of dataclass ``kind``, in their order."""
    return tuple(
        Knob(
            item.name,
            about["holder"],
            about["field"] or item.name,
            item.default,
            about["column"],
        )
        for item in dataclasses.fields(kind)
        if (about := item.metadata.get("knob")) is not None
    )


def fields_of(kind: Any) -> tuple[Knob, ...]:
    """Return the knobs that are fields of a part of the configuration itself: those that may be searched."""
    return tuple(
        Knob(item.name, kind, item.name, default_of(item), only_with=item.metadata.get("only_with"))
        for item in dataclasses.fields(kind)
        if may_be_searched(kind, item.name)
    )


def default_of(item: dataclasses.Field[Any]) -> Any:
    """Return the default of a field, made anew where a function makes it."""
    made = item.default_factory
    return item.default if made is dataclasses.MISSING else made()
