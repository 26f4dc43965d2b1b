"""The environment that a reproducer's header names, in case the script shows no failure in another one."""

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import tvm

_CPU_FLAGS = (
    "sse4_2",
    "avx",
    "f16c",
    "fma",
    "avx2",
    "avx512f",
    "avx512_bf16",
    "avx512_fp16",
    "amx_bf16",
    "asimd",
    "sve",
)
"""The CPU flags that floating-point code depends on, as Linux names them."""


def describe_environment(target: Any) -> list[str]:
    """Return a line each for: packages, LLVM with Python and system, the CPU, the target, its features.

    Args:
        target: A ``tvm.target.Target``.
    """
    packages = ", ".join(f"{name} {version(name)}" for name in ("foldproof", "apache-tvm", "numpy", "ml_dtypes"))
    return [
        packages,
        f"LLVM {_call_tvm('target.llvm_version_major')}, Python {platform.python_version()}, {_describe_system()}",
        f"CPU {_describe_cpu()}",
        f"compiled for {target}",
        f"with {', '.join(sorted(_target_features(target))) or 'no named features'}",
    ]


def _call_tvm(name: str, *arguments: Any) -> Any:
    """Call a function of TVM; "unknown" if this build does not have it."""
    function = tvm.get_global_func(name, allow_missing=True)
    return "unknown" if function is None else function(*arguments)


def _describe_system() -> str:
    name = platform.freedesktop_os_release()["PRETTY_NAME"] if os.path.exists("/etc/os-release") else platform.system()
    return f"{name} ({platform.system()} {platform.release()}, {platform.machine()})"


def _describe_cpu() -> str:
    model, flags = platform.processor(), ""
    if Path("/proc/cpuinfo").exists():
        lines = dict(line.split(":", 1) for line in Path("/proc/cpuinfo").read_text().splitlines() if ":" in line)
        fields = {name.strip(): value.strip() for name, value in lines.items()}
        model = fields.get("model name", model)
        known = fields.get("flags", fields.get("Features", "")).split()
        flags = " ".join(flag for flag in _CPU_FLAGS if flag in known)
    return f"{model} ({_call_tvm('target.llvm_get_system_cpu')}): {flags}"


def _target_features(target: Any) -> list[str]:
    return (
        [] if target.kind.name != "llvm" else [str(name) for name in _call_tvm("target.llvm_get_cpu_features", target)]
    )
