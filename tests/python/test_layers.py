"""The subpackages import each other in one direction, and no modules form a cycle."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import emm1

PACKAGE = Path(emm1.__file__).parent
# From the bottom up. A module may import from its own room (subpackage) and from lower layers, not from the same layer.
LAYERS = [
    {"ground"},
    {"embeddings", "media"},
    {"encoders"},
    {"store"},
    {"convert", "curation", "evaluation", "ingest", "sample", "torch"},
    {"explore", "export", "negatives"},
    {"distributed"},
    {"cli"},
    {"process"},
]
# Modules outside of the rooms are the lowest layer, except those that export and run all others.
ENTRY_POINTS = {"__init__": "process", "__main__": "process"}
# A store's methods delegate to higher layers, which they import when they are called.
DELEGATES = {"store.store", "store.encoding", "store.evaluations", "store.curations", "store.exports", "store.findings"}


def test_imports_go_down() -> None:
    height = {room: layer for layer, rooms in enumerate(LAYERS) for room in rooms}
    for module, imported in edges():
        own, other = room(module), room(imported)
        assert own == other or height[other] < height[own], f"emm1.{module} imports emm1.{imported}"


def test_no_circles() -> None:
    graph: dict[str, set[str]] = {}
    for module, imported in edges():
        graph.setdefault(module, set()).add(imported)
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the modules


def test_every_room_is_in_a_layer() -> None:
    rooms = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    assert rooms == set().union(*LAYERS) - {"ground", "process"}


def edges() -> set[tuple[str, str]]:
    """Pairs of a module and a module of emm1 that it imports, at any level, by their names within emm1."""
    names = {
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
        for path in PACKAGE.rglob("*.py")
    }
    found = set()
    for module, path in names.items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        checked = {inner for node in ast.walk(tree) if is_for_types(node) for inner in ast.walk(node)}
        late = {inner for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) for inner in ast.walk(node)}
        skipped = checked | (late if module in DELEGATES else set())
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node not in skipped and (node.module or "").startswith("emm1"):
                base = (node.module or "").removeprefix("emm1").removeprefix(".")
                inside = {".".join(filter(None, (base, alias.name))) for alias in node.names}
                found |= {(module, name) for name in (inside & names.keys()) or {base} & names.keys()}
    return found


def is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def room(module: str) -> str:
    head = module.partition(".")[0]
    return ENTRY_POINTS.get(head, head if (PACKAGE / head).is_dir() else "ground")
