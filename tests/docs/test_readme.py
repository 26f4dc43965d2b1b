"""What the README claims: its commands run as written, its code is what it says, its tables name files that exist."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def code(beginning):
    """The Python block that begins with a line."""
    [block] = [block for block in blocks("python") if block.startswith(beginning)]
    return block


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A working directory with the files that the README shows."""
    path = tmp_path_factory.mktemp("readme")
    (path / "my_pass.py").write_text(code("# my_pass.py"))
    (path / "test_my_pass.py").write_text(code("# test_my_pass.py"))
    return path


def run(command, cwd):
    """A command line of the README, with the ``foldproof`` of this environment first on the PATH."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.run(
        command, shell=True, cwd=cwd, env=os.environ | {"PATH": path}, capture_output=True, text=True, timeout=300
    )


def command(beginning):
    """The command line that begins so, without its comment."""
    lines = [line for block in blocks("sh") for line in block.splitlines() if line.startswith(beginning)]
    assert lines, beginning
    return lines[0].split("   #")[0].strip()


def steady(text):
    """Without what depends on the machine: time, and how many cases its workers tried at once."""
    return re.sub(r"after \d+ cases in \d+\.\d s", "after N cases in T s", text)


@pytest.mark.slow
def test_the_counterexample_is_what_the_command_prints(folder):
    result = run(command("foldproof fuzz"), folder)
    assert result.returncode == 1, result.stdout + result.stderr
    assert "4 distinct failures" in result.stdout
    [shown] = [block for block in blocks("text") if block.startswith("Miscompile")]
    for line in shown.splitlines():
        assert steady(line) in steady(result.stdout)
    replays = [line for block in blocks("sh") for line in block.splitlines() if line.startswith("foldproof replay")]
    assert [run(line, folder).returncode for line in replays] == [1, 0]


def test_the_pipeline_prints_what_the_readme_says(folder):
    (folder / "pipeline.py").write_text(code("import tvm\nfrom tvm import relax\nfrom tvm.script"))
    result = run("python pipeline.py", folder)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() in README


@pytest.mark.slow
def test_the_question_is_answered_as_printed(folder):
    (folder / "stem.py").write_text(code("# stem.py"))
    result = run("python stem.py", folder)
    assert result.returncode == 0, result.stderr
    assert f"```text\n{result.stdout}```" in README


@pytest.mark.slow
def test_the_whole_test_of_ones_own_pass_finds_that_it_is_wrong(folder):
    result = run("python -m pytest -q -p no:cacheprovider test_my_pass.py", folder)
    assert result.returncode == 1
    assert re.search(r"(Miscompile|WrongType|CompileError|NotIdempotent)_conv", result.stdout)


@pytest.mark.slow
def test_the_cluster_of_the_readme_works_as_written(folder):
    [block] = [block for block in blocks("sh") if block.startswith("dask scheduler")]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    env = os.environ | {"PATH": path}
    shell = ["sh", "-c", block]
    with subprocess.Popen(shell, cwd=folder, env=env, stderr=subprocess.DEVNULL, start_new_session=True) as process:
        try:
            assert process.wait(200) == 0
        finally:
            os.killpg(process.pid, signal.SIGTERM)


def test_every_case_of_the_table_of_defects_exists():
    [table] = re.findall(r"## Defects found\n(.*?)\n## ", README, flags=re.DOTALL)
    named = re.findall(r"`([\w.-]+)\.case\.json`", table)
    assert named
    assert all((ROOT / "tests" / "data" / "corpus" / f"{name}.case.json").exists() for name in named)


def test_the_make_targets_of_the_readme_exist():
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert set(re.findall(r"make (\w+)", README)) <= set(targets)
