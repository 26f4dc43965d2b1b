"""Which versions of TVM the pass and the harness support."""

import re

import tvm

SUPPORTED = ">=0.27,<0.28"
"""As the package's requirement on apache-tvm says it (pyproject.toml)."""


def require_supported_tvm() -> None:
    """Raise ImportError if TVM has another version than a supported one."""
    version = str(getattr(tvm, "__version__", "unknown"))
    if not re.match(r"0\.27(?!\d)", version):
        raise ImportError(
            f"foldproof supports apache-tvm {SUPPORTED}, but this is TVM {version}; "
            f"install it with: pip install 'apache-tvm{SUPPORTED}'"
        )
