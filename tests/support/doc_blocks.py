"""The code blocks of Markdown pages, and how they are executed.

    <!-- test: slow, exit 1 -->     before a block: in ``make slow`` only, and the exit code that is expected
    <!-- test: skip (reason) -->    before a block: is not executed
    <!-- recorded -->               before a text block: was measured once, and is not compared
    <!-- test: file my_pass.py from tutorials/test-your-pass.md -->     the page needs a file of another page

A ``python`` block whose first line is ``# name.py`` becomes that file; any other is executed. An ``sh`` block is
executed line by line. The lines of a ``text`` block after them must stand in their output.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

PAGES = (ROOT / "README.md", *sorted(DOCS.rglob("*.md")))
INCLUDING = {DOCS / f"{name}.md": ROOT / f"{name.upper()}.md" for name in ("contributing", "releasing", "changelog")}
INCLUDING[DOCS / "explanation" / "architecture.md"] = ROOT / "ARCHITECTURE.md"
"""Pages that show a file of the repository's root, and that file."""

NOT_RUN = ("make ", "pip ", "git ", ".venv/", "pre-commit ")

_BLOCK = re.compile(
    r"^(?:<!-- (?P<note>.*?) -->\n)?^```(?P<language>\w+)\n(?P<text>.*?)^```$", flags=re.MULTILINE | re.DOTALL
)
_NEEDED = re.compile(r"^<!-- test: file (\S+) from (\S+) -->$", flags=re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block; ``note`` is the comment on the line before it."""

    language: str
    text: str
    note: str

    @property
    def slow(self):
        return "slow" in self.note

    @property
    def skipped(self):
        return "skip" in self.note or "cluster" in self.note

    @property
    def exit_code(self):
        found = re.search(r"exit (\d+)", self.note)
        return int(found[1]) if found else 0

    @property
    def file_name(self):
        found = re.match(r"# (\w+\.py)\n", self.text)
        return found[1] if found else None


def blocks(page):
    """The fenced blocks of a page, in order."""
    for found in _BLOCK.finditer(page.read_text(encoding="utf-8")):
        yield Block(language=found["language"], text=found["text"], note=found["note"] or "")


def block_of_file(page, name):
    """The block of a page that is the file ``name``."""
    [block] = [block for block in blocks(page) if block.language == "python" and block.file_name == name]
    return block


def runs_slow_blocks(page):
    return any(block.slow and not block.skipped for block in blocks(page))


def commands(block):
    """The lines of an sh block, without comments; those that are no business of a test are left out."""
    for line in block.text.replace("\\\n", " ").splitlines():
        line = re.split(r"\s+# ", line)[0].strip()
        if line and not line.startswith(("#", *NOT_RUN)):
            yield line


def run(command, cwd, *, seconds=300):
    """A command line, with the commands of this environment first on the PATH."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    env = os.environ | {"PATH": path, "COLUMNS": "200"}
    return subprocess.run(command, shell=True, cwd=cwd, env=env, capture_output=True, text=True, timeout=seconds)


def steady(text):
    """Without what depends on the machine: time, and how many cases its workers tried at once."""
    return re.sub(r"after \d+ cases in \d+\.\d s", "after N cases in T s", text)


def problems(page, folder, *, slow):
    """Execute the blocks of a page in ``folder``, and yield what differs from what the page says."""
    _prepare(page, folder)
    output = None
    for block in blocks(page):
        if block.language == "python" and block.file_name:
            (folder / block.file_name).write_text(block.text)
        elif block.language in ("python", "sh"):
            output = None
            if not block.skipped and (slow or not block.slow):
                output = yield from _executed(block, folder)
        elif block.language == "text" and output is not None and "recorded" not in block.note:
            yield from _missing(block, output)


def _prepare(page, folder):
    link = folder / "tests"
    if not link.exists():
        link.symlink_to(ROOT / "tests")
    for name, other in _NEEDED.findall(page.read_text(encoding="utf-8")):
        (folder / name).write_text(block_of_file(DOCS / other, name).text)


def _executed(block, folder):
    lines = list(commands(block))
    if block.language == "python":
        (folder / "block.py").write_text(block.text)
        lines = ["python block.py"]
    output = ""
    for line in lines:
        result = run(line, folder)
        output += result.stdout + result.stderr
        if result.returncode != block.exit_code:
            yield f"{line}: exit code {result.returncode}, not {block.exit_code}:\n{result.stdout}{result.stderr}"
    return output


def _missing(block, output) -> Iterator[str]:
    for line in block.text.splitlines():
        if not all(part.strip() in steady(output) for part in steady(line).split(" ... ")):
            yield f"{line!r} is not in the output:\n{output}"
