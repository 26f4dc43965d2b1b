"""``inspect.stack`` with the source lines of the three innermost frames alone.

Each ``T.prim_func`` and ``R.function`` of TVMScript asks for the whole stack, and reads the line of its third frame.
Under pytest a stack has a hundred frames, whose lines take most of the time of parsing a module.
"""

import inspect
import sys

LINES = 3


def stack(context=1):
    """Return the frames of the caller and of those who called it, innermost first."""
    frame, found = sys._getframe(1), []
    while frame is not None:
        if len(found) < LINES:
            info = inspect.getframeinfo(frame, context)
            found.append(inspect.FrameInfo(frame, *info, positions=info.positions))
        else:
            code = frame.f_code
            found.append(inspect.FrameInfo(frame, code.co_filename, frame.f_lineno, code.co_name, None, None))
        frame = frame.f_back
    return found
