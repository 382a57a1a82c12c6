"""Opens a trained network to learn from: imported, run on each batch, or looked up.

:class:`LiveTeacher` computes, :class:`CachedTeacher` looks up what a :class:`TeacherCache` has and computes
the rest; :func:`open_teacher` chooses.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainables.teacher.cache import TeacherCache as TeacherCache
    from trainables.teacher.cached import CachedTeacher as CachedTeacher
    from trainables.teacher.live import LiveTeacher as LiveTeacher
    from trainables.teacher.opening import open_teacher as open_teacher
else:
    from trainables.lazy import hand_on

    __getattr__, __dir__, __all__ = hand_on(__name__)
