"""Messages of compilers, shortened to the line that matters."""

import pytest

from foldproof import Axis, Case
from foldproof.ir.relax.build import build
from foldproof.ir.relax.module import short_error
from foldproof.ir.relax.targets import compile_functions, parse_target

COMMAND = (
    "Command line: /usr/bin/g++ -shared -fPIC -o /tmp/tmpa/exported.so -I/include /tmp/tmpb/lib0.c /tmp/tmpb/devc.o"
)

RECORDED = {
    "In file included from /tmp/tmpb/lib0.c:7:\n/tmp/inc/math.h:1:2: fatal error: no such header\n    1 | #include\n": (
        "math.h:1:2: fatal error: no such header"
    ),
    "/tmp/tmpb/lib0.c: In function 'int32_t f(void*)':\n"
    "/tmp/tmpb/lib0.c:70:56: error: lvalue required as unary '&' operand\n   70 |   y = &(0.0f);\n      |       ^~~\n"
    "/tmp/tmpb/lib0.c:71:1: error: another\n": "lib0.c:70:56: error: lvalue required as unary '&' operand",
    "/usr/bin/ld: /tmp/tmpb/lib0.o: in function `f':\nlib0.c:(.text+0x5): undefined reference to `g'\n"
    "collect2: error: ld returned 1 exit status\n": "lib0.c:(.text+0x5): undefined reference to `g'",
    "/usr/bin/ld: cannot find -lfoo: No such file or directory\ncollect2: error: ld returned 1 exit status\n": (
        "ld: cannot find -lfoo: No such file or directory"
    ),
    "g++: fatal error: no input files\ncompilation terminated.\n": "g++: fatal error: no input files",
}


@pytest.mark.parametrize("text", RECORDED)
def test_the_error_of_a_compiler_is_shown_and_not_its_command_line(text):
    error = RuntimeError(f"Compilation error:\n{text}\n{COMMAND}")
    assert short_error(error) == f"RuntimeError: {RECORDED[text]}"


def test_a_real_compiler_that_fails_is_quoted(tmp_path, monkeypatch):
    (tmp_path / "math.h").write_text('#error "broken on purpose"\n')
    monkeypatch.setenv("CPATH", str(tmp_path))
    with pytest.raises(RuntimeError, match="Command line: ") as raised:
        compile_functions({"unfolded": build(Case(op="conv1d", axes=(Axis(size=3),)))}, parse_target("c"))
    assert short_error(raised.value) == 'RuntimeError: math.h:1:2: error: #error "broken on purpose"'


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Traceback\n  File x.cc, line 3\nInternalError: Check failed: a == b", "InternalError: Check failed: a == b"),
        ("something\nerror: a word of TVM's own\nthe last line", "the last line"),
        ("", ""),
        ("x" * 400, "x" * 300 + "..."),
    ],
)
def test_other_errors_keep_their_last_line(text, line):
    assert short_error(ValueError(text)) == f"ValueError: {line}"
