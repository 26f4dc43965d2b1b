"""Corpus files of graphs: their version, their names, and everything that a corpus does with them."""

import json
from dataclasses import replace

from click.testing import CliRunner

from foldproof.case import Axis, Case, Step
from foldproof.case.graph import Graph, Site
from foldproof.cli.commands.corpus import corpus as command
from foldproof.cli.commands.replay import replay
from foldproof.corpus.coverage import coverage_of
from foldproof.corpus.entry import Entry, load_case, load_entry, save_case, save_entry
from foldproof.corpus.maintenance import find_problems, migrate

CASE = Case(op="conv1d", axes=(Axis(size=3, pad=(1, 0)),), producers=(Step(kind="relu"),))
POOL = Case(op="max_pool1d", axes=(Axis(size=3, pad=(1, 0)),))
GRAPH = Graph(sites=(Site(case=CASE, place="behind"), Site(case=POOL)), equal_names=True)


def test_a_graph_is_saved_in_version_3_and_read_again(tmp_path):
    path = save_case(tmp_path, GRAPH, note="what it guards")
    assert path.name.startswith("graph-case-")
    assert json.loads(path.read_text())["foldproof"] == 3
    assert load_case(path) == GRAPH
    assert save_case(tmp_path, GRAPH) == path


def test_a_case_is_still_saved_in_version_2(tmp_path):
    assert json.loads(save_case(tmp_path, CASE).read_text())["foldproof"] == 2


def test_the_cases_of_a_graph_are_read_in_every_format_of_a_case(tmp_path):
    path = save_entry(tmp_path, Entry(case=GRAPH, found={"failure": "Miscompile/graph/values"}))
    content = json.loads(path.read_text())
    content["case"]["format"] = 1
    for site in content["case"]["sites"]:
        if "producers" in site["case"]:
            site["case"]["front"] = site["case"].pop("producers")
    path.write_text(json.dumps(content))
    assert load_case(path) == GRAPH
    assert list(migrate([path]).values()) == [path]
    assert json.loads(path.read_text())["case"]["format"] == 2


def test_a_corpus_with_a_graph_is_checked_counted_and_replayed(tmp_path):
    path = save_entry(tmp_path, Entry(case=GRAPH, note="behind its block"))
    assert list(find_problems([path])) == []
    stats = CliRunner().invoke(command, ["stats", str(tmp_path)])
    assert stats.exit_code == 0, stats.output
    assert "graph" in stats.output
    replayed = CliRunner().invoke(replay, ["--workers", "1", str(path)])
    assert replayed.exit_code == 0, replayed.output


def test_a_graph_covers_what_its_sites_cover(tmp_path):
    families = {each.family for each in coverage_of(load_entry(save_case(tmp_path, GRAPH)))}
    assert families == {"conv", "max_pool"}


def test_a_file_of_a_later_version_is_refused_with_the_known_ones(tmp_path):
    path = save_case(tmp_path, replace(GRAPH, equal_names=False))
    path.write_text(path.read_text().replace('"foldproof": 3', '"foldproof": 9'))
    [problem] = find_problems([path])
    assert "unknown version 9; expected one of 1, 2, 3" in str(problem)
