"""What every error of the judge is: one class to catch, and a message for people."""


class ParityError(Exception):
    """The judge cannot do what it was asked; the message says what was expected."""
