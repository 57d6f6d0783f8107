"""`keypoints ship`: the trained network as the model that comes with the package."""

from pathlib import Path
from tempfile import TemporaryDirectory

from facial_keypoints.core.percent import percent_text
from facial_keypoints.core.terminal import say


def ship() -> None:
    """Make the file that comes with the package anew, from the model of dvc.lock: after a training, before its commit.

    It is exported as by `keypoints export --int8`, on frames of data/processed, and says how good it is. Beside it lies
    its model card, that of reports/.
    """
    from facial_keypoints.core.atomic_files import whole
    from facial_keypoints.network import SHIPPED
    from pipeline.core import paths
    from pipeline.core.dataset_scheme import read_scheme
    from pipeline.evaluation.metrics_file import read_metrics
    from pipeline.export.shipped import refuse_other_points, write_shipped

    refuse_other_points(read_scheme())
    measured = read_metrics()
    errors = {"val": measured.val.nme_percent, "test": measured.test.nme_percent}
    reported = {split: error for split, error in errors.items() if error is not None}
    with TemporaryDirectory() as folder, whole(SHIPPED) as partial:
        rounded = write_shipped(partial, Path(folder), reported, _data(measured.dataset))
    card = SHIPPED.with_suffix(".md")
    with whole(card) as partial:
        partial.write_bytes(paths.MODEL_CARD.read_bytes())
    for split, error in rounded.items():
        say(f"NME on {split}: {percent_text(error, 3)}, of the trained network {percent_text(reported[split], 3)}")
    say(f"{SHIPPED}: {SHIPPED.stat().st_size / 1e6:.1f} MB; what it is good for says {card}")


def _data(source: str) -> str:
    """What the datasets are, where they are from and their licences, in one line. Raises ConfigError."""
    from pipeline.datasets.definition import find_datasets

    told = (f"{one.title}; from {one.origin}; licence: {one.licence}" for one in find_datasets(source))
    return " + ".join(told)
