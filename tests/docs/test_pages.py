"""The documentation does what it says: its commands and code are executed, its tables name what exists."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.doc_blocks import DOCS, INCLUDING, PAGES, ROOT, blocks, problems, runs_slow_blocks

import foldproof
from foldproof.campaign.summary import Summary
from foldproof.case import Case, ops
from foldproof.checking.failures import KINDS
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
    rows = re.findall(r"^\| `([\w\s-]+)` \|", text_of("explanation/legality.md"), flags=re.MULTILINE)
    assert rows == list(Legality)


def test_every_fill_is_explained():
    rows = re.findall(r"^\| `(\w+)` \|", text_of("reference/glossary.md"), flags=re.MULTILINE)
    assert rows == list(ops.FILLS)


def test_the_keys_of_the_summary_are_those_that_it_has():
    [table] = re.findall(r"\| key of the summary .*?\n\n", text_of("reference/file-formats.md"), flags=re.DOTALL)
    rows = table.strip().splitlines()[2:]
    named = {key for row in rows for key in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert named == set(Summary(seed=0).to_dict()) - {"event", "seed"} | {"known_no_longer_failing"}


def test_the_cases_of_the_file_formats_are_cases():
    [case, entry] = [
        json.loads(block.text) for block in blocks(DOCS / "reference/file-formats.md") if block.language == "json"
    ]
    assert Case.from_json(case) == Case.from_json(entry["case"])


def test_the_defects_of_tvm_have_their_cases():
    named = re.findall(r"`([\w.-]+\.case\.json)`", text_of("results/defects-found.md"))
    assert named
    assert all((ROOT / "tests" / "data" / "corpus" / name).exists() for name in named)
