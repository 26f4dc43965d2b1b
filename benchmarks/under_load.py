"""Run a command beside busy loops: tests must not depend on the machine's speed.

    python benchmarks/under_load.py --loops 3 -- make test

The exit code is that of the command.
"""

import multiprocessing
import os
import subprocess
import sys
import time

import click


def loop() -> None:
    """Keep one core busy."""
    while True:
        pass


@click.command()
@click.option("--loops", default=3, show_default=True, help="Number of processes that keep a core busy.")
@click.argument("command", nargs=-1, required=True)
def main(loops: int, command: tuple[str, ...]) -> None:
    """Run COMMAND while other processes keep the cores busy."""
    busy = [multiprocessing.Process(target=loop, daemon=True) for _ in range(loops)]
    for process in busy:
        process.start()
    started = time.monotonic()
    try:
        code = subprocess.run(command, check=False).returncode  # noqa: S603, what the user asked for
    finally:
        for process in busy:
            process.kill()
    seconds, load = time.monotonic() - started, os.getloadavg()[0]
    print(f"{' '.join(command)}: exit code {code} after {seconds:.0f} s, load average {load:.1f} at the end")
    sys.exit(code)


if __name__ == "__main__":
    main()
