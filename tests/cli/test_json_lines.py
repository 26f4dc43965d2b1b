"""The lines of ``fuzz --json`` have the schema that is in the package, and failures are written when they happen."""

import copy
import errno
import io
import json
import shutil
import subprocess
import sys
from importlib.resources import files

import pytest
from jsonschema import Draft202012Validator
from rich.console import Console
from tests.support import several_defects

from foldproof.campaign.settings import SETTINGS
from foldproof.campaign.summary import DistinctFailure, Summary
from foldproof.case import Axis, Case
from foldproof.checking.failures import Miscompile
from foldproof.cli.jsonl import SCHEMA_VERSION, JsonLines
from foldproof.cli.live import WrittenProgress

SCHEMA = json.loads(files("foldproof.cli").joinpath("fuzz.schema.json").read_text())
Draft202012Validator.check_schema(SCHEMA)
VALID = Draft202012Validator(SCHEMA)


def fuzz(run, folder, *options):
    run = run("fuzz", "--json", "log", *options, cwd=folder)
    lines = [json.loads(line) for line in (folder / "log").read_text().splitlines()]
    assert lines, run.stdout + run.stderr
    return lines


def apart(*args, cwd):
    command = [sys.executable, "-m", "foldproof", *args]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=600)


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    """The lines of a campaign that meets a failure, shrinks it, saves it and confirms its script."""
    folder = tmp_path_factory.mktemp("json")
    shutil.copy(several_defects.__file__, folder / "defects.py")
    options = ["--examples", "30", "--seed", "2", "--workers", "1", "--shrink-time", "30"]
    return fuzz(apart, folder, "--pass", "defects:value_ignored", "--ops", "conv1d", *options)


@pytest.mark.slow
def test_each_line_of_a_campaign_with_failures_has_the_schema(lines):
    for line in lines:
        VALID.validate(line)
    assert lines[0]["schema"] == SCHEMA_VERSION
    assert {line["event"] for line in lines} == {"start", "met", "shrunk", "failure", "summary"}


@pytest.mark.slow
def test_a_failure_is_written_when_met_and_when_shrunk_before_the_end(lines):
    events = [line["event"] for line in lines]
    assert events.index("met") < events.index("shrunk") < events.index("failure")
    met = {line["fingerprint"] for line in lines if line["event"] == "met"}
    final = {line["fingerprint"] for line in lines if line["event"] == "failure"}
    assert final == {each["fingerprint"] for each in lines[-1]["failures"]} == {"Miscompile/conv/values"}
    assert final <= met


def test_a_campaign_without_failures_has_the_schema(tmp_path, here):
    start, summary = fuzz(here, tmp_path, "--examples", "10", "--seed", "3", "--ops", "conv1d", "--workers", "1")
    VALID.validate(start)
    VALID.validate(summary)


@pytest.mark.slow
def test_the_schema_rejects_keys_that_it_does_not_know_and_keys_that_are_missing(lines):
    for line in lines:
        assert not VALID.is_valid(line | {"surprise": 1}), line["event"]
        for key in line.keys() - {"pass_changed"}:
            assert not VALID.is_valid({name: line[name] for name in line if name != key}), f"{line['event']}: {key}"


@pytest.mark.slow
def test_the_schema_rejects_an_unknown_key_within_the_failures_of_the_summary(lines):
    summary = copy.deepcopy(lines[-1])
    summary["failures"][0]["surprise"] = 1
    assert not VALID.is_valid(summary)


def test_the_start_line_has_every_setting():
    assert {each.name for each in SETTINGS} <= SCHEMA["$defs"]["start"]["properties"].keys()


class _Full:
    name = "log"

    def write(self, _):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_does_not_end_the_campaign_and_is_reported_at_the_end():
    shown = io.StringIO()
    progress = WrittenProgress(Console(file=shown), JsonLines(_Full()), seconds=None, examples=None)
    failure = Miscompile(Case(op="conv1d", axes=(Axis(pad=(0, 1)),)), "values", "differs")
    progress.on_failure(DistinctFailure(failure=failure))
    progress.on_failure(DistinctFailure(failure=failure))
    progress.on_progress(Summary(seed=0))
    assert shown.getvalue().count("found Miscompile/conv/values") == 2
    assert str(progress.error) == "--json log: cannot be written: No space left on device"
