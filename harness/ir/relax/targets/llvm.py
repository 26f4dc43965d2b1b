"""What LLVM makes of a target: its CPU and its features, and why it would compile for something else.

LLVM ignores a CPU, a feature or an option that it does not know: it writes a line to stderr, and compiles generic code.
"""

import contextlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from typing import Any

import tvm

GENERIC = "generic"
"""The CPU that LLVM compiles for if none is named."""

OPT_LEVELS, DEFAULT_OPT_LEVEL = (0, 1, 2, 3), 3

WIDEST = ("avx512f", "avx2", "avx", "sse4.2", "sve2", "sve", "neon")
"""Vector extensions, the widest of an architecture first."""

NOTABLE = ("fma", "f16c", "avx512bf16", "avx512fp16", "amx-tile", "fullfp16", "bf16")
"""Other features that change how floats are computed."""

_WITHOUT_EFFECT = ("mcpu", "mattr", "mtriple", "mabi", "mfloat-abi")
"""Options that TVM accepts for the kind ``c`` and passes to no compiler."""


def native_spec() -> dict[str, Any]:
    """Return the target of this CPU: its name, and the features in which this machine differs from that name.

    A virtual machine often hides features of its CPU. Code that uses them would end the process with SIGILL.
    """
    spec = {"kind": "llvm", "mcpu": str(_ask("target.llvm_get_system_cpu"))}
    implied = set(_features(tvm.target.Target(spec)))
    present = {str(name): bool(has) for name, has in _ask("tvm.codegen.llvm.GetHostCPUFeatures").items()}
    differing = [
        f"{'+' if has else '-'}{name}" for name, has in sorted(present.items()) if has is not (name in implied)
    ]
    return spec | {"mattr": differing} if differing else spec


def find_problem(target: tvm.target.Target) -> str:
    """Return why TVM or LLVM would not compile for exactly this target, in a line; empty if they do.

    Args:
        target: a target of the kind ``llvm`` or ``c``.
    """
    options = target.attrs
    if target.kind.name == "c":
        ignored = [name for name in _WITHOUT_EFFECT if name in options]
        return f"{ignored[0]} has no effect for the kind c; omit it" if ignored else ""
    triple, cpu = str(options.get("mtriple", _ask("target.llvm_get_system_triple"))), str(options.get("mcpu", GENERIC))
    with captured_stderr():
        known_triple, known_cpu = _is_valid_cpu(GENERIC, triple), _is_valid_cpu(cpu, triple)
    if not known_triple:  # asking LLVM more about it would end the process
        targets = ", ".join(map(str, _ask("target.llvm_get_targets")))
        return f"LLVM does not know the mtriple {triple!r}; expected one that begins with one of {targets}"
    if not known_cpu:
        cpus = ", ".join(_cpus(triple))
        return f"LLVM does not know the mcpu {cpu!r} for {triple}; expected one of {cpus} (`native` alone is this CPU)"
    level = options.get("opt-level", DEFAULT_OPT_LEVEL)
    if level not in OPT_LEVELS:
        return f"unknown opt-level {level!r}; expected one of {', '.join(map(str, OPT_LEVELS))}"
    return _find_unknown_feature(options.get("mattr", ()), triple) or _find_ignored(target)


def _find_unknown_feature(attributes: Iterable[Any], triple: str) -> str:
    for each in map(str, attributes):
        if not each.startswith(("+", "-")):
            return f"unknown feature {each!r} in mattr; expected + or - before its name, such as '+{each}'"
        if _find_ignored(tvm.target.Target({"kind": "llvm", "mtriple": triple, "mattr": [each]})):
            names = ", ".join(_list_features(triple))
            return f"LLVM does not know the feature {each!r} in mattr; expected + or - before one of {names}"
    return ""


_OF_RELAX = "/src/relax/"
"""Part of a log line of TVM that has nothing to do with targets."""


def _find_ignored(target: tvm.target.Target) -> str:
    """Return what TVM or LLVM writes to stderr, or raises, when they read the options of a target; empty if nothing."""
    raised = ""
    with captured_stderr() as lines:
        try:
            _features(target)
        except Exception as error:  # noqa: BLE001, TVM raises errors of several types for bad options
            raised = str(error)
    # A BlockBuilder that is collected just now writes a warning, too.
    lines = [line for line in lines if _OF_RELAX not in line]
    return _shorten(lines[0] if lines else raised)


def _shorten(text: str) -> str:
    """Return the last line of a message, without the time and the file of a log line."""
    return text.strip().split("\n")[-1].split(": Error: ")[-1]


def describe(target: tvm.target.Target) -> str:
    """Return the CPU, the opt-level and the notable features of a target.

    Example: ``CPU znver4, opt-level 3, avx512f, fma, f16c``.
    """
    features = set(_features(target))
    notable = [*[name for name in WIDEST if name in features][:1], *(name for name in NOTABLE if name in features)]
    parts = [
        f"CPU {target.attrs.get('mcpu', GENERIC)}",
        f"opt-level {target.attrs.get('opt-level', DEFAULT_OPT_LEVEL)}",
        *notable,
    ]
    return ", ".join(map(str, parts))


@contextlib.contextmanager
def captured_stderr() -> Iterator[list[str]]:
    """Keep what this process writes to stderr; the list that is yielded has its lines after the block."""
    lines: list[str] = []
    with tempfile.TemporaryFile() as file:
        saved = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            yield lines
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            file.seek(0)
            lines.extend(file.read().decode(errors="replace").splitlines())


def _ask(function: str, *args: Any) -> Any:
    return tvm.get_global_func(function)(*args)


def _is_valid_cpu(cpu: str, triple: str) -> bool:
    return bool(_ask("target.llvm_is_valid_cpu", cpu, triple))


def _features(target: tvm.target.Target) -> list[str]:
    return [str(name) for name in _ask("target.llvm_get_cpu_features", target)]


def _cpus(triple: str) -> list[str]:
    return [str(name) for name in _ask("target.llvm_get_cpu_archlist", _target(mtriple=triple))]


def _list_features(triple: str) -> list[str]:
    """Return the names of the features that at least one CPU of an architecture has."""
    return sorted({name for cpu in _cpus(triple) for name in _features(_target(mtriple=triple, mcpu=cpu))})


def _target(**options: str) -> tvm.target.Target:
    return tvm.target.Target({"kind": "llvm", **options})
