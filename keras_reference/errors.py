"""Bad input, as opposed to a bug."""


class InputError(ValueError):
    """What was given, what was expected, what to do; the command line prints nothing else."""
