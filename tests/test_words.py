"""The words of the house: the names that were replaced stand in no module name, identifier, docstring, message or page.

A word that is ordinary English is looked for as a name only; one that is no word of the field, everywhere.
"""

import io
import re
import tokenize

from tests.support.house import ROOT

MODULES = {
    *(
        "ahead",
        "elsewhere",
        "shard",
        "keeping",
        "question",
        "promises",
        "possible",
        "simpler",
        "simpler_steps",
        "plainer",
    ),
    *("plain", "literals", "view", "chain", "sums", "spoil", "spoilt", "defect", "matrix", "aims", "drafts"),
    *("breaks", "chain_breaks", "forms", "moved", "kills", "long_run", "isolation", "reasons", "findings", "fidelity"),
    *("runs", "folding", "verdict", "machine", "standalone", "draws", "plan", "lines", "interrupting", "own"),
    *(
        "elf",
        "objects",
        "graph_executor",
        "structural",
        "arrival",
        "site",
        "body",
        "ir_module",
        "tvmscript",
        "commands_",
    ),
    *("test_told_apart", "test_trust_onnx", "test_trust_runtime", "test_trust_steps", "test_planted", "test_survivors"),
}
"""Modules that have other names now; ``steps`` and ``graph`` are modules of other rooms too."""

NAMES = {
    *("shards_ahead", "Machines", "errand", "complaint", "Question", "question_of", "Judge", "Judging", "judging"),
    *(
        "Promises",
        "promises",
        "promises_of",
        "plainer",
        "Plain",
        "derived",
        "literal",
        "front",
        "behind",
        "dims_in_front",
    ),
    *("front_places", "seen_by_consumer", "unsure", "Defect", "DEFECTS", "killed_by", "spoil", "Spoilt", "Aim", "AIMS"),
    *("Draft", "draft", "Finding", "FINDINGS", "findings", "finding_of", "finding", "twin", "twin_of", "Opinion"),
    *("ask_reference", "VACUOUS", "CONTRACTED", "Arrival", "arrival", "arrive", "to_plain", "from_plain", "uses"),
    *(
        "pads_in_front",
        "idle_pads",
        "disappointment",
        "made_up_for",
        "sliceable",
        "Trouble",
        "trouble",
        "plainer_values",
    ),
}
"""Identifiers, as whole names."""

WORDS = (
    r"\berrands?\b",
    r"\bcomplaints?\b",
    r"\bvacuous\b",
    r"\bspoilt?\b",
    r"\btwins?\b",
    r"[\"/]not alone\b",
    r"legal by geometry",
    r"legal without contraction",
    r"legal where defined",
    r"\bin front of\b",
    r"\b(a|the) Judges?\b|\bJudge\(",
    r"\bLaws?[:.]",
    r"(?<!there )\bis no (?!further)[a-z]",
    r"\bis none of\b",
)
"""In code, docs and messages: words of no trade, and what HOUSE.md's English says otherwise."""

EXCEPTIONS: dict[str, tuple[str, ...]] = {
    "tests/test_words.py": ("",),
    # Old files are read: their words stand where they are translated, and in the tests of that.
    "harness/case/formats.py": ("front", "uses"),
    "harness/corpus/entry.py": ("finding",),
    "harness/campaign/formats.py": ("IN_2", '": "'),
    "tests/campaign/test_formats.py": ("not alone", "vacuous"),
    "harness/repro/reproducer.py": ("script_complaint",),
}
"""File -> texts whose lines are left out."""

PYTHON = [
    path
    for folder in ("harness", "strategies", "tests", "benchmarks")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if "harness/strategies" not in path.as_posix()
]
PAGES = [
    *(ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "RELEASING.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]


def relative(path):
    return path.relative_to(ROOT).as_posix()


def excepted(path, line):
    return any(text in line for text in EXCEPTIONS.get(relative(path), ()))


def test_no_module_has_an_old_name():
    assert not [relative(path) for path in PYTHON if path.stem in MODULES]


def lines_with(words, path, tokens):
    """Yield where a file has one of the words: as an identifier, or anywhere in its text."""
    text = path.read_text()
    lines = text.splitlines()
    if tokens:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            named = token.type == tokenize.NAME and token.string in words
            if named and not excepted(path, lines[token.start[0] - 1]):
                yield f"{relative(path)}:{token.start[0]}: {token.string}"
        return
    for number, line in enumerate(lines, start=1):
        if any(re.search(word, line) for word in words) and not excepted(path, line):
            yield f"{relative(path)}:{number}: {line.strip()}"


def test_no_identifier_is_an_old_one():
    found = [place for path in PYTHON for place in lines_with(NAMES, path, tokens=True)]
    assert not found, "\n".join(found)


def test_no_text_has_an_old_word():
    files = [*PYTHON, *(page for page in PAGES if page.exists())]
    found = [place for path in files for place in lines_with(WORDS, path, tokens=False)]
    assert not found, "\n".join(found)


def test_old_words_would_be_found():
    assert any(re.search(word, "the errand of a Judge") for word in WORDS)
    assert not any(re.search(word, "after the pad, a task for a pool") for word in WORDS)
