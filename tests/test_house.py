"""The house: rooms on at most 12 layers, no circle, TVM in ir/relax only, faces that are used, one name."""

import ast
import re
import subprocess
import sys

import pytest
from tests.support.house import MOST_LAYERS, ROOT, find_circles, read_house, room_graph

SOURCES = sorted(
    path
    for folder in ("harness", "strategies", "tests", "benchmarks")
    for path in (ROOT / folder).rglob("*.py")
    if "harness/strategies" not in path.as_posix()
)


@pytest.fixture(scope="module")
def house():
    return read_house()


def test_there_are_at_most_12_layers_and_every_module_stands_in_a_room(house):
    assert len(house.layers) <= MOST_LAYERS
    rooms = {room for layer in house.layers for room in layer}
    assert set(house.modules) == rooms
    inside = {module for modules in house.modules.values() for module in modules}
    assert set(house.imports) - inside == {"foldproof", "foldproof.__main__", "foldproof.ir"}


def test_every_arrow_points_down(house):
    wrong = [(a, b) for a, b in house.arrows if house.level[a] >= house.level[b]]
    assert not wrong


def test_there_is_no_circle_of_rooms_or_modules(house):
    assert find_circles(room_graph(house)) == []
    assert find_circles(house.imports) == []


def test_a_circle_would_be_found():
    arrows = {"a": frozenset("b"), "b": frozenset("cd"), "c": frozenset("a"), "d": frozenset()}
    assert find_circles(arrows) == [["a", "b", "c", "a"]]


def test_make_house_prints_rooms_layers_and_arrows():
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.house"], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"\d+ rooms on \d+ layers, \d+ modules, \d+ arrows between rooms, .* 0 circles", done.stdout)


@pytest.mark.parametrize("room", ["checking", "oracle", "case"])
def test_checking_oracle_and_case_neither_import_nor_name_tvm(room):
    named = [
        f"{path.name}:{number}: {line.strip()}"
        for path in sorted((ROOT / "harness" / room).rglob("*.py"))
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if re.search(r"tvm|topi|relax\.(op|nn)", line, flags=re.IGNORECASE)
    ]
    assert not named


# --- faces ---------------------------------------------------------------------------------------------


def faces():
    """Room -> what its ``__init__`` exports: names that others import from the room, not from within it."""
    found = {}
    for path in sorted((ROOT / "harness").rglob("__init__.py")):
        room = ".".join(("foldproof", *path.parent.relative_to(ROOT / "harness").parts))
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
                found[room] = set(ast.literal_eval(node.value))
    return {room: names for room, names in found.items() if room != "foldproof"}


def imports(path):
    """(module, name, line) of every ``from foldproof... import``."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("foldproof"):
            yield from ((node.module, alias.name, node.lineno) for alias in node.names)


def module_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    if parts[0] == "harness":
        return ".".join(("foldproof", *parts[1:]))
    return ".".join(("foldproof.strategies", *parts[1:])) if parts[0] == "strategies" else ".".join(parts)


def test_deep_imports_go_through_the_face_of_a_room():
    rooms = faces()
    assert "foldproof.case" in rooms
    deep = []
    for path in SOURCES:
        importer = module_of(path)
        for module, name, line in imports(path):
            for room, names in rooms.items():
                outside = not importer.startswith(f"{room}.") and importer != f"{room}.__init__"
                if module.startswith(f"{room}.") and name in names and outside:
                    deep.append(f"{path.relative_to(ROOT)}:{line}: import {name} from {room}, not from {module}")
    assert not deep, "\n".join(deep)


def test_private_names_are_imported_by_nobody():
    private = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in SOURCES
        for _, name, line in imports(path)
        if name.startswith("_") and name != "__version__"
    ]
    assert not private


# --- one name ------------------------------------------------------------------------------------------


def test_the_package_has_one_name():
    """``harness`` at the top of the repository is the package under another name: importing it raises."""
    for name in ("harness", "strategies"):
        done = subprocess.run(
            [sys.executable, "-c", f"import {name}"], cwd=ROOT, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 1
        assert "foldproof" in done.stderr.splitlines()[-1]


def test_nothing_imports_harness_or_strategies():
    wrong = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in SOURCES
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if re.match(r"\s*(from|import) (harness|strategies)\b", line) and path.name != "test_fresh_environment.py"
    ]
    assert not wrong
