"""Passes with faults that a test selects by environment variables. (Wrong passes are in ``foldproof.mutants``.)"""

import os
import signal
import subprocess
import sys
import time


def faulty(mod):
    """Return the module unchanged, after the fault FAULT if a convolution has 2 groups."""
    if "groups=2," in mod.script():
        FAULTS[os.environ.get("FAULT", "nothing")]()
    return mod


def nothing():
    pass


def raises():
    raise RuntimeError("on purpose")


def segfaults():
    os.kill(os.getpid(), signal.SIGSEGV)


def aborts():
    os.write(2, b"Check failed: on purpose\n")
    os.abort()


def exits():
    os._exit(0)


def loops():
    while True:
        time.sleep(1)


def eats():
    hoard = []
    while True:
        hoard.append(bytearray(1 << 26))


def babbles():
    """Write 10 MB of all byte values to stdout, and as many to stderr."""
    for stream in (1, 2):
        for _ in range(10):
            os.write(stream, bytes(range(256)) * 4096)
    sys.stdout.write('{"event": "summary"}\n')
    sys.stdout.flush()


FAULTS = {f.__name__: f for f in (nothing, raises, segfaults, aborts, exits, loops, eats, babbles)}


def dilated_groups(mod):
    """Kill the process at a convolution with both groups and a dilation of 3."""
    for line in mod.script().splitlines():
        if "conv" in line and "dilation=[" in line and "groups=" in line:
            dilation = line.split("dilation=[")[1].split("]")[0].split(",")
            groups = int(line.split("groups=")[1].split(",")[0])
            if groups > 1 and 3 in map(int, dilation):
                os.kill(os.getpid(), signal.SIGSEGV)
    return mod


class ThenDisturbed:
    """The mutant begin_end_swapped; its first call executes the shell command DISTURBANCE."""

    def __init__(self):
        from foldproof.mutants import BY_NAME

        self.wrong = BY_NAME["begin_end_swapped"].make()

    def __call__(self, mod):
        mark = os.environ.get("MARK_FILE")
        if mark and not os.path.exists(mark):
            open(mark, "w").close()
            subprocess.run(os.environ["DISTURBANCE"], shell=True, check=True)
        return self.wrong(mod)
