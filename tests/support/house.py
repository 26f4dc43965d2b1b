"""The rooms of the package, their layers and their arrows, as the import graph has them: ``make house`` prints them.

The layers are those of the import-linter contract in pyproject.toml; the arrows are read by grimp.
"""

import tomllib
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[2]
PACKAGE = "foldproof"
MOST_LAYERS = 12


@dataclass(frozen=True)
class House:
    """``layers`` from the top, each with its rooms; ``modules`` of each room; ``arrows`` (room, room) -> imports."""

    layers: tuple[tuple[str, ...], ...]
    modules: dict[str, tuple[str, ...]]
    arrows: dict[tuple[str, str], int]
    imports: dict[str, frozenset[str]]

    @property
    def level(self) -> dict[str, int]:
        return {room: level for level, rooms in enumerate(self.layers) for room in rooms}


def read_house() -> House:
    """Read the layers, and build the import graph of the installed package."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [layered] = [contract for contract in contracts if contract["type"] == "layers"]
    layers = tuple(
        tuple(room.strip().removeprefix(f"{PACKAGE}.") for room in layer.replace(":", "|").split("|"))
        for layer in layered["layers"]
    )
    rooms = [room for layer in layers for room in layer]
    graph = grimp.build_graph(PACKAGE, exclude_type_checking_imports=True)
    members, arrows, imports = defaultdict(list), defaultdict(int), {}
    for module in sorted(graph.modules):
        imported = graph.find_modules_directly_imported_by(module)
        imports[module] = frozenset(imported)
        if (room := room_of(module, rooms)) is None:
            continue
        members[room].append(module)
        for other in imported:
            target = room_of(other, rooms)
            if target is not None and target != room:
                arrows[room, target] += 1
    return House(layers, {room: tuple(names) for room, names in members.items()}, dict(arrows), imports)


def room_of(module: str, rooms: list[str]) -> str | None:
    """Return the room that a module stands in; None for the face of the package and ``__main__``."""
    name = module.removeprefix(f"{PACKAGE}.")
    inside = [room for room in rooms if name == room or name.startswith(f"{room}.")]
    return max(inside, key=len, default=None)


def find_circles(arrows: dict[str, frozenset[str]]) -> list[list[str]]:
    """Return circles of a graph, one for each arrow that leads back; empty if there is none."""
    done: set[str] = set()
    circles: list[list[str]] = []

    def visit(node: str, path: list[str]) -> None:
        if node in path:
            circles.append([*path[path.index(node) :], node])
            return
        if node in done:
            return
        for other in sorted(arrows.get(node, ())):
            visit(other, [*path, node])
        done.add(node)

    for node in sorted(arrows):
        visit(node, [])
    return circles


def room_graph(house: House) -> dict[str, frozenset[str]]:
    return {room: frozenset(target for (source, target) in house.arrows if source == room) for room in house.modules}


def main() -> None:
    from rich.console import Console
    from rich.table import Table

    house = read_house()
    table = Table(
        "layer", "room", "modules", "imports", title=f"the rooms of {PACKAGE}", title_justify="left", box=None
    )
    for level, rooms in enumerate(house.layers, start=1):
        for i, room in enumerate(rooms):
            targets = sorted((house.level[t], t, n) for (source, t), n in house.arrows.items() if source == room)
            arrows = ", ".join(f"{target} {n}" for _, target, n in targets)
            table.add_row("" if i else str(level), room, str(len(house.modules.get(room, ()))), arrows or ".")
    console = Console(width=150)
    console.print(table)
    circles = find_circles(room_graph(house)) + find_circles(house.imports)
    console.print(
        f"{len(house.modules)} rooms on {len(house.layers)} layers, {sum(map(len, house.modules.values()))} modules, "
        f"{len(house.arrows)} arrows between rooms, {sum(house.arrows.values())} imports across rooms, "
        f"{len(circles)} circles of rooms or modules"
    )
    for circle in circles:
        console.print("circle: " + " -> ".join(circle))


if __name__ == "__main__":
    main()
