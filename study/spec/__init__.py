"""Says what a study is: hands on the names that space files import."""

from study.spec.study import *  # noqa: F403
from study.spec.study import __all__ as __all__
