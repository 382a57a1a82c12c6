"""Searches, in the second stage, what the methods leave open, until the budget is spent."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from study.plan.study_file import StudyFile
from study.search.history import SearchHistory
from study.stages.stage import StageContext, measuring
from study.tune.phases import Phase

log = logging.getLogger(__name__)


def search(context: StageContext) -> Iterator[Phase]:
    """Spend what is left of the budget, and note in ``study.json`` why each search ended."""
    from study.search.budget import BudgetMeter
    from study.search.optuna_searcher import OptunaSearcher
    from study.search.optuna_storage import open_optuna_storage
    from study.search.ownership import claim
    from study.search.study_search import StudySearch

    plan, recorder, spec = context.plan, context.recorder, context.plan.spec
    if not plan.search_spaces:
        return
    storage = open_optuna_storage(context.folder.optuna_url, log.warning)
    history = SearchHistory(plan, context.teachers, recorder.records)
    budget = BudgetMeter(spec.budget, recorder.records, recorder.journal.notes)
    searchers = [OptunaSearcher(space, history, storage) for space in plan.search_spaces]
    claim(storage, map(plan.search_name, plan.search_spaces), context.folder.journal)
    searching = StudySearch(searchers, budget)
    left = searching.left()
    recorder.stage("search", searching.used() + left, left)
    if left:
        yield Phase(searching, measuring(context))
    context.ended = searching.ended()
    StudyFile.read(context.folder).with_ends(context.ended).write(context.folder)
