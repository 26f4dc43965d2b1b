"""Failing graphs: one whose site fails alone counts as that case, the others are shrunk and have structural causes."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest
from tests.campaign.test_grouping import MIRRORED, PLAIN, SKEWED, WRONG_VALUE, Job, counted, ignored, mirrored
from tests.cli.test_json_lines import VALID

from foldproof.campaign import grouping
from foldproof.campaign.features import features, without
from foldproof.campaign.grouping import group_failures
from foldproof.campaign.known import KnownFailure
from foldproof.campaign.listener import Listener
from foldproof.campaign.settings import Settings
from foldproof.case.graph import Function, Graph, Site
from foldproof.checking.failures import failure
from foldproof.checking.result import Verdict
from foldproof.corpus.entry import load_case

TWO = Graph(sites=(Site(case=PLAIN), Site(case=SKEWED)))
PLACED = Graph(sites=(Site(case=PLAIN), Site(case=SKEWED, place="behind")))
WRONG_SITE = Graph(sites=(Site(case=PLAIN), Site(case=MIRRORED)))


def is_apart(graph):
    return isinstance(graph, Graph) and any(site.place == "behind" for site in graph.sites)


class Pool:
    """Workers of a pass that mirrors nothing, and everything behind a block."""

    workers = 2

    def submit(self, cases):
        return Job(cases, self)

    def check_each(self, cases):
        return [self.check(case) for case in cases]

    def check(self, case):
        if is_apart(case) or any(mirrored(each) for each in case.cases):
            return failure("Miscompile", case, "values", "wrong")
        return Verdict(folded=True)


@pytest.fixture(autouse=True)
def _no_processes(monkeypatch):
    monkeypatch.setattr(grouping, "confirm_failure", lambda settings, pool, found: None)


def grouped(cases, excused=(), **settings):
    summary = counted(Pool(), cases)
    group_failures(Settings(**settings), Pool(), Listener(), None, summary, excused)
    return summary


def test_a_graph_counts_as_its_site_that_fails_alone():
    summary = grouped([WRONG_SITE, MIRRORED, TWO])
    [found] = summary.failures.values()
    assert (found.name, found.count, found.first_met) == ("Miscompile/max_pool/values", 2, 1)
    assert summary.failed == 2
    assert summary.by_op["graph", "failed"] == 1


def test_a_graph_that_needs_its_structure_is_a_failure_of_its_own():
    summary = grouped([WRONG_SITE, PLACED])
    assert set(summary.failures) == {"Miscompile/max_pool/values", "Miscompile/graph/values"}
    structural = summary.failures["Miscompile/graph/values"]
    assert structural.cause == ("behind among the places",)
    assert len(structural.smallest.case.sites) == 1
    assert structural.smallest.case.sites[0].place == "behind"


def test_a_graph_that_also_fails_without_its_failing_site_is_a_failure_of_its_own():
    both = Graph(sites=(Site(case=MIRRORED), Site(case=SKEWED, place="behind")))
    assert set(grouped([both]).failures) == {"Miscompile/graph/values"}
    assert set(grouped([both, MIRRORED]).failures) == {"Miscompile/max_pool/values", "Miscompile/graph/values"}


def test_the_files_of_graphs_that_count_as_their_sites_are_replaced(tmp_path):
    summary = grouped([WRONG_SITE], corpus=tmp_path)
    [path] = tmp_path.glob("*.case.json")
    assert path == next(iter(summary.failures.values())).path
    assert mirrored(load_case(path))


def test_a_known_case_excuses_the_graphs_in_which_it_is_a_site(tmp_path):
    fingerprint = "Miscompile/max_pool/values"
    known = KnownFailure(path=tmp_path / "known", case=MIRRORED, fingerprint=fingerprint)
    summary = grouped([WRONG_SITE, TWO], [known], known=(fingerprint,))
    assert not summary.failures
    assert (summary.failed, summary.known[fingerprint]) == (0, 1)
    assert summary.by_op["graph", "known"] == 1


# --- features -----------------------------------------------------------------------------------------


def test_a_graph_has_the_features_of_its_structure_and_of_its_sites():
    graph = Graph(sites=(Site(case=PLAIN, place="branch"), Site(case=WRONG_VALUE, function=1)), functions=(Function(),))
    assert {"several sites", "places", "branch among the places", "functions", "value that is not neutral"} <= features(
        graph
    )


def test_a_graph_without_a_feature_of_cases_has_it_in_no_site():
    graph = Graph(sites=(Site(case=WRONG_VALUE), Site(case=replace(WRONG_VALUE, seed=1), data="same")))
    variants = without(graph, "value that is not neutral")
    assert variants
    assert all(not ignored(case) for variant in variants for case in variant.cases)
    assert all(len(variant.sites) == 2 for variant in variants)


# --- real processes -----------------------------------------------------------------------------------

BLOCKS = '''
"""A pass that raises where a function has more than one dataflow block."""

from tvm import relax


def FoldPads(module):
    for function in module.functions.values():
        if isinstance(function, relax.Function):
            if sum(isinstance(block, relax.DataflowBlock) for block in function.body.blocks) > 1:
                raise ValueError("more than one block")
    return module
'''


@pytest.mark.slow
def test_a_campaign_of_graphs_shrinks_saves_replays_and_resumes(tmp_path):
    (tmp_path / "blocks.py").write_text(BLOCKS)
    options = ["--pass", "blocks:FoldPads", "--strategy", "graphs", "--seed", "1", "--workers", "1", "--journal", "log"]
    command = [sys.executable, "-m", "foldproof", "fuzz", *options, "--examples", "40", "--json", "lines"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert run.returncode == 1, run.stdout + run.stderr
    lines = [json.loads(line) for line in (tmp_path / "lines").read_text().splitlines()]
    for line in lines:
        VALID.validate(line)
    shrunk = lines[-1]["failures"]
    assert {(found["fingerprint"], found["reproduced"]) for found in shrunk} == {("CompileError/graph/pass", "3/3")}
    graphs = [load_case(tmp_path / found["path"]) for found in shrunk]
    assert max(len(graph.sites) for graph in graphs) <= 2
    assert all(any(site.place != "block" for site in graph.sites) for graph in graphs)
    found = shrunk[0]
    replay = [sys.executable, "-m", "foldproof", "replay", found["path"], "--pass", "blocks:FoldPads"]
    again = subprocess.run(replay, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert again.returncode == 1
    resumed = [sys.executable, "-m", "foldproof", "fuzz", "--resume", "log", "--examples", "60", "--json", "more"]
    shutil.rmtree(tmp_path / "__pycache__", ignore_errors=True)
    run = subprocess.run(resumed, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert run.returncode == 1, run.stdout + run.stderr
    last = json.loads((tmp_path / "more").read_text().splitlines()[-1])
    assert (last["cases"], last["resumed"]) == (60, 40)
    assert len(last["failures"]) >= len(shrunk)
