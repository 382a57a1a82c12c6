"""Makes one optimisation step on one device: network, loss, optimiser, compilation, evaluation.

:class:`Engine` does a step, :class:`Criterion` is the loss of a configuration, :class:`MultiScaleHead` gives
region logits of any network. ``trainables/training`` decides which epochs there are.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainables.engine.criterion import Criterion as Criterion
    from trainables.engine.dot import DOT as DOT
    from trainables.engine.engine import Engine as Engine
    from trainables.engine.head import MultiScaleHead as MultiScaleHead
    from trainables.engine.optimizer import SGD as SGD
    from trainables.engine.optimizer import AdamW as AdamW
    from trainables.engine.process_cache import ProcessCache as ProcessCache
    from trainables.engine.runtime import CachePolicy as CachePolicy
    from trainables.engine.runtime import Runtime as Runtime
    from trainables.engine.runtime import TrialInputs as TrialInputs
else:
    from trainables.lazy import hand_on

    __getattr__, __dir__, __all__ = hand_on(__name__)
