"""Run work in a forked process, which may end or hang without harm to this one."""

import multiprocessing
import os
import resource
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def in_fork(work: Callable[[], T], *, seconds: float, megabytes: int) -> T | None:
    """Return the result of ``work`` in a fork of this process; None if the fork died or took over ``seconds``.

    The fork has ``megabytes`` of address space and no output, because TVM warns about many changed passes.
    """
    context = multiprocessing.get_context("fork")
    answers, ours = context.Pipe(duplex=False)

    def answer() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))
        for stream in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
        ours.send(work())

    process = context.Process(target=answer)
    process.start()
    ours.close()
    try:
        found: T | None = answers.recv() if answers.poll(seconds) else None
    except EOFError:
        found = None
    process.kill()
    process.join()
    return found
