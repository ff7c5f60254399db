"""The one exception that means "what you gave us is wrong", not "we are wrong"."""


class InputError(ValueError):
    """Bad input from the user: the message says what was given, what was expected, what to do.

    The command line prints the message alone and exits with 1; every other exception is a bug.
    """
