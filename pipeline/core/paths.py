"""Every file and folder that dvc.yaml names, relative to the folder a stage runs in, and the main workspace."""

import os
import shlex
from pathlib import Path

PARAMS = Path("params.yaml")
LOCK = Path("dvc.lock")

RAW = Path("data/raw")
DATASET = Path("data/dataset.json")
SCHEME = Path("data/scheme.json")
"""What the points of the dataset are; see `facial_keypoints.core.scheme`."""
SAMPLES = Path("data/split/samples.csv")
SPLIT_SUMMARY = Path("reports/split.json")
PROCESSED = Path("data/processed")
PRETRAINED = Path("data/pretrained/weights.safetensors")
MODEL = Path("data/model/model.safetensors")
SHIPPED = Path("facial_keypoints/network/ibug68.onnx")
"""The model that comes with the package; in git."""
VAL_PREDICTIONS = Path("data/predictions/val_frames_keypoints.csv")
TEST_PREDICTIONS = Path("data/predictions/test_frames_keypoints.csv")
PREDICTIONS = {"val": VAL_PREDICTIONS, "test": TEST_PREDICTIONS}
"""Split -> predictions of its frames, in the layout of the label tables."""
TEST_ERRORS = Path("data/predictions/test_errors_percent.npy")
"""(N, K) error of each point of the labelled test faces, in the order of their rows in per_frame.csv."""

HISTORY = Path("reports/history.csv")
METRICS = Path("reports/metrics.json")
CED = Path("reports/ced.csv")
PER_FRAME = Path("reports/per_frame.csv")
RELIABILITY = Path("reports/reliability.csv")
CHARTS = tuple(
    Path("reports/figures", name)
    for name in ("ced.png", "learning_curves.png", "error_by_point.png", "error_by_group.png", "reliability.png")
)
"""Plots of DVC, which shows those of two revisions side by side."""
FIGURES = (*CHARTS, Path("reports/figures/faces.png"), Path("reports/figures/first_layer.png"))
"""What render draws, in its order; the last two show frames."""
MODEL_CARD = Path("reports/model_card.md")

TRACKED = Path("data/tracked.json")
"""Left by track once the run is in MLflow. Out of git: a fresh clone, even with all results, has yet to do so."""

WRITTEN_TO = (
    PROCESSED,
    *sorted(
        {path.parent for path in (DATASET, SAMPLES, PRETRAINED, MODEL, TEST_PREDICTIONS, METRICS, *FIGURES, TRACKED)}
    ),
)
"""Folders in which stages write."""


def workspace_root() -> Path:
    """The main workspace: `$DVC_ROOT` (set by DVC, also inside temporary experiments), else the nearest `.dvc/`."""
    if root := os.environ.get("DVC_ROOT"):
        return Path(root)
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / ".dvc").is_dir()), here)


def way_to(path: Path) -> str:
    """What helps where a file of the checkout's root is not in the present folder."""
    root = workspace_root()
    if root.resolve() != Path.cwd():
        return f"go to the root of the checkout: cd {shlex.quote(str(root))}"
    return f"bring it back: git checkout {path}" if (root / ".dvc").is_dir() else "go to the root of a checkout"


def in_root(command: str) -> str:
    """The command as it is to be typed where we are: DVC finds its stages in the root of the checkout alone."""
    root = workspace_root()
    return command if root.resolve() == Path.cwd() else f"cd {shlex.quote(str(root))} && {command}"
