"""Bad input, and a training that cannot go on, as opposed to a bug."""


class InputError(ValueError):
    """What was given, what was expected, what to do; the command line prints nothing else."""


class DivergedError(RuntimeError):
    """A training has come to values that are not finite; the message says when."""
