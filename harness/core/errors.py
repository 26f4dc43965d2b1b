"""Base classes of errors that the user can correct. The message is one line: the value, and what was expected."""


class UsageError(ValueError):
    """Bad input: the message is one line that names the value and what was expected."""


class FileError(UsageError):
    """A file or folder that cannot be read or written; the message names it."""
