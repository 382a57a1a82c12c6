"""One trial of a study as a space file that reproduces it: same data, teacher, method, training, seed.

The file is checked before it is handed out: what it describes has the key of the trial it was made from.
"""

from __future__ import annotations

import ast
import dataclasses
import json
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from study import paper
from study.errors import UserError
from study.folder import StudyFolder
from study.journal import Outline, Record
from study.methods import Added, Distillation
from study.plan import Plan
from study.spec import Confirm, Pair, Resources, Search, StudySpec
from trainables.config import FeatureTerm, LogitTerm, Method, Teacher, Training, TrialConfig
from trainables.losses.user_code import run_sources
from trainables.strict import ConfigError, from_plain

WIDTH = 110


def pin(folder: StudyFolder, outline: Outline, spec: Mapping[str, Any], record: Record, about: str) -> str:
    """The text of a space file whose confirming runs are those of ``record``'s configuration.

    Args:
        spec: the study's, as ``study.json`` has it.
        about: a line for the file's docstring.

    Raises:
        UserError: the trial trained a teacher, or its teacher's weight file is gone.
    """
    sources = list(spec.get("code", []))
    run_sources(sources)
    try:
        config = TrialConfig.from_dict(record.config)
    except ConfigError as error:
        raise UserError(f"trial {record.key} was written by another version: {error}") from None
    pair, teacher_training = _pair(folder, outline, spec, record, config)
    pinned = StudySpec(
        data=dataclasses.replace(config.data, fingerprint=None),
        pairs=(pair,),
        methods=(distillation(config.method),),
        training=config.training,
        teacher_training=teacher_training,
        search=Search(seed=config.seed if record.stage == "search" else 0),
        confirm=_confirm(spec, config),
        resources=Resources(cpus_per_trial=spec.get("resources", {}).get("cpus_per_trial", 1)),
    )
    if record.key not in _keys(pinned, config):
        raise UserError(f"trial {record.key} cannot be written as a space: what decides it has changed since")
    code = "\n\n".join(filter(None, map(without_study, sources)))
    names = sorted(_classes(pinned))
    lines = [*textwrap.wrap(about, WIDTH - 3), "", "Its confirming runs train this configuration again."]
    head = '"""' + "\n".join(lines) + '\n"""'
    imports = f"from study.spec import {', '.join(names)}"
    body = f"STUDY = {written(pinned, len('STUDY = '))}"
    return "\n\n".join(filter(None, [head, imports, code, body])) + "\n"


def distillation(method: Method) -> Distillation:
    """A method of the control plane, without domains, that resolves to ``method``."""
    features = tuple(_added(term) for term in method.features)
    logit = method.logit
    if logit is None:
        return Distillation(base=None, ce_weight=method.ce_weight, features=features)
    return Distillation(
        base=logit.base,
        options={logit.base: dict(logit.options)} if logit.options else {},
        ce_weight=method.ce_weight,
        features=features,
        beta=logit.complementary_weight,
        **{name: getattr(logit, name) for name in SAME},
    )


SAME = ("alpha", "scales", "consistent_weight", "reduction", "agreement", "warmup_epochs")
"""Fields that a method and the logit term it resolves to have in common."""
assert set(SAME) <= {field.name for field in dataclasses.fields(LogitTerm)}


def _added(term: FeatureTerm) -> Added:
    return Added(
        name=term.name, weight=term.weight, options=dict(term.options), warmup_epochs=term.warmup_epochs
    )


def _confirm(spec: Mapping[str, Any], config: TrialConfig) -> Confirm:
    seeds = spec.get("confirm", {}).get("seeds", 1)
    watch = (
        spec.get("confirm", {}).get("watch_test", False) if config.fit == "train" else config.test == "every"
    )
    return Confirm(paper=False, seeds=max(seeds, config.seed if config.fit == "all" else 1), watch_test=watch)


