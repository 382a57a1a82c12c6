"""Control plane: what to run, where it stands, what came out.

    import study

    study.plan("quickstart")                      # what it would run, on which data; trains nothing
    found = study.run("quickstart")               # the same study as the launch command runs, and as safe
    found = study.open("results", "quickstart")   # or one that ran before, or runs elsewhere
    found.trials, found.best(), found.tables(), found.student(pair="resnet20-resnet8")

``study.spec`` holds what a study is written in. Importing either imports no torch, Ray or pandas.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from study.api.notebook import run as run
    from study.api.opened import Study as Study
    from study.api.opened import open as open
    from study.plan.callable_room import CallableRoom

    plan: CallableRoom
else:
    from trainables.lazy import hand_on

    __getattr__, __dir__, __all__ = hand_on(__name__)
