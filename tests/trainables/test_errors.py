"""One family of errors, each in a line and with an exit code; other libraries' errors cut down to a line."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

import pytest

import study
import trainables
from study.errors import INTERRUPTED, TRIALS_FAILED, WRONG_INPUT, StageFailed, StudyHalted, UserError
from trainables.config.serialization import ConfigError
from trainables.errors import SDDError, TrialError, one_line, suggestion

BETWEEN_US = {
    "DamagedCheckpoint",  # the trial goes on from the one before
    "InfiniteGridError",  # becomes a ConfigError that names the field
    "Leaving",  # ends a thread of ours between two statements of a database
    "MeasurementCutShort",  # is told in a warning, and measured again by the next launch
    "NetworksUnavailable",  # figures that are left out
    "PeerLost",  # the worker group begins again
    "TunerExit",  # carries an error out of Tune
}
"""Exceptions that never reach a user: they pass between two of our functions."""


def test_a_message_of_many_lines_fits_one() -> None:
    error = ValueError("\n  no such  host\n\nTraceback: a long one\n")
    assert one_line(error) == "no such host Traceback: a long one"
    assert one_line(error, 7) == "no such"
    assert one_line(error, part="first") == "no such host"
    assert one_line(error, part="last", kind=True) == "ValueError: Traceback: a long one"


def test_an_error_without_words_says_its_type() -> None:
    assert one_line(KeyboardInterrupt()) == one_line(KeyboardInterrupt(), kind=True) == "KeyboardInterrupt"


def test_the_nearest_name_is_suggested_whatever_its_case() -> None:
    assert suggestion("RESNET9", ["resnet8", "vgg8"]) == "did you mean 'resnet8'?"
    assert suggestion("alpa", ["alpha", "alphas", "beta"], most=2) == "did you mean 'alpha', 'alphas'?"
    assert suggestion("x", ["b", "a"]) == "known: a, b"
    assert suggestion("x", ["b", "a"], otherwise="list them") == "list them"


def modules(package: ModuleType) -> list[ModuleType]:
    """All modules below ``package`` that can be imported here."""
    names = [found.name for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
    return [importlib.import_module(name) for name in names]


@pytest.mark.parametrize("package", [trainables, study], ids=lambda package: str(package.__name__))
def test_each_error_a_user_may_meet_is_of_the_family(package: ModuleType) -> None:
    errors = {
        item
        for module in modules(package)
        for item in vars(module).values()
        if isinstance(item, type) and issubclass(item, BaseException) and item.__module__ == module.__name__
    }
    assert errors, "the check itself"
    outside = {error.__name__ for error in errors if not issubclass(error, SDDError)}
    assert outside <= BETWEEN_US


def test_exit_codes_follow_from_whose_fault_it_is() -> None:
    codes = {kind.exit_code for kind in (UserError, ConfigError)}
    assert codes == {WRONG_INPUT}
    assert (StudyHalted.exit_code, StageFailed.exit_code) == (INTERRUPTED, TRIALS_FAILED)
    assert TrialError.exit_code == TRIALS_FAILED
    assert str(ConfigError("a:\n  wrong\n")) == "a: wrong"
