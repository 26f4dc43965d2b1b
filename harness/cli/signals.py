"""SIGINT (Ctrl-C) and SIGTERM end a command early; it still reports what it has."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol


class Stoppable(Protocol):
    """An object that is informed that the user stops the command."""

    stopped: bool


class Stopped:
    """Remembers that the user stopped the command."""

    stopped = False


@contextmanager
def stop_on_signals(listener: Stoppable) -> Iterator[None]:
    """Raise KeyboardInterrupt on both signals, and set ``listener.stopped`` in case the exception is lost."""

    def interrupt(_number: int, _frame: Any) -> None:
        listener.stopped = True
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def ignore_signals() -> None:
    """Ignore both signals from now on, within ``stop_on_signals``: a report that has begun is printed to its end."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
