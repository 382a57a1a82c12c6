"""Is it decoupling, or only a heavier loss? KD whose weight is searched as far as that of SD-KD goes.

``cifar_decoupled.py`` tunes beta of the decoupled losses: regions at odds with the whole count up to
eightfold, while plain KD keeps the published weight of 0.9. Here that is searched as far, all else as there,
for the same pairs and the same teacher. With ``--results`` of that study its teacher is found, and
``sdd-study compare`` sets the two side by side.
"""

import dataclasses

from search_spaces.cifar_decoupled import STUDY as DECOUPLED
from study.spec import Float, LogFloat, plain

STUDY = dataclasses.replace(
    DECOUPLED,
    methods=(plain("kd", alpha=LogFloat(0.9, 7.2), options={"temperature": Float(1, 8)}),),
)
