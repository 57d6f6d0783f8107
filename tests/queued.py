"""Experiments that several workers of DVC's queue run at once, once for all tests that look at them."""

import shutil

from pipeline.experiments.dvc.queue import put, work_off
from tests.checkout import Checkout

CHANGED = {
    "fetch.synthetic.seed": "1",
    "split.seed": "1",
    "preprocess.size_px": "96",
    "model.coarse_to_fine.fine_width": "12",
    "augment.rotation_deg": "10",
    "pretrain.seed": "1",
    "train.epochs": "1",
    "evaluate.seed": "1",
    "render.seed": "1",
}
"""Of each section a key and another value."""
EXPERIMENTS = {"trained": {"train.seed": "4"}, "other": CHANGED}


def run_all(checkout: Checkout) -> dict[str, str]:
    """Name -> status of what a worker for each made of the experiments; none finds an MLflow store."""
    for store in checkout.folder.glob("mlflow.db*"):
        store.unlink()
    shutil.rmtree(checkout.folder / "mlartifacts")
    with checkout.entered():
        for name, values in EXPERIMENTS.items():
            put(name, values)
        return work_off(EXPERIMENTS, len(EXPERIMENTS), lambda *_: None)
