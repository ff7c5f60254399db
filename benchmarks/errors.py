"""What the command line says in one sentence."""


class InputError(ValueError):
    """Bad input: the message says what was given, what was expected and what to do."""


class WorkerFailedError(RuntimeError):
    """A competitor could not do its work; the message has its reason and names its log."""
