"""Atomic writing: a file is written whole or not at all, even if the process is killed."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO

from foldproof.core.errors import FileError


def create_file(path: Path, text: str) -> bool:
    """Create a file, whole or not at all. Return False if a file of that name exists. Raises OSError.

    Where the file system can (Linux), the file has no name before it is whole, so ``kill -9`` leaves no file.
    """
    with unnamed_file(path.parent) as file, suppress(FileExistsError):
        file.write(text)
        file.flush()
        folder = os.open(path.parent, os.O_RDONLY)
        try:  # unlike a rename, a link fails if the name is taken; with a src_dir_fd it follows the link in /proc
            os.link(_link_source(file), path, src_dir_fd=folder)
        finally:
            os.close(folder)
        return True
    return False


def unnamed_file(folder: Path) -> IO[str]:
    """Open a file for writing that has no name yet, where the file system can. Raises OSError."""
    if hasattr(os, "O_TMPFILE"):
        with suppress(OSError):  # a file system without such files
            return os.fdopen(os.open(folder, os.O_TMPFILE | os.O_WRONLY, 0o666), "w", encoding="utf-8")
    return tempfile.NamedTemporaryFile("w", dir=folder, suffix=".tmp", encoding="utf-8")


def _link_source(file: IO[str]) -> str:
    return file.name if isinstance(file.name, str) else f"/proc/self/fd/{file.fileno()}"


def replace_file(path: Path, text: str) -> None:
    """Replace the content of a file, whole or not at all. Raises FileError."""
    try:
        with suppress(OSError):  # a file system without hard links
            if create_file(path, text):
                return
        with tempfile.NamedTemporaryFile("w", dir=path.parent, suffix=".tmp", delete=False, encoding="utf-8") as file:
            try:
                file.write(text)
                file.flush()
                os.replace(file.name, path)
            except BaseException:
                os.unlink(file.name)
                raise
    except OSError as error:
        raise FileError(f"{path}: cannot be written: {error.strerror}") from error
