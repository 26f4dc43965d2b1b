"""The documentation does what it says: its commands and code are executed, its tables name what exists."""

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import MISSING, fields
from pathlib import Path

import pytest
from tests.support.doc_blocks import DOCS, INCLUDING, PAGES, ROOT, blocks, problems, runs_slow_blocks

import foldproof
from foldproof.campaign.settings import Settings
from foldproof.campaign.summary import DistinctFailure, Summary, failure_record
from foldproof.case import Axis, Case, Pad, Step, ops
from foldproof.case.graph import Graph
from foldproof.checking.failures import KINDS, failure
from foldproof.cli.resume import start_record
from foldproof.oracle.legality import Legality

RUN = [page for page in PAGES if page not in INCLUDING and page.name != "rules.md"]


def named(page):
    return str(page.relative_to(ROOT))


# --- executed -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", RUN, ids=named)
def test_the_quick_blocks_of_a_page_do_what_it_says(page, tmp_path):
    assert list(problems(page, tmp_path, slow=False)) == []


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in RUN if runs_slow_blocks(page)], ids=named)
def test_all_blocks_of_a_page_do_what_it_says(page, tmp_path):
    assert list(problems(page, tmp_path, slow=True)) == []


@pytest.mark.slow
def test_the_cluster_of_the_page_works_as_written(tmp_path):
    [block] = [block for block in blocks(DOCS / "how-to" / "dask.md") if "cluster" in block.note]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    env = os.environ | {"PATH": path}
    shell = ["sh", "-c", block.text]
    with subprocess.Popen(shell, cwd=tmp_path, env=env, stderr=subprocess.DEVNULL, start_new_session=True) as process:
        try:
            assert process.wait(200) == 0
        finally:
            os.killpg(process.pid, signal.SIGTERM)


def test_a_block_is_executed_or_says_why_not():
    for page in RUN:
        for block in blocks(page):
            if block.language in ("python", "sh") and "skip" in block.note:
                assert re.search(r"skip \(.+\)", block.note), (named(page), block.text)


def test_the_json_of_the_pages_is_json():
    for page in RUN:
        for block in blocks(page):
            if block.language == "json":
                json.loads(block.text)


# --- complete -----------------------------------------------------------------------------------------


def text_of(page):
    return (DOCS / page).read_text(encoding="utf-8")


def test_every_public_name_is_in_the_table_of_the_api():
    [table] = re.findall(r"\| name \| what it is \|\n(.*?)\n\n", text_of("reference/api.md"), flags=re.DOTALL)
    named = {name for row in table.splitlines() for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert named == set(foldproof.__all__) - {"__version__"}


def test_every_strategy_is_in_the_page_of_strategies():
    named = re.findall(r"autofunction:: (\w+)", text_of("reference/strategies.md"))
    assert sorted(named) == sorted(foldproof.strategies.__all__)


def test_every_kind_of_failure_is_explained():
    [*rows] = re.findall(r"^\| `(\w+)` \|", text_of("reference/failures.md"), flags=re.MULTILINE)
    assert rows == [kind.__name__ for kind in KINDS]


def test_every_answer_of_the_legality_check_is_explained():
    rows = re.findall(r"^\| `([\w\s,-]+)` \|", text_of("explanation/legality.md"), flags=re.MULTILINE)
    assert rows == list(Legality)


def test_every_fill_is_explained():
    rows = re.findall(r"^\| `(\w+)` \|", text_of("reference/glossary.md"), flags=re.MULTILINE)
    assert rows == list(ops.FILLS)


@pytest.mark.parametrize("record", [Case, Axis, Pad, Step], ids=lambda record: record.__name__)
def test_every_field_of_a_case_is_explained_with_its_default(record):
    section = re.search(rf"^## {record.__name__}\n(.*?)(?=^## |\Z)", text_of("reference/case.md"), re.M | re.S)[1]
    [table] = re.findall(r"^\| field \|.*?\n\n", section, flags=re.MULTILINE | re.DOTALL)
    explained = []
    for row in table.strip().splitlines()[2:]:
        _, names, defaults, *_ = (cell.strip() for cell in row.split("|"))
        explained += zip(re.findall(r"`(\w+)`", names), default_texts(defaults), strict=True)
    assert explained == [(field.name, default_text(field)) for field in fields(record)]


def default_texts(cell):
    """The defaults of one row; a row of several fields has several numbers."""
    return [cell.strip("`")] if "`" in cell else cell.split(", ")


def default_text(field):
    if field.default is MISSING:
        return "required"
    return repr(field.default).replace("'", '"')


def test_the_keys_of_the_start_line_are_those_that_it_has():
    [table] = re.findall(r"\| key of the start line .*?\n\n", text_of("reference/file-formats.md"), flags=re.DOTALL)
    named = {key for row in table.strip().splitlines()[2:] for key in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert named == set(start_record(Settings())) - {"event"}


def test_the_keys_of_the_failure_line_are_those_that_it_has():
    text = text_of("reference/file-formats.md")
    [row] = re.findall(r'^\| `"event": "failure"` \| (.*) \|$', text, flags=re.MULTILINE)
    [shown] = [json.loads(each.text) for each in blocks(DOCS / "reference/file-formats.md") if "recorded" in each.note]
    keys = set(
        failure_record(DistinctFailure(failure=failure("Miscompile", Case.from_json(shown["case"]), "values", "")))
    )
    assert set(re.findall(r"`(\w+)`", row)) == keys
    assert set(shown) == keys | {"event"}


def test_the_keys_of_the_summary_are_those_that_it_has():
    [table] = re.findall(r"\| key of the summary .*?\n\n", text_of("reference/file-formats.md"), flags=re.DOTALL)
    rows = table.strip().splitlines()[2:]
    named = {key for row in rows for key in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert named == set(Summary(seed=0).to_dict()) - {"event"} | {"known_no_longer_failing"}


def test_the_cases_of_the_file_formats_are_cases():
    [case, graph, entry] = [
        json.loads(block.text)
        for block in blocks(DOCS / "reference/file-formats.md")
        if block.language == "json" and "recorded" not in block.note
    ]
    assert Graph.from_json(graph).to_json() == graph
    assert Case.from_json(case) == Case.from_json(entry["case"])


def test_the_defects_of_tvm_have_their_cases():
    named = re.findall(r"`([\w.-]+\.case\.json)`", text_of("results/defects-found.md"))
    assert named
    assert all((ROOT / "tests" / "data" / "corpus" / name).exists() for name in named)
