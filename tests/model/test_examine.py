"""An examination: its steps, its exit code, and what it says in the end."""

import pytest
from tests.support.model_files import SCRIPT

from foldproof.core.errors import UsageError
from foldproof.model import Compared, Examination, Request, Worth, examine
from foldproof.model.tables import conclude, render_html

REQUEST = Request(model="net.py")


def worth(difference):
    compared = Compared(fill="random", difference=difference, outputs=1, elements=4, nans=0)
    return Worth(pipeline="default", compared=[compared])


def test_steps_are_reported_in_order_and_the_sites_are_known(tmp_path):
    (tmp_path / "net.py").write_text(SCRIPT)
    steps = []
    found = examine(
        Request(model=str(tmp_path / "net.py")),
        run=False,
        progress=lambda text, done, count: steps.append((done, count)),
    )
    assert [done for done, _ in steps] == list(range(len(steps)))
    assert all(done < count for done, count in steps)
    assert [(row.outcome, row.kind) for row in found.rows] == [("folded", "conv")]
    assert (found.exit_code, found.worth, found.problems) == (0, [], [])
    page = render_html(found)
    assert "<html>" in page
    assert "padding=[1, 1, 2, 2]" in page


def test_a_model_that_is_not_imported_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="does not exist"):
        examine(Request(model=str(tmp_path / "absent.py")), run=False)


RESULTS = {
    "fine": (
        Examination(request=REQUEST, worth=[worth("")]),
        0,
        "the same bits with and without the pass, on 1 inputs",
    ),
    "differs": (Examination(request=REQUEST, worth=[worth("out differs")]), 1, "the folded model computes other bits"),
    "failed": (Examination(request=REQUEST, problems=["x"]), 1, "something failed: see the problems"),
    "interrupted": (Examination(request=REQUEST, interrupted=True), 130, "interrupted: this is what is known"),
    "interrupted after a difference": (
        *(Examination(request=REQUEST, interrupted=True, worth=[worth("x")]), 1, "interrupted: this is what is known"),
    ),
}


@pytest.mark.parametrize("name", RESULTS)
def test_the_exit_code_and_the_last_line(name):
    found, code, line = RESULTS[name]
    assert (found.exit_code, conclude(found)) == (code, line)
