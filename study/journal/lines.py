"""Says what each kind of line of a journal holds, and reads one: what does not fit was written by nobody."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, get_args

from study.journal.notes import Outcome
from study.plan.trial import Role, StageName
from trainables.config.trial import TrialConfig

Line = dict[str, Any]

REPORT = b'{"type":"report",'
"""How the line of a report begins: readers tell by it, without parsing, which lines are reports."""

LATEST = 1e11
"""Seconds since 1970 that no line's time comes to (the year 5138); calendars end somewhere behind it."""


class Form(NamedTuple):
    """Says what a field holds; ``optional`` are those that some version did not write."""

    wanted: str
    fits: Callable[[Any], bool]
    optional: bool = False

    @property
    def or_missing(self) -> Form:
        """The same of a field that may be missing."""
        return self._replace(optional=True)


def is_number(value: Any) -> bool:
    """Tell whether a value is a number that 64 bits hold, NaN and infinities among them.

    >>> [is_number(value) for value in (1, 0.5, float("nan"), True, "1", 10**30)]
    [True, True, True, False, False, False]
    """
    return type(value) is float or (type(value) is int and abs(value) < 2**63)


def is_count(value: Any) -> bool:
    """Tell whether a value is a whole number from 0 on; 3.0 is one."""
    return is_number(value) and value >= 0 and float(value).is_integer()


def is_time(value: Any) -> bool:
    """Tell whether a value is a number of seconds since 1970."""
    return is_number(value) and 0 <= value < LATEST


def _finite(digits: str) -> float:
    """Read a number with a point or exponent; one that is too large for 64 bits is no infinity."""
    if math.isinf(value := float(digits)):
        raise ValueError(digits)
    return value


def _is_report(metrics: Any) -> bool:
    """Tell whether metrics are numbers, null where one was not measured, and of which epoch they are."""
    if not isinstance(metrics, dict) or not is_count(metrics.get("epoch")):
        return False
    return 1 <= metrics["epoch"] < LATEST and all(
        value is None or is_number(value) for value in metrics.values()
    )


def _one_of(words: Iterable[str]) -> Form:
    known = tuple(words)
    return Form(f"one of {', '.join(map(repr, known))}", lambda value: value in known)


TEXT = Form("a text", lambda value: isinstance(value, str))
NUMBER = Form("a number", is_number)
COUNT = Form("a whole number", is_count)
TIME = Form("seconds since 1970", is_time)
OBJECT = Form("an object", lambda value: isinstance(value, dict))
COUNTS = Form(
    "whole numbers by stage", lambda value: isinstance(value, dict) and all(map(is_count, value.values()))
)
METRICS = Form("the metrics of an epoch from 1 on, all numbers", _is_report)
STAGE = _one_of(get_args(StageName))
ENDED = _one_of(("done", "stopped", "failed"))

FORMS: Mapping[str, Mapping[str, Form]] = {
    "trial": {
        "key": TEXT,
        "stage": STAGE,
        "pair": TEXT,
        "method": TEXT,
        "role": _one_of(get_args(Role)),
        "arm": TEXT,
        "point": OBJECT.or_missing,
        "config": OBJECT,
    },
    "report": {"key": TEXT, "metrics": METRICS},
    "remark": {"key": TEXT, "text": TEXT},
    "end": {"key": TEXT, "status": ENDED, "reason": TEXT, "epochs": COUNT.or_missing},
    "launch": {
        "host": TEXT.or_missing,
        "pid": COUNT.or_missing,
        "epochs": COUNTS.or_missing,
        "trials": COUNTS.or_missing,
    },
    "stage": {"stage": STAGE, "total": COUNT.or_missing, "left": COUNT.or_missing},
    "slots": {"slots": COUNT.or_missing, "cpus": NUMBER.or_missing, "gpus": NUMBER.or_missing},
    "leave": {"outcome": _one_of(get_args(Outcome)).or_missing},
}
"""Fields of each type of line, beside its ``time``; what another version added is passed over."""


def parse(raw: bytes) -> Line:
    """Read a whole line of a journal.

    >>> parse(b'{"type":"remark","key":"9cdc","text":"its process was lost","time":1.0}\\n')["text"]
    'its process was lost'
    >>> parse(b'{"type":"remark","key":"9cdc","time":1.0}\\n')
    Traceback (most recent call last):
    ...
    ValueError: text is missing

    Raises:
        ValueError: it is none; says what is wrong with it.
    """
    try:
        line = json.loads(raw, parse_float=_finite)
    except (ValueError, RecursionError):
        line = None
    if not isinstance(line, dict):
        raise ValueError("it is no line of a journal")
    kind = line.get("type")
    forms = FORMS.get(kind) if isinstance(kind, str) else None
    if forms is None:
        raise ValueError(f"type is not one of {', '.join(FORMS)}")
    for name, form in (("time", TIME), *forms.items()):
        if name not in line:
            if not form.optional:
                raise ValueError(f"{name} is missing")
        elif not form.fits(line[name]):
            raise ValueError(f"{name} is not {form.wanted}")
    if kind == "report" and not raw.startswith(REPORT):
        raise ValueError(f"it does not begin with {REPORT.decode()}")
    if kind == "trial":
        _check_config(line["config"])
    return line


_good: set[Any] = set()
"""Shapes of configurations that were read: of ten thousand trials a few dozen, each read once."""


def _check_config(config: Line) -> None:
    """Check that a configuration has the fields, of the types, that a trial can be read from."""
    shape = _shape(config)
    if shape not in _good:
        try:
            left_out = _left_out(TrialConfig.from_dict(config), config)
        except ValueError as error:
            raise ValueError(f"config: {error}") from None
        if left_out:
            raise ValueError(f"config: {left_out}: missing")
        _good.add(shape)


def _left_out(read: Any, written: Any, path: str = "") -> str:
    """Return the path of a field that every version has written and ``written`` lacks; empty for none.

    Such a field has a default, which need not be what the trial was run with.
    """
    inner: list[tuple[str, Any, Any]] = []
    if dataclasses.is_dataclass(read):
        for item in dataclasses.fields(read):
            if item.name in written:
                inner.append((f"{path}{item.name}.", getattr(read, item.name), written[item.name]))
            elif "in_key" not in item.metadata:
                return f"{path}{item.name}"
    elif isinstance(read, tuple):
        inner += [(path, *pair) for pair in zip(read, written, strict=True)]
    return next(filter(None, (_left_out(one, other, at) for at, one, other in inner)), "")


def _shape(value: Any) -> Any:
    """Return names and types of an object or list, without the values themselves."""
    items = value.values() if type(value) is dict else value
    nested = [_shape(item) for item in items if type(item) in (dict, list)]
    return tuple(value) if type(value) is dict else (), tuple(map(type, items)), tuple(nested)
