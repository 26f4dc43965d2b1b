"""The base of errors that are the user's to mend: one line that names the value and the choices."""


class UsageError(ValueError):
    """What the user wrote makes no sense; the message is one line that names the value and the choices."""


class FileError(UsageError):
    """A file or folder that cannot be read or written; the message names it."""
