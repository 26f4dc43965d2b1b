"""Report verdicts to Hypothesis as events, which ``--hypothesis-show-statistics`` counts."""

import sys
from typing import Any

from foldproof.checking.result import Verdict


def report_events(verdict: Verdict) -> None:
    """Report the outcome of a case and its reasons; do nothing outside of a Hypothesis test."""
    hypothesis: Any = sys.modules.get("hypothesis")
    if hypothesis is None or not hypothesis.currently_in_test_context():
        return
    hypothesis.event("folded" if verdict.folded else "refused")
    for rule in verdict.rules:
        hypothesis.event(f"rule: {rule}")
    for kind, _ in verdict.reasons:
        hypothesis.event(f"refused: {kind}")
    for name in (*verdict.undefined, *verdict.known_issues):
        hypothesis.event(f"not compared: {name}")
    if verdict.unsupported:
        hypothesis.event(f"not executed: {verdict.unsupported}")
