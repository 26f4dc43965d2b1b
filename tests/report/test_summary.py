"""foldproof.report.summary: the closing report of a campaign, as snapshots."""

import io
import re
from collections import Counter
from pathlib import Path

import pytest
from rich.console import Console
from tests.support.snapshots import assert_snapshot

from foldproof.campaign.failing import Place
from foldproof.campaign.shrinker import ShrinkResult
from foldproof.campaign.summary import DistinctFailure, Summary
from foldproof.case import Axis, Case, Pad, Step
from foldproof.checking.failures import failure
from foldproof.oracle.legality import Legality
from foldproof.report.summary import MEANINGS, print_known, print_summary
from foldproof.repro.reproducer import Reproducer

OPTIONS = " --pass my_project.passes:MyFold"

CASE = Case(op="conv1d", axes=(Axis(size=4, pad=(1, 2), kernel=2),), pad=Pad(value=3.0))
LARGE = Case(
    op="avg_pool2d",
    axes=(Axis(size=4, pad=(1, 0), kernel=2, stride=2), Axis(size=5, pad=(0, 2), kernel=3)),
    steps=(Step(kind="relu"),),
    count_include_pad=True,
)


def found(kind, case=CASE, *, symptom="values", detail="out[0,0,0] = 8.0, but should be -7.0", **fields):
    return DistinctFailure(failure=failure(kind, case, symptom, detail), **fields)


def shrunk(kind, *, minimal=True, symptom="values", detail="out[0,0,0] = 1.0, but should be 0.0"):
    return ShrinkResult(failure=failure(kind, CASE, symptom, detail), tried=51, seconds=1.94, minimal=minimal)


FAILURES = (
    found("MissedFold", LARGE, symptom="pad left", detail="the pad can be folded, but the pass left it"),
    found(
        "Miscompile",
        LARGE,
        count=9,
        shrunk=shrunk("Miscompile"),
        cause=("begin and end that differ",),
        explained=[Place(0, 4), Place(0, 9), Place(1, 3)],
        first_met=5,
        unexplained=4,
        dropped=2,
        reproduced=3,
        path=Path("foldproof-corpus/conv1d-Miscompile-values-0123456789.case.json"),
        reproducer=Reproducer(path=Path("foldproof-corpus/conv1d-Miscompile-values-0123456789.repro.py")),
    ),
    found(
        "TargetCrashed",
        count=2,
        symptom="SIGSEGV",
        detail="the process that compiled and ran the case died: SIGSEGV",
        shrunk=shrunk("TargetCrashed", minimal=False, symptom="SIGSEGV", detail="the process died: SIGSEGV"),
        reproduced=1,
        path=Path("foldproof-corpus/conv1d-TargetCrashed.case.json"),
        reproducer=Reproducer(
            path=Path("foldproof-corpus/conv1d-TargetCrashed.repro.py"), problem="exit code 0, ok: ..."
        ),
    ),
    found(
        "PipelineDisagreement",
        detail="the pipelines return different bits",
        reproducer=Reproducer(problem="a PipelineDisagreement is a failure of foldproof itself"),
    ),
)
"""One in each state: not shrunk; shrunk, saved and confirmed; not minimal, not confirmed; no script possible."""


def full_summary():
    """A summary with every counter."""
    summary = Summary(
        seed=20261126, cases=1500, executed=1499, folded=700, refused=760, failed=13, in_doubt=21, folded_in_doubt=9
    )
    summary.sampled, summary.seconds, summary.resumed, summary.interrupted = 30, 45.25, 500, True
    summary.by_op = Counter(
        {
            ("conv1d", "folded"): 400,
            ("conv1d", "refused"): 500,
            ("conv1d", "failed"): 13,
            ("avg_pool2d", "folded"): 300,
            ("avg_pool2d", "refused"): 260,
            ("avg_pool2d", "known"): 26,
            ("avg_pool2d", "in doubt"): 21,
            ("avg_pool2d", "folded in doubt"): 9,
            ("avg_pool2d", "not executed"): 2,
        }
    )
    summary.rules = Counter({"conv": 400, "avg_pool": 300})
    summary.reasons = Counter({"mode": 300, "value": 200, "crop": 60})
    summary.legality = Counter({str(each): 10 * n for n, each in enumerate(Legality, 1)})
    summary.declined = Counter({"negative widths": 5})
    summary.unsupported = Counter({"the IR has no such layout": 2})
    summary.undefined = Counter({"NaN into max_pool": 9, "sum that may overflow or has no error bound": 4})
    summary.known_issues = Counter({"integer-avg_pool-dtype": 8})
    summary.fallbacks = Counter({"symbolic length": 3})
    summary.known = Counter({"Miscompile/avg_pool/values": 26})
    summary.failures = {each.failure.fingerprint: each for each in FAILURES}
    return summary


def plain_text(print_it, *args, width=100):
    file = io.StringIO()
    print_it(Console(file=file, width=width, highlight=False), *args)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


def test_the_closing_report_has_every_counter_and_a_failure_in_each_state():
    assert_snapshot("report-summary", plain_text(print_summary, full_summary(), OPTIONS))


def test_the_columns_of_the_table_add_up():
    """Each case has one outcome: what is in doubt is neither folded nor refused."""
    lines = plain_text(print_summary, full_summary(), "").splitlines()
    titles = re.split(r"\s{2,}", lines[1])
    rows = {line.split()[0]: [int(n.replace(".", "0")) for n in line.split()[1:]] for line in lines[2:5]}
    assert titles == ["op", "folded", "refused", "in doubt", "failed", "known", "not executed", "cases"]
    assert rows["avg_pool2d"] == [291, 248, 21, 0, 26, 2, 588]
    assert set(rows) == {"conv1d", "avg_pool2d", "all"}
    for *outcomes, cases in rows.values():
        assert sum(outcomes) == cases
    assert rows["all"] == [sum(column) for column in zip(rows["conv1d"], rows["avg_pool2d"], strict=True)]


def test_the_closing_report_of_a_campaign_without_a_failure_is_short():
    summary = Summary(seed=1, cases=100, executed=100, folded=60, refused=40, seconds=8.0)
    summary.by_op = Counter({("conv2d", "folded"): 60, ("conv2d", "refused"): 40})
    assert_snapshot("report-summary-no-failure", plain_text(print_summary, summary, ""))


def test_a_campaign_without_a_case_has_a_closing_line_alone():
    assert plain_text(print_summary, Summary(seed=1), "") == "0 cases in 0.0 s (0.0 cases/s), seed 1: no failure"


@pytest.mark.parametrize("word", [each for each in Legality if each not in (Legality.LEGAL, Legality.ILLEGAL)])
def test_a_kind_of_legality_is_explained_if_it_occurs_and_only_then(word):
    summary = Summary(seed=1, executed=1, refused=1, by_op=Counter({("conv1d", "refused"): 1}))
    assert MEANINGS[word] not in plain_text(print_summary, summary, "", width=200)
    summary.legality[str(word)] += 1
    assert f"{word}: {MEANINGS[word]}" in plain_text(print_summary, summary, "", width=200)


def test_a_known_failure_that_passes_is_named():
    lines = plain_text(print_known, [Path("known/conv1d.case.json")])
    assert lines == "known failure known/conv1d.case.json no longer fails"
