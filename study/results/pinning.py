"""Writes one trial of a study as a space file that reproduces it: data, teacher, method, training, seed.

The file is checked before it is handed out: what it describes has the key of the trial it was made from.
"""

from __future__ import annotations

import dataclasses
import os
import textwrap
from pathlib import Path
from typing import Any, cast

from study.errors import UserError
from study.journal.journal import JournalOutline
from study.journal.record import TrialRecord
from study.plan.plan import Plan
from study.plan.study_file import StudyFile
from study.spec import published as paper
from study.spec.distillation import Distillation
from study.spec.source_code import WIDTH, _classes, without_study, written
from study.spec.study import Confirm, Pair, Resources, Search, StudySpec
from study.spec.training import TRAINING_KNOBS
from study.workspace.folder import StudyFolder
from trainables.config.data import Data
from trainables.config.serialization import ConfigError
from trainables.config.training import Training
from trainables.config.trial import Teacher, TrialConfig
from trainables.losses.user_losses import run_sources


def pin(
    folder: StudyFolder, outline: JournalOutline, file: StudyFile, record: TrialRecord, about: str
) -> str:
    """Return the text of a space file whose confirming runs are those of ``record``'s configuration.

    Args:
        file: the study's ``study.json``.
        about: a line for the file's docstring.

    Raises:
        UserError: the trial trained a teacher, or its teacher's weight file is gone.
    """
    sources = list(file.code)
    run_sources(sources)
    try:
        config = record.trial
    except ConfigError as error:
        raise UserError(f"trial {record.key} was written by another version: {error}") from None
    pair, teacher_training = _pair(folder, outline, file, record, config)
    shown = _shown_otherwise(outline, pair, config)
    data = dataclasses.replace(
        config.data, fingerprint=None, **{name: old for name, (_, old) in shown.items()}
    )
    changes = {name: new for name, (new, _) in shown.items()}
    pinned = StudySpec(
        data=data,
        pairs=(pair,),
        methods=(dataclasses.replace(Distillation.of(config.method), training=changes),),
        training=config.training,
        teacher_training=teacher_training,
        search=Search(seed=config.seed if record.stage == "search" else 0),
        confirm=_confirm(file, config),
        resources=Resources(cpus_per_trial=file.resources.cpus_per_trial),
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


def _confirm(file: StudyFile, config: TrialConfig) -> Confirm:
    asked = file.confirm or Confirm(seeds=1)
    watch = asked.watch_test if config.fit == "train" else config.test == "every"
    return Confirm(
        paper=False, seeds=max(asked.seeds, config.seed if config.fit == "all" else 1), watch_test=watch
    )


def _pair(
    folder: StudyFolder,
    outline: JournalOutline,
    file: StudyFile,
    record: TrialRecord,
    config: TrialConfig,
) -> tuple[Pair, Training | None]:
    """Return the pair of a trial, and how its teacher was trained, if not as the student was."""
    if record.pair not in file.pairs or record.stage == "teachers":
        raise UserError(f"trial {record.key} trained the teacher {record.pair}; pin the trial of a student")
    written = file.pairs[record.pair]
    published = paper.learning_rate(config.student) is not None
    own = {"lr": config.training.lr} if published and config.training.lr == Training().lr else {}
    pair = Pair(str(written.teacher), written.student, training=own)
    if written.weights is not None:
        given = os.path.expanduser(written.weights)
        weights = weight_file(folder, given, config.teacher.weights if config.teacher else None)
        return dataclasses.replace(pair, weights=str(weights)), None
    for other in outline.records.values():
        if other.stage == "teachers" and other.pair == pair.teacher:
            training = other.trial.training
            return pair, None if training == config.training else training
    raise UserError(
        f"trial {record.key}: the journal does not tell how its teacher {pair.teacher} was trained"
    )


def _shown_otherwise(outline: JournalOutline, pair: Pair, config: TrialConfig) -> dict[str, tuple[Any, Any]]:
    """Return what was done to the student's images and not to its teacher's: both values, by field."""
    teachers = [r for r in outline.records.values() if r.stage == "teachers" and r.pair == pair.teacher]
    names = [row.name for row in TRAINING_KNOBS.values() if row.holder is Data]
    both = {
        name: (getattr(config.data, name), getattr(teachers[0].trial.data, name))
        for name in (names if teachers and pair.weights is None else ())
    }
    return {name: values for name, values in both.items() if values[0] != values[1]}


def weight_file(folder: StudyFolder, given: str, weights: str | None) -> Path:
    """Find the file with these teacher weights: the one the study names, or the one that was filed."""
    from trainables.models.weights import load_published, state_sha256

    files = [Path(given).absolute(), *([folder.store.teacher(weights)] if weights else [])]
    for file in files:
        if file.is_file() and weights in (None, state_sha256(load_published(file))):
            return file
    raise UserError(f"the teacher's weight file {given} is gone, or holds other weights by now")


def _keys(pinned: StudySpec, config: TrialConfig) -> set[str]:
    """Return the keys of all that a pinned space trains of its student: as in a search, and confirming."""
    begun = {config.student: config.initial} if config.initial else {}
    nothing = cast(Any, None)  # nothing that needs the images is asked of it
    plan = Plan(pinned, config.data, nothing, published=begun)
    (pair,), (method,) = pinned.pairs, pinned.methods
    fixed = plan.fixed_config(pair, method, config.teacher or Teacher(name=str(pair.teacher), weights=""))
    return {fixed.trial_key, *(planned.key for planned in plan.confirm_trials(fixed, pair.label, ""))}
