"""From a compiled TVM module to addresses that can be called, without a file that anyone could leave behind.

    runtime module --LLVM--> object (memory file) --+-- place: maps the code itself (x86-64, code that needs no more)
                                                    +-- link:  ld -shared (memory file), loaded as TVM loads a library

Memory files have no name in any folder: whatever ends the process, ``kill -9`` included, nothing is left.
"""

import _ctypes
import ctypes
import os
import shutil
import subprocess
import weakref
from collections.abc import Iterable
from typing import Any

import tvm

from foldproof.ir.relax.targets.fast.elf_loader import Code, NotPlaceable, place
from foldproof.ir.relax.targets.target import Unsupported

LINKER = "ld"


def load(module: tvm.runtime.Module, symbols: Iterable[str]) -> Code:
    """The code of an LLVM module. Raises Unsupported if it has to be linked and this machine has no linker."""
    symbols = tuple(symbols)
    with os.fdopen(os.memfd_create("foldproof.o", os.MFD_CLOEXEC), "rb") as file:
        module.write_to_file(f"/proc/self/fd/{file.fileno()}", "o")
        try:
            return place(file.read(), symbols)
        except NotPlaceable:
            return link(file.fileno(), symbols)


def link(descriptor: int, symbols: Iterable[str]) -> Code:
    """Link an object, given as a file descriptor, and load it as TVM loads a library, which connects it to the runtime.

    Raises Unsupported without a linker.
    """
    linker = shutil.which(LINKER)
    if linker is None:
        raise Unsupported(f"no linker {LINKER!r} on PATH")
    library = os.memfd_create("foldproof.so", os.MFD_CLOEXEC)
    path = f"/proc/self/fd/{library}"
    try:
        command = [linker, "-shared", "-o", path, f"/proc/self/fd/{descriptor}"]
        done = subprocess.run(command, pass_fds=(descriptor, library), capture_output=True, text=True)  # noqa: S603
        if done.returncode != 0:
            raise Unsupported(f"{linker} failed: {done.stderr.strip()}")
        module: Any = tvm.get_global_func("ffi.Module.load_from_file.so")(path, "so")
        handle = ctypes.CDLL(path)
    except BaseException:
        os.close(library)
        raise
    code = Code({name: int(ctypes.cast(getattr(handle, name), ctypes.c_void_p).value or 0) for name in symbols})
    weakref.finalize(code, _unload, [module], handle._handle, library).atexit = False
    return code


def _unload(module: list[Any], handle: int, library: int) -> None:
    """The file stays open as long as its library is loaded: the dynamic linker knows libraries by their paths."""
    _ctypes.dlclose(handle)
    module.clear()
    os.close(library)
