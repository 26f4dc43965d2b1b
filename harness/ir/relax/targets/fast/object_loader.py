"""Load a compiled TVM module as addresses that can be called, without files on disk.

    runtime module --LLVM--> object (memory file) --+-- load_elf: maps the code itself (x86-64, simple code)
                                                    +-- link: ld -shared (memory file), loaded as TVM loads a library

Memory files have no name in any folder, so nothing is left however the process ends, even after ``kill -9``.
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

from foldproof.ir.relax.targets.fast.elf_loader import Code, NeedsLinker, load_elf
from foldproof.ir.relax.targets.target import Unsupported

LINKER = "ld"


def load(module: tvm.runtime.Module, symbols: Iterable[str]) -> Code:
    """Return the code of an LLVM module. Raises Unsupported if it needs a linker and this machine has none."""
    symbols = tuple(symbols)
    with os.fdopen(os.memfd_create("foldproof.o", os.MFD_CLOEXEC), "rb") as file:
        module.write_to_file(f"/proc/self/fd/{file.fileno()}", "o")
        try:
            return load_elf(file.read(), symbols)
        except NeedsLinker:
            return link(file.fileno(), symbols)


def link(descriptor: int, symbols: Iterable[str]) -> Code:
    """Link an object, given as a file descriptor, and load it as TVM loads a library, connected to the runtime.

    Raises Unsupported if there is no linker, or if it fails.
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
    """Unload a library, then close its file: the dynamic linker identifies libraries by their paths."""
    _ctypes.dlclose(handle)
    module.clear()
    os.close(library)
