"""The one exception that means: the user can mend this."""


class UserError(Exception):
    """A mistake in what the user gave: a file, a value, an order of steps.

    Its message names the file or value and says what to do. The command line prints it without a traceback.
    """


class TrainingDivergedError(UserError):
    """The loss of a training run is no longer a number."""
