"""Checks trials asked for by hand against the domains of a search, and queues them in its Optuna study.

A launch writes down what its searches are (``searches`` in ``study.json``), so that this needs neither the
space file nor the data.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from study.errors import UserError, one_line
from study.spec import domains
from study.spec.domains import Choice, Domain, label
from study.spec.literals import read_literal
from trainables.config.serialization import to_plain
from trainables.errors import suggestion

if TYPE_CHECKING:
    from study.plan.plan import Plan
    from study.plan.search_space import Dimension, SearchSpace

KINDS: Mapping[str, Any] = {kind.__name__: kind for kind in (domains.Float, domains.Int, domains.Choice)}


@dataclass(frozen=True, slots=True)
class EnqueueDomain:
    """Says what one name of a search may be set to.

    >>> EnqueueDomain(domains.Float(0.5, 8.0), when=(("base", ("kd",)),)).domain.stored(2)
    2.0

    Attributes:
        when: (another name, the values of it) with which alone it is asked for.
        raw: whether Optuna stores choices themselves, as functions of a trial ask for them, not their labels.
    """

    domain: Domain
    when: tuple[tuple[str, tuple[Any, ...]], ...] = ()
    raw: bool = False


@dataclass(frozen=True, slots=True)
class EnqueueTarget:
    """Describes one search of a study, as far as it takes to queue a trial of it by hand.

    >>> known = {"alpha": EnqueueDomain(domains.Float(0.5, 8.0))}
    >>> target = EnqueueTarget(
    ...     "a-b/KD", "kd", ("maximize",), pairs=("a-b",), method="KD", bases=(), domains=known
    ... )
    >>> point(target, ["alpha=2"], pair=None, method=None)
    {'alpha': 2.0}

    Attributes:
        label: ``pair/method``, or ``pairs/method`` where the pair is searched.
        optuna: name of its Optuna study; ``directions`` of its objectives.
        bases: base losses the method may have.
        domains: by name.
        answers: what the search calls its choice among the pairs, and what it stores for each; None where
            there is but one pair.
    """

    label: str
    optuna: str
    directions: tuple[str, ...]
    pairs: tuple[str, ...]
    method: str
    bases: tuple[str, ...]
    domains: Mapping[str, EnqueueDomain]
    answers: tuple[str, Mapping[str, str]] | None = None


def searches(plan: Plan) -> list[dict[str, Any]]:
    """Write the searches of a plan in plain data, as :func:`read_searches` takes them."""
    several = len(plan.spec.search.objectives) - 1
    return [
        {
            "label": space.label,
            "optuna": plan.search_name(space),
            "directions": ["maximize", *(["minimize"] * several)],
            "pairs": [pair.label for pair in space.pairs],
            "method": space.label.partition("/")[2],
            "bases": [str(base) for base in domains.options_of(space.method.base) if base is not None],
            "domains": {each.name: _written(space, each) for each in space.dimensions()},
            "answers": [space.chosen, {pair.label: space.pair_label(pair) for pair in space.pairs}]
            if len(space.pairs) > 1
            else None,
        }
        for space in plan.search_spaces
    ]


def _written(space: SearchSpace, each: Dimension) -> dict[str, Any]:
    """Write a dimension of a search as ``study.json`` has it."""
    raw = space.method.stores_options and not space.trains(each)
    kind = type(each.domain).__name__
    return {"kind": kind, "when": to_plain(each.when), "raw": raw, **to_plain(each.domain)}


def read_searches(searches: Iterable[Mapping[str, Any]]) -> list[EnqueueTarget]:
    """Read the searches that a ``study.json`` holds."""
    found = []
    for item in searches:
        known = {}
        for name, about in item["domains"].items():
            kind = KINDS[about["kind"]]
            fields = {item.name: about[item.name] for item in dataclasses.fields(kind) if item.name in about}
            domain = kind(*fields["options"]) if kind is Choice else kind(**fields)
            old = [("base", [about["base"]])] if about.get("base") else []  # as it was written before "when"
            when = tuple((other, tuple(values)) for other, values in about.get("when", old))
            known[name] = EnqueueDomain(domain, when, about.get("raw", item.get("raw", False)))
        parts: dict[str, Any] = {name: tuple(item[name]) for name in ("directions", "pairs", "bases")}
        same = {name: item[name] for name in ("label", "optuna", "method")}
        old_answers = ("pair", {pair: pair for pair in item["pairs"]}) if len(item["pairs"]) > 1 else None
        answers = item.get("answers", old_answers)
        found.append(EnqueueTarget(**same, **parts, domains=known, answers=answers and tuple(answers)))
    return found


def choose(found: Sequence[EnqueueTarget], pair: str | None, method: str | None) -> EnqueueTarget:
    """Choose the one search of that pair and method.

    Raises:
        UserError: none or several are meant, or the study does not search what was named.
    """
    if not found:
        raise UserError("the study searches nothing, so that nothing can be queued")
    for name, given, known in (
        ("--pair", pair, {at for search in found for at in search.pairs}),
        ("--method", method, {of for search in found for of in names_of(search)}),
    ):
        if given is not None and given not in known:
            raise UserError(f"{name}: the study does not search '{given}'; {suggestion(given, known)}")
    fitting = [s for s in found if pair in (None, *s.pairs) and method in (None, *names_of(s))]
    if len(fitting) == 1:
        return fitting[0]
    what = "no search has" if not fitting else "several searches have"
    labels = ", ".join(search.label for search in fitting or found)
    raise UserError(f"--pair, --method: {what} both of them; there are {labels}")


def names_of(search: EnqueueTarget) -> list[str]:
    """List the names of its method: the search's own, and SD-KD, SD-DKD, ... where the base is searched."""
    bases = [f"SD-{base.upper()}" for base in search.bases] if "base" in search.domains else []
    return [search.method, *bases]


