"""Makes one trained student of one configuration: epochs, checkpoints, the result.

:func:`run_trial` is the whole of it; ``checkpoint.py`` keeps and restores the state between epochs,
``result.py`` files the student.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainables.training.loop import NonFiniteLoss as NonFiniteLoss
    from trainables.training.loop import run_trial as run_trial
    from trainables.training.result import load_student as load_student
else:
    from trainables.lazy import hand_on

    __getattr__, __dir__, __all__ = hand_on(__name__)
