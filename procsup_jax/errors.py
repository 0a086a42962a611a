"""The one exception whose message is meant for the user."""


class UserError(Exception):
    """Report a mistake in the user's input or environment.

    The message is one line that holds the value found, what was expected, and the fix; `procsup` prints it
    without a traceback and exits with `exit_code`.
    """

    exit_code = 2
