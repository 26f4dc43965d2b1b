"""The command ``foldproof``, also as ``python -m foldproof``. A signal ends it in order from here on."""

import os
import signal
from typing import Any


def run() -> None:
    """Run the command line. A signal during the imports, which take a second, ends it with one line."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    from foldproof.cli.main import main

    signal.signal(signal.SIGINT, signal.default_int_handler)  # from here on a command reports what it has
    main()


def _end(_number: int, _frame: Any) -> None:
    os.write(2, b"foldproof: interrupted\n")
    os._exit(130)


if __name__ == "__main__":
    run()
