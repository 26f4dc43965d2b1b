"""Run pytest on a project of its own: in this process, which has TVM already, or in a new one.

A new process takes seconds to import TVM. In this process a run ends with the modules that were there before, so all of
foldproof has to be there: TVM cannot be imported twice.
"""

import pkgutil
import warnings
from contextlib import contextmanager
from functools import cache
from importlib import import_module

from hypothesis import settings

import foldproof
from foldproof import Axis, Case, FoldExplicitPadding, check

NO_CACHE = ("-p", "no:cacheprovider")


def run_here(project, *args):
    """Run pytest in this process."""
    load_all()
    with of_hypothesis("default"), warnings.catch_warnings():
        warnings.simplefilter("default")
        return project.runpytest_inprocess(*NO_CACHE, *args)


def run_apart(project, *args):
    """Run pytest in a process of its own, as a user does: for what depends on the start or the end of a process."""
    return project.runpytest_subprocess(*NO_CACHE, *args, timeout=200)


@cache
def load_all():
    """Import all that a run may import, and check a case, for what TVM imports then."""
    for module in pkgutil.walk_packages(foldproof.__path__, "foldproof."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    case = Case(op="conv1d", axes=(Axis(pad=(1, 0)),))
    for pipeline in ("fast", "default"):
        check(case, FoldExplicitPadding(), foldproof.ir.relax.ir.RELAX.parse_target("llvm", pipeline))


@contextmanager
def of_hypothesis(profile):
    """Use another profile, as a process without our conftest does."""
    before = settings.get_current_profile_name()
    settings.load_profile(profile)
    try:
        yield
    finally:
        settings.load_profile(before)
