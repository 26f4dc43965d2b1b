"""Links, paths and words of the documentation. ``make docs`` checks links and anchors again, as the site has them."""

import re
from functools import cache

import pytest
from tests.support.doc_blocks import DOCS, INCLUDING, PAGES, ROOT

TOP = (ROOT / "README.md", *INCLUDING.values())
EVERY = [page for page in (*TOP, *PAGES) if page not in INCLUDING]
"""Every page once, as it is written: not those that only include another."""

_LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\(([^)\s]+)\)")
_FENCED = re.compile(r"^\s*```.*?^\s*```$", flags=re.MULTILINE | re.DOTALL)


def named(page):
    return str(page.relative_to(ROOT))


@cache
def prose(page):
    """A page without its fenced blocks."""
    return _FENCED.sub("", page.read_text(encoding="utf-8"))


def anchors(page):
    """As GitHub and MyST make them of headings."""
    page = INCLUDING.get(page, page)
    headings = re.findall(r"^#+ (.*)$", prose(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", dict.fromkeys(EVERY), ids=named)
def test_every_link_leads_somewhere(page):
    for link in _LINK.findall(prose(page)):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        goal = (page.parent / path).resolve() if path else page
        assert goal.exists(), link
        assert not anchor or anchor in anchors(goal), link


def test_every_page_is_in_the_navigation():
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    trees = re.findall(r"```\{toctree\}\n(.*?)```", index, flags=re.DOTALL)
    inside = {line for tree in trees for line in tree.splitlines() if line and not line.startswith(":")}
    pages = {str(page.relative_to(DOCS).with_suffix("")) for page in DOCS.rglob("*.md")}
    assert pages == inside | {"index"}


HISTORY = {"CHANGELOG.md"}
_PATH = re.compile(r"`((?:harness|strategies|tests|benchmarks|docs|changelog\.d|\.github|\.ci)/[\w./-]*)`")
"""Of the repository; a part in capitals stands for any name."""


@pytest.mark.parametrize("page", [page for page in dict.fromkeys(EVERY) if page.name not in HISTORY], ids=named)
def test_every_path_that_is_named_exists(page):
    missing = [
        path for path in _PATH.findall(prose(page)) if not re.search(r"/[A-Z]+/", path) and not (ROOT / path).exists()
    ]
    assert missing == []


def test_every_make_target_that_is_named_exists():
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    for page in EVERY:
        if page.name not in HISTORY:
            text = page.read_text(encoding="utf-8")
            used = {
                name
                for line in re.findall(r"(?:^|`)make ([\w ]+)", text, flags=re.MULTILINE)
                for name in line.split()[:1]
            }
            assert used <= targets | {"house"}, named(page)


# --- words --------------------------------------------------------------------------------------------

OLD_WORDS = re.compile(
    r"\bin front of\b|\bbehind\b|\bvacuous|\bgeometr|\bcontracted\b|\bfidelity\b|\bpromises?\b|\berrands?\b"
    r"|\belsewhere\b|\bopinions?\b|\bjudg(?:e|es|ed|ing)\b|\baims?\b|\bdrafts?\b|\bspoils?\b|\bfindings?\b"
    r"|\bharness\.[a-z]|^import (?:harness|strategies)\b|^from (?:harness|strategies)\b"
    r"|(?<!there )\bis no\b|\bis none of\b|\btrouble\b|\bcomplaints?\b|\bkeeping\b"
    r"|\bpossible\.py|\bsums\.py|\bview\.py|\bown\.py|\baims\.py|\bdrafts\.py|\bforms\.py|\bbreaks\.py",
    flags=re.IGNORECASE | re.MULTILINE,
)


@pytest.mark.parametrize("page", [page for page in dict.fromkeys(EVERY) if page.name not in HISTORY], ids=named)
def test_no_page_uses_the_old_words(page):
    text = page.read_text(encoding="utf-8")
    text = text.replace("(`behind`)", "")  # a place of a graph
    text = re.sub(r"\bfindings/[\w./*-]+", "", text)  # a folder
    text = re.sub(r"`[\w./-]*\.case\.json`", "", re.sub(r"<!-- recorded -->\n```.*?```", "", text, flags=re.DOTALL))
    assert OLD_WORDS.findall(text) == []
