"""Ctrl-C and SIGTERM end a command with what it has."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol


class Stoppable(Protocol):
    """What is told that the user wants an end."""

    stopped: bool


@contextmanager
def stop_on_signals(listener: "Stoppable") -> Iterator[None]:
    """SIGTERM does what Ctrl-C does; the listener knows of both, should the exception get lost."""

    def interrupt(_number: int, _frame: Any) -> None:
        listener.stopped = True
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
