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
    from pipeline.evaluation.metrics_file import read_metrics
    from pipeline.export.shipped import write_shipped

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


def _data(name: str) -> str:
    """What the dataset is, where it is from and its licence, in one line. Raises ConfigError."""
    from facial_keypoints.core.errors import ConfigError
    from facial_keypoints.core.yaml_files import read_yaml
    from pipeline.datasets.definition import DATASETS

    try:
        told = read_yaml(DATASETS / name / "dataset.yaml")
        return f"{told['title']}; from {told['source']}; licence: {told['licence']}"
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"datasets/{name} does not say what it is ({error!r}); mend its dataset.yaml") from None