def _pair(
    folder: StudyFolder, outline: Outline, spec: Mapping[str, Any], record: Record, config: TrialConfig
) -> tuple[Pair, Training | None]:
    """The pair of a trial, and how its teacher was trained, if not as the student was."""
    known = {f"{pair['teacher']}-{pair['student']}": pair for pair in spec.get("pairs", [])}
    if record.pair not in known or record.stage == "teachers":
        raise UserError(f"trial {record.key} trained the teacher {record.pair}; pin the trial of a student")
    written = known[record.pair]
    published = paper.learning_rate(config.student) is not None
    own = {"lr": config.training.lr} if published and config.training.lr == Training().lr else {}
    pair = Pair(written["teacher"], written["student"], training=own)
    if written.get("weights") is not None:
        file = weight_file(folder, written["weights"], config.teacher.weights if config.teacher else None)
        return dataclasses.replace(pair, weights=str(file)), None
    for other in outline.records.values():
        if other.stage == "teachers" and other.pair == pair.teacher:
            training = from_plain(Training, other.config["training"])
            return pair, None if training == config.training else training
    raise UserError(
        f"trial {record.key}: the journal does not tell how its teacher {pair.teacher} was trained"
    )


def weight_file(folder: StudyFolder, given: str, weights: str | None) -> Path:
    """The file with these teacher weights: the one the study names, or the one that was filed."""
    from trainables.models.weights import load_published, state_sha256

    files = [Path(given).absolute(), *([folder.store.teacher(weights)] if weights else [])]
    for file in files:
        if file.is_file() and weights in (None, state_sha256(load_published(file))):
            return file
    raise UserError(f"the teacher's weight file {given} is gone, or holds other weights by now")


def _keys(pinned: StudySpec, config: TrialConfig) -> set[str]:
    """The keys of all that a pinned space trains of its student: as in a search, and confirming."""
    plan = Plan(pinned, config.data, cast(Any, None))  # nothing that needs the images is asked of it
    (pair,), (method,) = pinned.pairs, pinned.methods
    fixed = plan.fixed_config(pair, method, config.teacher or Teacher(name=pair.teacher, weights=""))
    return {fixed.trial_key, *(job.key for job in plan.confirm_jobs(fixed, pair.label, ""))}


def without_study(source: str) -> str:
    """The code of a space file that registers losses: all of it but its docstring and its STUDY."""
    lines = source.splitlines(keepends=True)
    kept = []
    for number, node in enumerate(ast.parse(source).body):
        docstring = number == 0 and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        targets = node.targets if isinstance(node, ast.Assign) else []
        study = any(isinstance(target, ast.Name) and target.id == "STUDY" for target in targets)
        if not docstring and not study and not _is_future(node):
            first = min([node.lineno, *(item.lineno for item in getattr(node, "decorator_list", []))])
            kept.append("".join(lines[first - 1 : node.end_lineno]).strip("\n"))
    return "\n".join(kept)


def _is_future(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def written(value: Any, column: int = 0, indent: int = 0) -> str:
    """``value`` as Python, dataclasses by the fields that are not at their defaults."""
    flat = _flat(value)
    if column + indent + len(flat) < WIDTH or not (name_items := _items(value)):
        return flat
    name, items, end = name_items
    inner = indent + 4
    body = "".join(f"{' ' * inner}{label}{written(item, len(label) + 1, inner)},\n" for label, item in items)
    return f"{name}\n{body}{' ' * indent}{end}"


def _flat(value: Any) -> str:
    parts = _items(value)
    if parts is None:
        return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
    name, items, end = parts
    comma = "," if name == "(" and len(items) == 1 else ""
    return f"{name}{', '.join(f'{label}{_flat(item)}' for label, item in items)}{comma}{end}"


def _items(value: Any) -> tuple[str, list[tuple[str, Any]], str] | None:
    """(opening, labelled items, closing) of what has parts."""
    if dataclasses.is_dataclass(value):
        return f"{_name(value)}(", [(f"{n}=", v) for n, v in _set_fields(value)], ")"
    if isinstance(value, Mapping):
        return "{", [(f"{_flat(key)}: ", item) for key, item in value.items()], "}"
    if isinstance(value, (tuple, list)):
        return "(", [("", item) for item in value], ")"
    return None


def _name(value: Any) -> str:
    """The name under which space files know a class."""
    return "SDD" if isinstance(value, Distillation) else type(value).__name__


def _set_fields(value: Any) -> Iterable[tuple[str, Any]]:
    for field in dataclasses.fields(value):
        default = field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        if getattr(value, field.name) != default:
            yield field.name, getattr(value, field.name)


def _classes(value: Any) -> set[str]:
    parts = _items(value)
    items: Sequence[tuple[str, Any]] = parts[1] if parts else []
    own = {_name(value)} if dataclasses.is_dataclass(value) else set()
    return own.union(*(_classes(item) for _, item in items))
