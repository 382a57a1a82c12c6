"""An error's message, cut down to a part of a line."""

from __future__ import annotations

from trainables.errors import first_line, short


def test_a_message_of_many_lines_fits_one() -> None:
    error = ValueError("\n  no such host\n\nTraceback: a long one\n")
    assert short(error) == "no such host Traceback: a long one"
    assert short(error, 7) == "no such"
    assert first_line(error) == "no such host"
    assert first_line(error, 2) == "no"


def test_an_error_without_words_says_its_type() -> None:
    assert short(KeyboardInterrupt()) == first_line(KeyboardInterrupt()) == "KeyboardInterrupt"
