"""foldproof.report.corpus: the table of ``foldproof corpus stats``, as a snapshot."""

import io

from rich.console import Console
from tests.support.snapshots import assert_snapshot

from foldproof.case import Axis, Case, Pad
from foldproof.corpus.entry import Entry
from foldproof.report.corpus import print_stats

PADDED = Axis(size=4, pad=(1, 2), kernel=2)
ENTRIES = (
    Entry(case=Case(op="conv1d", axes=(PADDED,))),
    Entry(case=Case(op="conv1d", axes=(PADDED,), dtype="int8", out_dtype="int32", pad=Pad(value=3.0))),
    Entry(case=Case(op="conv2d", axes=(PADDED, PADDED), data_layout="NHWC", pad=Pad(mode="reflect"))),
    Entry(
        case=Case(op="avg_pool1d", axes=(PADDED,), dtype="int32"),
        expect={"known_issue": "integer-avg_pool-dtype"},
        found={"failure": "Miscompile/avg_pool/values"},
    ),
)


def table(entries):
    file = io.StringIO()
    print_stats(Console(file=file, width=100, highlight=False), entries)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


def test_the_statistics_of_a_corpus_count_each_case_once_per_row():
    assert_snapshot("report-corpus-stats", table(ENTRIES))


def test_the_statistics_of_an_empty_corpus_are_a_total_of_none():
    assert table([]).splitlines()[-1].split() == ["all", "0"]
