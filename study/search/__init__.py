"""Decides which trial comes next, which one stops early, and when a search ends.

:class:`StudySearch` shares a budget among the searches of a study, :class:`OptunaSearcher` asks Optuna on
behalf of one of them, :class:`SearchHistory` says what the journal knows already. Stopping rules are in
``early_stopping.py``, samplers in ``samplers.py``.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from study.search.budget import BudgetMeter as BudgetMeter
    from study.search.early_stopping import StoppingRule as StoppingRule
    from study.search.history import SearchHistory as SearchHistory
    from study.search.objectives import Objectives as Objectives
    from study.search.optuna_searcher import OptunaSearcher as OptunaSearcher
    from study.search.optuna_storage import open_optuna_storage as open_optuna_storage
    from study.search.study_search import StudySearch as StudySearch
else:
    from trainables.lazy import hand_on

    __getattr__, __dir__, __all__ = hand_on(__name__)
