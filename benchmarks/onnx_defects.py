"""Confirm the known defects of the ONNX tools that are installed: python benchmarks/onnx_defects.py

Prints a line for each: the tool, the defect, and the failure of its minimal case. The exit code is 1 if one is gone.
"""

import sys
from dataclasses import replace

from foldproof import check
from foldproof.checking.failures import Failure
from foldproof.ir.onnx.subjects.known_defects import KNOWN_DEFECTS
from foldproof.ir.subjects import SUBJECTS


def confirm(subject, defect):
    """Return the failure of the case of a defect; empty if another one, or none, shows."""
    try:
        check(defect.case, replace(subject.load(), known_defects=()))
    except Failure as failure:
        return failure.fingerprint if defect.excuses(failure) else ""
    return ""


def main():
    """Confirm each defect by any variant of its tool."""
    gone = 0
    for name, defects in KNOWN_DEFECTS.items():
        variants = [each for each in SUBJECTS if each.name.partition("/")[0] == name]
        if variants[0].missing:
            print(f"{name:<14} not installed: {', '.join(variants[0].missing)}")
            continue
        for defect in defects:
            found = next(filter(None, (confirm(each, defect) for each in variants)), "")
            gone += not found
            print(f"{name:<14} {defect.name:<42} {found or 'does not show'}", flush=True)
    return 1 if gone else 0


if __name__ == "__main__":
    sys.exit(main())
