"""Declares knobs: what a search may vary, each in one place, the field of a method that holds it.

    beta: float | Domain = knob(paper.BETA, field="complementary_weight", column="first")

That line is the whole declaration. From it follow the name in a search, in ``--set`` and in ``enqueue``,
where a trial's configuration holds the value, its type and range (those of the configuration's field),
what stands for it when nothing is said, and its column in ``trials.csv``. The code that uses a new knob lies
in the data plane, with its field of the configuration.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from trainables.config.serialization import ConfigError, convert, field_types
from trainables.config.trial import LogitTerm, Method, Training

HOLDERS: Mapping[type, tuple[str, ...]] = {
    Method: ("method",),
    LogitTerm: ("method", "logit"),
    Training: ("training",),
}
"""Parts of a trial's configuration that hold knobs, and where they stand in it."""

ABSENT: Final = object()
"""What :meth:`Knob.read` gives where a configuration has no such part."""


@dataclass(frozen=True, slots=True)
class Knob:
    """One row of the table of knobs.

    Attributes:
        name: in space files, in a search and in tables.
        holder: the class of the configuration that holds its value, in ``field``.
        default: what a method has that does not name it; None stands for the published value.
        column: whether ``trials.csv`` has a column for it in any study, and where.
    """

    name: str
    holder: type
    field: str
    default: Any
    column: Literal["", "first", "later"] = ""

    @property
    def kind(self) -> Any:
        """The type of its value in a configuration."""
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
    column: Literal["", "first", "later"] = "",
) -> Any:
    """Declare a field of a method as a knob, as ``dataclasses.field`` declares others.

    Args:
        field: its name in ``holder``, where it is not the method's own name for it.
    """
    return dataclasses.field(
        default=default, metadata={"knob": {"field": field, "holder": holder, "column": column}}
    )


def declared(kind: Any) -> tuple[Knob, ...]:
    """The knobs among the fields of dataclass ``kind``, in their order."""
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
