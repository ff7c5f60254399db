"""Signals: what has been asked to end ends, whatever was being done."""

import signal
from contextlib import suppress

import pytest

from parity.signals import StoppedError, Waiting, ending_at_once


def swallowed() -> None:
    """As Keras does it: it catches all, and goes on."""
    with suppress(BaseException):
        signal.raise_signal(signal.SIGTERM)


def misled() -> None:
    """As Keras does it: what follows fails for a reason that is none."""
    swallowed()
    raise TypeError("(None, 1, 1, 1) is no shape")


def test_a_signal_that_a_library_has_caught_ends_the_program_all_the_same() -> None:
    with pytest.raises(StoppedError, match="stopped by SIGTERM"), ending_at_once():
        swallowed()


def test_an_error_that_follows_from_a_signal_is_not_what_is_said() -> None:
    with pytest.raises(StoppedError, match="stopped by SIGTERM"), ending_at_once():
        misled()


def test_an_error_that_no_signal_has_caused_is_said() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(TypeError, match="no shape"), ending_at_once():
        raise TypeError("no shape")
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_signal_waits_and_a_second_one_does_not() -> None:
    before = signal.getsignal(signal.SIGINT)
    waiting = Waiting()
    waiting.begin()
    waiting.obey()
    signal.raise_signal(signal.SIGINT)
    assert waiting.asked == signal.SIGINT
    with pytest.raises(StoppedError, match="stopped by SIGINT"):
        signal.raise_signal(signal.SIGTERM)
    waiting.end()
    assert signal.getsignal(signal.SIGINT) is before
    with pytest.raises(StoppedError, match="stopped by SIGINT"):
        waiting.obey()