def point(
    search: EnqueueTarget, settings: Sequence[str], pair: str | None, method: str | None
) -> dict[str, Any]:
    """Read ``NAME=VALUE`` settings as Optuna stores them; what is left open the sampler fills in.

    Raises:
        UserError: a name is not searched, a value is not in its domain, or its base loss is another one.
    """
    given = dict(map(_split, settings))
    if method is not None and method != search.method:
        given.setdefault("base", method.removeprefix("SD-").lower())
    stored: dict[str, Any] = {}
    for name, value in given.items():
        if name not in search.domains:
            raise UserError(
                f"--set {name}: {search.label} does not search it; {suggestion(name, search.domains)}"
            )
        about = search.domains[name]
        stored[name] = _stored(about.domain, value, about.raw)
        if stored[name] is None:
            raise UserError(
                f"--set {name}: {value if isinstance(value, str) else label(value)} is not in {about.domain}"
            )
        _check_conditions(search, name, given, pair)
    if pair is not None and search.answers is not None:
        stored[search.answers[0]] = search.answers[1][pair]
    return stored


def _check_conditions(search: EnqueueTarget, name: str, given: Mapping[str, Any], pair: str | None) -> None:
    """Raise :class:`UserError` where ``name`` is not asked for with what else is given."""
    for other, values in search.domains[name].when:
        if search.answers is not None and other == search.answers[0]:
            if pair is None or search.answers[1][pair] not in values:
                raise UserError(f"--set {name}: belongs to {other} {' or '.join(values)}; say so with --pair")
            continue
        allowed = [label(_tuple(value)) for value in values]
        if other in search.domains and label(_tuple(given.get(other))) not in allowed:
            what, first = "the base loss" if other == "base" else other, allowed[0]
            raise UserError(f"--set {name}: belongs to {what} {first}; add --set {other}={first}")


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _split(setting: str) -> tuple[str, Any]:
    name, equals, text = setting.partition("=")
    if not equals or not name.strip():
        raise UserError(f"--set {setting}: write it as NAME=VALUE, such as alpha=2 or scales=1,2,4")
    return name.strip(), read_literal(text)


def _stored(domain: Domain, value: Any, raw: bool) -> Any:
    """Return the value as Optuna stores it; an option may be given by its label, as tables show it."""
    if isinstance(domain, Choice):
        text = label(_tuple(value))
        known = {label(option): option if raw else label(option) for option in domain.options}
        return known.get(text)
    return domain.stored(value)


def queue(url: str, search: EnqueueTarget, asked: Mapping[str, Any]) -> int:
    """Queue a trial on top of the budget; return its number in the Optuna study, which is made if need be."""
    import optuna
    from optuna.study import StudyDirection
    from sqlalchemy.exc import SQLAlchemyError

    from study.search.attributes import BY_HAND
    from study.search.optuna_storage import open_as_it_is

    try:
        study = optuna.create_study(
            storage=open_as_it_is(url),
            study_name=search.optuna,
            directions=[StudyDirection[name.upper()] for name in search.directions],
            load_if_exists=True,
        )
        study.enqueue_trial(dict(asked), user_attrs={BY_HAND: True})
        return len(study.get_trials(deepcopy=False)) - 1
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError, ImportError) as error:
        reason = one_line(error.__cause__ or error, part="first")
        raise UserError(f"Optuna's database cannot be used: {reason}; is it up?") from None
