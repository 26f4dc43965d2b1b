"""docs/reference/rules.md: every example of the page is executed, and every rule and refusal kind has one.

## heading                     a section; the examples after it are of that name
Pass: `FoldExplicitPadding()`  the pass of the examples up to the next heading, if not the default
```python title="before"       the functions of a module, or Python that defines ``module``
```python title="after"        the functions after the pass; without it, the pass returns the module itself
```text title="report"         the lines of ``explain``, without the description of the pad
"""

import ast
import re
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent

import pytest
import tvm
import tvm_ffi
from tests.support.foldings import short_line
from tvm import ir, relax

import foldproof.fold
from foldproof.fold import FoldExplicitPadding, Kind

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "rules.md"
DEFAULT = "FoldExplicitPadding()"
PARTS = re.compile(
    r'^(?P<heading>#+ [^\n]*)$|^Pass: `(?P<options>[^\n]*)`$|^```\w+ title="(?P<title>\w+)"\n(?P<code>.*?)^```$',
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Example:
    """An example of the page. ``after`` is empty where nothing changes."""

    section: str
    options: str
    before: str
    report: tuple[str, ...]
    after: str = ""


def read_examples(text):
    section, options, blocks = "", DEFAULT, {}
    for part in PARTS.finditer(text):
        if part["heading"]:
            section, options = part["heading"].lstrip("# "), DEFAULT
        elif part["options"]:
            options = part["options"]
        else:
            assert part["title"] not in blocks, f"{section}: two blocks {part['title']!r} in one example"
            blocks[part["title"]] = part["code"]
        if "report" in blocks or part["heading"]:
            assert not blocks or blocks.keys() >= {"before", "report"}, f"{section}: an example without its report"
        if "report" in blocks:
            report = tuple(blocks.pop("report").splitlines())
            yield Example(section=section, options=options, report=report, **blocks)
            blocks = {}
    assert not blocks, f"{section}: an example without its report"


EXAMPLES = list(read_examples(PAGE.read_text(encoding="utf-8")))


def parse(code):
    """The module of a block."""
    if "@R.function" not in code:
        names = {"relax": relax, "ir": ir}
        exec(code, names)
        return names["module"]
    return tvm.script.from_source(f"@I.ir_module\nclass Module:\n{indent(code, '    ')}")


@pytest.mark.parametrize("example", EXAMPLES, ids=[f"{i}-{example.section}" for i, example in enumerate(EXAMPLES)])
def test_an_example_of_the_page_is_what_the_pass_does(example):
    fold = eval(example.options, {"FoldExplicitPadding": FoldExplicitPadding})
    module = parse(example.before)
    before = tvm_ffi.structural_hash(module)
    folded, reports = fold.fold_and_explain(module)
    if example.after:
        tvm.ir.assert_structural_equal(folded, parse(example.after))
    else:
        assert folded.same_as(module)
    assert tuple(map(short_line, reports)) == example.report
    relax.analysis.well_formed(folded)
    assert fold(folded).same_as(folded)
    assert tvm_ffi.structural_hash(module) == before


def test_an_example_changes_something_exactly_if_a_fold_is_reported():
    for example in EXAMPLES:
        assert bool(example.after) == any(": folded (" in line for line in example.report), example.section


REPORTED = {line.partition(": ")[2].partition(": ")[2] for example in EXAMPLES for line in example.report}


def test_every_kind_of_refusal_has_an_example():
    shown = {re.match(r"refused \(([\w-]+)\)", line)[1] for line in REPORTED if line.startswith("refused")}
    assert shown == set(Kind)


def rule_names():
    """The names of rules in the source of the pass, and the prefixes that they can have."""
    names, prefixes = set(), set()
    for file in Path(foldproof.fold.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("Folded", "name_rule"):
                names |= {part.value for part in ast.walk(node.args[0]) if isinstance(part, ast.Constant)}
            if isinstance(node, ast.JoinedStr) and len(node.values) == 2 and isinstance(node.values[0], ast.Constant):
                prefixes |= {node.values[0].value} if re.fullmatch(r"\w+-", node.values[0].value) else set()
    return names, prefixes


def test_every_rule_has_an_example():
    names, prefixes = rule_names()
    assert {"conv", "identity"} <= names
    assert prefixes == {"chain-", "corrected-", "dequantize-"}
    shown = {re.match(r"folded \(([\w-]+)", line)[1] for line in REPORTED if line.startswith("folded")}
    assert names <= shown
    assert all(any(rule.startswith(prefix) for rule in shown) for prefix in prefixes)


def test_every_rule_and_kind_is_named_in_a_heading():
    headings = ", ".join(example.section for example in EXAMPLES)
    words = set(re.findall(r"[\w-]+", headings))
    assert set(Kind) | rule_names()[0] <= words


def test_every_option_of_the_pass_has_an_example():
    shown = " ".join(example.options for example in EXAMPLES)
    assert all(
        f"{option}=" in shown for option in ("nonzero", "channels", "allow_asymmetric", "allow_negative", "accepts")
    )
