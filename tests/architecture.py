"""The rooms of both packages: who may import whom, and which of them each stage of dvc.yaml depends on."""

import ast
from functools import cache
from pathlib import Path

import grimp

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("facial_keypoints", "pipeline")
LIBRARY, CORES = "facial_keypoints", ("facial_keypoints.core", "pipeline.core")

MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "facial_keypoints.core": (),
    "facial_keypoints.mean_face": ("facial_keypoints.core",),
    "facial_keypoints.network": ("facial_keypoints.core",),
    "facial_keypoints.finding": ("facial_keypoints.core", "facial_keypoints.mean_face"),
    "facial_keypoints.detector": ("facial_keypoints.core", "facial_keypoints.finding", "facial_keypoints.network"),
    "facial_keypoints.outputs": ("facial_keypoints.core",),
    "facial_keypoints.inputs": ("facial_keypoints.core", "facial_keypoints.outputs"),
    "facial_keypoints.video": ("facial_keypoints.core", "facial_keypoints.inputs", "facial_keypoints.outputs"),
    "facial_keypoints.prediction": (
        "facial_keypoints.core",
        "facial_keypoints.finding",
        "facial_keypoints.detector",
        "facial_keypoints.outputs",
        "facial_keypoints.inputs",
        "facial_keypoints.video",
    ),
    "facial_keypoints.filters": (
        "facial_keypoints.core",
        "facial_keypoints.mean_face",
        "facial_keypoints.finding",
        "facial_keypoints.detector",
        "facial_keypoints.outputs",
        "facial_keypoints.inputs",
        "facial_keypoints.video",
        "facial_keypoints.prediction",
    ),
    "facial_keypoints.commands": (LIBRARY,),
    "facial_keypoints.cli": (LIBRARY,),
    "facial_keypoints": (),
    "pipeline.core": ("facial_keypoints.core",),
    "pipeline.datasets": (*CORES, "facial_keypoints.mean_face"),
    "pipeline.importing": (*CORES, "facial_keypoints.finding", "pipeline.datasets"),
    "pipeline.models": CORES,
    "pipeline.training": (*CORES, "pipeline.models", "pipeline.datasets"),
    "pipeline.evaluation": (*CORES, "pipeline.models"),
    "pipeline.export": (*CORES, "pipeline.models", "pipeline.datasets"),
    "pipeline.inspection": (*CORES, LIBRARY, "pipeline.models", "pipeline.evaluation"),
    "pipeline.experiments": (*CORES, "pipeline.models", "pipeline.evaluation", "pipeline.export"),
    "pipeline.stages": (
        *CORES,
        "pipeline.datasets",
        "pipeline.models",
        "pipeline.training",
        "pipeline.evaluation",
        "pipeline.experiments",
    ),
    "pipeline.commands": PACKAGES,
    "pipeline.cli": PACKAGES,
    "pipeline.__main__": ("pipeline.cli",),
    "pipeline.repro": PACKAGES,
    "pipeline": (),
}
"""Of each room, and each module that stands beside them, what else of ours it may import.

Any module of the pipeline may import the `settings` of another room.
"""

ONLY_IN = {
    "mlflow": ("pipeline.experiments.tracking",),
    "optuna": ("pipeline.experiments.sweeps",),
    "dvc": ("pipeline.experiments.dvc.internals",),
    "dvc_data": ("pipeline.experiments.dvc.internals",),
    "pydantic": ("pipeline",),
    "torch": ("pipeline",),
    "pandas": ("pipeline",),
    "typer": (
        "facial_keypoints.cli",
        "facial_keypoints.commands",
        "pipeline.cli",
        "pipeline.commands",
        "pipeline.repro",
    ),
}
"""Packages of others that stay in some rooms."""

NOT_NEEDED = {
    # What MLflow shows of a training cannot change its weights, nor can where it keeps those that one starts from.
    "pretrain": ("pipeline.experiments",),
    "train": ("pipeline.experiments",),
}
"""What a stage imports though a change of it need not run the stage again, with the reason.

Nor need one of another room's `settings`: the values count, and those DVC follows by `params`.
"""


@cache
def graph() -> grimp.ImportGraph:
    """Every import of both packages, also inside functions, but not those for type checkers alone."""
    return grimp.build_graph(
        *PACKAGES, include_external_packages=True, exclude_type_checking_imports=True, cache_dir=None
    )


def modules() -> list[str]:
    """All modules of both packages."""
    return sorted(module for module in graph().modules if module.split(".")[0] in PACKAGES)


def room(module: str) -> str:
    """The room, or the module beside the rooms, that holds a module."""
    return ".".join(module.split(".")[:2])


def lies_in(module: str, places: tuple[str, ...]) -> bool:
    """Whether a module is one of the packages or modules `places`, or lies in one."""
    return any(module == place or module.startswith(f"{place}.") for place in places)


def is_settings(module: str) -> bool:
    """Whether a module holds the settings of a room of the pipeline."""
    return module.startswith("pipeline.") and module.endswith(".settings")


def needed_by(stage: str) -> set[str]:
    """Modules that a stage imports, directly or not, without settings and what NOT_NEEDED names."""
    found, waiting = set(), [f"pipeline.stages.{stage}"]
    while waiting:
        module = waiting.pop()
        if module not in found and not is_settings(module) and not lies_in(module, NOT_NEEDED.get(stage, ())):
            found.add(module)
            waiting += [name for name in graph().find_modules_directly_imported_by(module) if name in modules_as_set()]
    return found


@cache
def modules_as_set() -> frozenset[str]:
    return frozenset(modules())


def imported_modules(path: Path) -> set[str]:
    """Full names of everything that a file imports, found without running it, also inside functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names
