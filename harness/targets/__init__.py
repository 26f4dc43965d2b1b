"""Lowering pipelines and runners: from Relax functions to arrays on a target."""

from harness.targets.local import Program, Target, TargetError, compile_functions, parse_target

__all__ = ["Program", "Target", "TargetError", "compile_functions", "parse_target"]
