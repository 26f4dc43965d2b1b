"""Settings are spelled once: what is derived from their fields covers every field."""

from dataclasses import fields
from pathlib import Path

import click
import pytest
from tests.support.snapshots import assert_message

from foldproof.campaign.distributed.shard_task import ShardTask
from foldproof.campaign.settings import IDENTITY, SETTINGS, TASK_ROLES, Settings
from foldproof.checking.config import CheckConfig
from foldproof.cli.commands.fuzz import fuzz
from foldproof.cli.main import cli
from foldproof.cli.options import settings_from
from foldproof.cli.resume import resume_settings, start_record
from foldproof.core.errors import UsageError

OTHER = Settings(
    config=CheckConfig(fold="m:p", target="c", pipeline="default", complete=False, sample=0.5, megabytes=600),
    ops=("conv1d", "max_pool1d"),
    strategy="m:s",
    only_cases="rank == 1",
    seed=7,
    examples=9,
    seconds=2.5,
    max_failures=3,
    shrink_seconds=1.5,
    known=("Miscompile/conv/values",),
    workers=5,
    corpus=Path("found"),
)
"""Settings that all differ from their defaults."""


def test_every_field_is_a_setting_with_a_role():
    names = [each.name for each in (*fields(CheckConfig), *fields(Settings)) if each.name != "config"]
    assert sorted(names) == sorted(each.name for each in SETTINGS)
    assert all(OTHER[each.name] != Settings()[each.name] for each in SETTINGS)


def test_a_record_has_every_setting_and_gives_the_settings_again():
    assert set(OTHER.to_dict()) == {each.name for each in SETTINGS}
    assert Settings.from_dict(OTHER.to_dict()) == OTHER
    assert Settings.from_dict({}) == Settings()


def test_the_identity_is_what_draws_and_checks_cases():
    names = {each.name for each in IDENTITY}
    assert names == {"fold", "target", "pipeline", "complete", "sample", "ops", "strategy", "only_cases", "seed"}


def test_the_task_of_a_shard_has_all_that_a_shard_depends_on_and_nothing_of_the_coordinator():
    task = ShardTask.create(OTHER, shard=4, most=60)
    again = ShardTask.from_dict(task.to_dict())
    assert (again.shard, again.most, again.versions) == (4, 60, task.versions)
    for each in SETTINGS:
        expected = OTHER if each.role in TASK_ROLES else Settings()
        assert again.settings[each.name] == expected[each.name], each.name


def test_every_setting_but_the_known_fingerprints_has_an_option_of_fuzz():
    options = {parameter.name: parameter for parameter in fuzz.params}
    assert [each.name for each in SETTINGS if each.name not in options] == ["known"]
    assert all(options[each.name].opts == [each.option.flag] for each in SETTINGS if each.option)


# --- resume -------------------------------------------------------------------------------------------


class Recorded:
    """A journal, as ``resume_settings`` sees one."""

    folder = Path("kept")

    def __init__(self, settings, seconds=0.0):
        self.start, self.shards = start_record(settings), [{"seconds": seconds}]


def given(*args):
    """The context of options that the user wrote, and the settings that they make, as ``fuzz`` does."""
    made = fuzz.make_context("fuzz", list(args), parent=click.Context(cli, **cli.context_settings))
    return made, settings_from(made.params)


def test_the_journal_decides_the_identity_and_the_command_line_the_rest():
    settings = resume_settings(*given("--examples", "40", "--workers", "2", "--memory", "700"), Recorded(OTHER))
    assert [settings[each.name] for each in IDENTITY] == [OTHER[each.name] for each in IDENTITY]
    assert (settings.examples, settings.seconds, settings.workers) == (40, None, 2)
    assert settings.config.megabytes == 700


def test_without_a_budget_the_recorded_ones_are_used():
    settings = resume_settings(*given(), Recorded(OTHER, seconds=1.0))
    assert (settings.examples, settings.seconds) == (9, 1.5)


def test_the_bundled_pass_and_all_ops_are_named_in_messages():
    for args in (("--pass", "m:q"), ("--ops", "conv1d")):
        with pytest.raises(UsageError) as raised:
            resume_settings(*given(*args), Recorded(Settings()))
        done = " ".join(["--resume a campaign of defaults", *args])
        assert_message("resume-messages", done, str(raised.value))


@pytest.mark.parametrize(
    "args",
    [
        ("--pass", "m:q"),
        ("--target", "llvm"),
        ("--pipeline", "fast"),
        ("--complete",),
        ("--sample", "3%"),
        ("--ops", "conv1d"),
        ("--strategy", "m:t"),
        ("--seed", "8"),
    ],
)
def test_an_option_that_contradicts_the_identity_is_refused(args):
    with pytest.raises(UsageError) as raised:
        resume_settings(*given(*args), Recorded(OTHER))
    assert_message("resume-messages", " ".join(["--resume kept", *args]), str(raised.value))


def test_the_same_option_again_is_accepted():
    args = ("--pass", "m:p", "--target", "c", "--pipeline", "default", "--sample", "50%", "--seed", "7")
    assert resume_settings(*given(*args, "--ops", "conv1d,max_pool1d"), Recorded(OTHER)).seed == 7
