"""Which files of the package a module imports, directly or not, found in the source without running it."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NETWORKS_FOLDER = "pipeline/models"
NETWORKS = ROOT / NETWORKS_FOLDER
FRONT_DOOR = ROOT / "pipeline" / "__init__.py"
"""Lends names of other modules, which load only when asked for."""


def imported_modules(path: Path) -> set[str]:
    """Full names of everything `path` imports, also inside functions; relative imports are not used here."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def file_of(module: str) -> Path | None:
    base = ROOT.joinpath(*module.split("."))
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)


def import_closure(start: Path) -> set[str]:
    """Files of the package that `start` needs, as paths below the root, without files that hold no code.

    Networks come as their folder, so that a new one needs no line in dvc.yaml.
    """
    found, waiting = set(), [start]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            modules = {m for m in imported_modules(path) if m.split(".")[0] == "pipeline"}
            waiting += [file for file in map(file_of, sorted(modules)) if file and file != FRONT_DOOR]
            if "pipeline.models.build_network" in modules:  # which imports them by name
                waiting += NETWORKS.glob("*.py")
    files = {path.relative_to(ROOT).as_posix() for path in found if _has_code(path)}
    networks = {file for file in files if Path(file).parent == NETWORKS.relative_to(ROOT)}
    return (files - networks) | {NETWORKS_FOLDER} if len(networks) > 1 else files


def _has_code(path: Path) -> bool:
    return any(not isinstance(node, ast.Expr) for node in ast.parse(path.read_text(encoding="utf-8")).body)
