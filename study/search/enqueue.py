"""Trials asked for by hand: checked against the domains of a search, and queued in its Optuna study.

A launch writes down what its searches are (``searches`` in ``study.json``), so that this needs neither the
space file nor the data.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from study.errors import UserError, one_line
from study.spec import domains
from study.spec.domains import Choice, Domain, label
from trainables.config.serialization import to_plain
from trainables.errors import suggestion

if TYPE_CHECKING:
    from study.plan.plan import Plan

KINDS: Mapping[str, Any] = {kind.__name__: kind for kind in (domains.Float, domains.Int, domains.Choice)}


@dataclass(frozen=True, slots=True)
class EnqueueTarget:
    """One search of a study.

    Attributes:
        label: ``pair/method``, or ``pairs/method`` where the pair is searched.
        optuna: name of its Optuna study; ``directions`` of its objectives.
        bases: base losses the method may have.
        raw: whether Optuna stores choices themselves, as functions of a trial ask for them, not their labels.
        domains: (base it belongs to or None, domain) by name.
    """

    label: str
    optuna: str
    directions: tuple[str, ...]
    pairs: tuple[str, ...]
    method: str
    bases: tuple[str, ...]
    raw: bool
    domains: Mapping[str, tuple[str | None, Domain]]


def searches(plan: Plan) -> list[dict[str, Any]]:
    """The searches of a plan, as :func:`read_searches` takes them."""
    several = len(plan.spec.search.objectives) - 1
    return [
        {
            "label": space.label,
            "optuna": plan.search_name(space),
            "directions": ["maximize", *(["minimize"] * several)],
            "pairs": [pair.label for pair in space.pairs],
            "method": space.label.partition("/")[2],
            "bases": [str(base) for base in domains.options_of(space.method.base) if base is not None],
            "raw": space.method.stores_options,
            "domains": {
                name: {"base": base, "kind": type(domain).__name__, **to_plain(domain)}
                for name, base, domain in space.method.domains()
            },
        }
        for space in plan.search_spaces
    ]


def read_searches(searches: Iterable[Mapping[str, Any]]) -> list[EnqueueTarget]:
    """Read the searches that a ``study.json`` holds."""
    found = []
    for item in searches:
        known = {}
        for name, about in item["domains"].items():
            fields = {field: value for field, value in about.items() if field not in ("base", "kind")}
            kind = KINDS[about["kind"]]
            domain = kind(*fields["options"]) if kind is Choice else kind(**fields)
            known[name] = (about["base"], domain)
        parts: dict[str, Any] = {name: tuple(item[name]) for name in ("directions", "pairs", "bases")}
        same = {name: item[name] for name in ("label", "optuna", "method", "raw")}
        found.append(EnqueueTarget(**same, **parts, domains=known))
    return found


def choose(found: Sequence[EnqueueTarget], pair: str | None, method: str | None) -> EnqueueTarget:
    """The one search of that pair and method; :class:`UserError` where none or several are meant."""
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
    """Names of its method: the search's own, and SD-KD, SD-DKD, ... where the base is searched."""
    bases = [f"SD-{base.upper()}" for base in search.bases] if "base" in search.domains else []
    return [search.method, *bases]


def point(
    search: EnqueueTarget, settings: Sequence[str], pair: str | None, method: str | None
) -> dict[str, Any]:
    """What ``NAME=VALUE`` settings ask for, as Optuna stores it; what is left open the sampler fills in.

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
        base, domain = search.domains[name]
        stored[name] = _stored(domain, value, search.raw)
        if stored[name] is None:
            raise UserError(
                f"--set {name}: {value if isinstance(value, str) else label(value)} is not in {domain}"
            )
        if base is not None and "base" in search.domains and given.get("base") != base:
            raise UserError(f"--set {name}: belongs to the base loss {base}; add --set base={base}")
    if pair is not None and len(search.pairs) > 1:
        stored["pair"] = pair
    return stored


def _split(setting: str) -> tuple[str, Any]:
    name, equals, text = setting.partition("=")
    if not equals or not name.strip():
        raise UserError(f"--set {setting}: write it as NAME=VALUE, such as alpha=2 or scales=1,2,4")
    try:
        value = ast.literal_eval(text.strip())
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        value = text.strip()
    return name.strip(), value


def _stored(domain: Domain, value: Any, raw: bool) -> Any:
    """The value as Optuna stores it; an option may be given by its label, as tables show it."""
    if isinstance(domain, Choice):
        text = label(tuple(value) if isinstance(value, list) else value)
        known = {label(option): option if raw else label(option) for option in domain.options}
        return known.get(text)
    return domain.stored(value)


def queue(url: str, search: EnqueueTarget, asked: Mapping[str, Any]) -> int:
    """Queue a trial on top of the budget; its number in the Optuna study, which is made if need be."""
    import optuna
    from optuna.study import StudyDirection
    from sqlalchemy.exc import SQLAlchemyError

    from study.search.attributes import BY_HAND

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = optuna.create_study(
            storage=optuna.storages.RDBStorage(url),
            study_name=search.optuna,
            directions=[StudyDirection[name.upper()] for name in search.directions],
            load_if_exists=True,
        )
        study.enqueue_trial(dict(asked), user_attrs={BY_HAND: True})
        return len(study.get_trials(deepcopy=False)) - 1
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError, ImportError) as error:
        reason = one_line(error.__cause__ or error, part="first")
        raise UserError(f"Optuna's database cannot be used: {reason}; is it up?") from None
