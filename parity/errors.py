"""What every error of the judge is: one class to catch, and a message for people in one line."""


class ParityError(Exception):
    """The judge cannot do what it was asked; the message says what was expected."""


def line_of(error: Exception) -> str:
    """What an error says, in one line; what it is called where it says nothing."""
    return " ".join(str(error).split())[:200] or type(error).__name__
