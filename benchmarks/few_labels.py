"""What a start from the shipped model is worth: error by the number of labelled pictures, of other points than its own.

    python -m benchmarks.few_labels     # 20 minutes of one core; goes on where it was stopped

Synthetic faces, each of another person, with 29 points of a convention that the shipped model does not know (see
`points_of`), cut out close to the face. It has never seen a synthetic face either. Both starts take the same steps.
Rates are chosen on val, with 30 pictures, among three for either start; the errors are those on test. Every training is
a row of reports/few_labels.csv; the chart is reports/figures/few_labels.png.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import torch

from benchmarks.few_labels_figure import few_labels_figure
from facial_keypoints.core.geometry import transform_points
from facial_keypoints.core.percent import percent_text, to_percent
from facial_keypoints.core.progress import progress
from facial_keypoints.core.scheme import Contour, Scheme
from pipeline.core import metrics, paths
from pipeline.datasets.synthetic import draw_face, random_identity
from pipeline.evaluation.style import save, style
from pipeline.experiments.params import Params, load_params
from pipeline.export.sample_frames import synthetic_frames
from pipeline.models.forward import predict_crops
from pipeline.models.model_file import Description
from pipeline.models.network import KeypointNetwork
from pipeline.models.onnx_file import open_onnx_file
from pipeline.training.frames import LabelledFrames
from pipeline.training.initial_weights import Weights, load_transferred, new_network
from pipeline.training.start import SCRATCH, SHIPPED, weights_that_serve
from pipeline.training.trainer import fit

TABLE, FIGURE = Path("reports/few_labels.csv"), Path("reports/figures/few_labels.png")
PICTURES = (10, 30, 100, 300)
SEEDS = (0, 1)
STEPS, BATCH = 198, 32
CHOSEN_WITH = 30
"""Pictures with which rates are chosen."""
RATES: dict[str, tuple[tuple[float, float], ...]] = {
    SCRATCH: ((0.003, 1.0), (0.006, 1.0), (0.012, 1.0)),
    SHIPPED: ((0.006, 0.1), (0.006, 0.3), (0.006, 1.0)),
}
"""Of each start `train.lr` and `train.trunk_lr_factor`; a trunk that knows nothing learns as fast as the head."""
FACES = {"train": max(PICTURES), "val": 60, "test": 150}
_SEED = 21
_ROOM_FRAC, _OFF_FRAC = 0.25, 0.05
"""Space on each side of the points in a picture over their extent, and how far its middle may lie off theirs."""
_JAW_POINTS = 11

# The names of the iBUG points whose mean each of the first 18 points is: AFLW's without the chin.
_MEANS = (
    *((17,), (19,), (21,), (22,), (24,), (26,)),
    *((36,), (37, 38, 40, 41), (39,), (42,), (43, 44, 46, 47), (45,)),
    *((31,), (30,), (35,), (48,), (62, 66), (54,)),
)
_JAW = tuple(range(len(_MEANS), len(_MEANS) + _JAW_POINTS))
SCHEME = Scheme(
    name="study-29",
    title="29 points: 18 of AFLW and 11 evenly along the jaw",
    count=len(_MEANS) + _JAW_POINTS,
    mirror_pairs=(
        *((0, 5), (1, 4), (2, 3), (6, 11), (7, 10), (8, 9), (12, 14), (15, 17)),
        *((_JAW[i], _JAW[-1 - i]) for i in range(_JAW_POINTS // 2)),
    ),
    regions={
        "brows": tuple(range(6)),
        "eyes": tuple(range(6, 12)),
        "nose": (12, 13, 14),
        "mouth": (15, 16, 17),
        "jaw": _JAW,
    },
    contours=tuple(
        Contour(line, closed=False) for line in ((0, 1, 2), (3, 4, 5), (6, 7, 8), (9, 10, 11), (15, 16, 17), _JAW)
    ),
    normalizer=(6, 11),
)


@dataclass(frozen=True)
class Training:
    """One of the study; `split` is that on which it is measured."""

    split: str
    start: str
    pictures: int
    seed: int
    lr: float
    trunk_lr_factor: float


def points_of(ibug: np.ndarray) -> np.ndarray:
    """(29, 2) points of SCHEME of a face with (68, 2) points of iBUG.

    Eyes have their middle where iBUG has lids, the mouth one where its inner lips meet, and the jaw is divided evenly.
    """
    jaw = ibug[:17]
    along = np.concatenate([[0], np.linalg.norm(np.diff(jaw, axis=0), axis=1).cumsum()])
    places = np.linspace(0, along[-1], _JAW_POINTS)
    even = np.stack([np.interp(places, along, jaw[:, axis]) for axis in (0, 1)], 1)
    return np.concatenate([[ibug[list(mean)].mean(0) for mean in _MEANS], even])


def draw(split: str, side: int) -> LabelledFrames:
    """The faces of a split, of people that no other split has."""
    number = list(FACES).index(split)
    numbers = progress(range(FACES[split]), label=f"faces of {split}", total=FACES[split], unit="faces")
    images, keypoints = zip(
        *(_square(np.random.default_rng([_SEED, number, one]), side) for one in numbers), strict=True
    )
    return LabelledFrames(torch.from_numpy(np.stack(images)), torch.from_numpy(np.stack(keypoints)), SCHEME)


def _square(rng: np.random.Generator, side: int) -> tuple[np.ndarray, np.ndarray]:
    """(side, side) uint8 picture of a new person and its (29, 2) float32 points in its pixels."""
    rgb, ibug = draw_face(random_identity(rng), rng)
    keypoints = points_of(ibug)
    low, high = keypoints.min(0), keypoints.max(0)
    extent = float((high - low).max())
    scale = side / (extent * (1 + 2 * _ROOM_FRAC))
    middle = (low + high) / 2 + extent * rng.uniform(-_OFF_FRAC, _OFF_FRAC, 2)
    shift = (side - 1) / 2 - scale * middle
    crop_from_source = np.array([[scale, 0, shift[0]], [0, scale, shift[1]], [0, 0, 1]])
    gray = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    square = cv2.warpAffine(gray, crop_from_source[:2], (side, side), borderMode=cv2.BORDER_REPLICATE)
    return square, transform_points(crop_from_source, keypoints).astype(np.float32)


def shipped_weights(params: Params) -> Weights:
    """What pretrain hands to a training of SCHEME that starts from the shipped model."""
    found, network = open_onnx_file(paths.SHIPPED, lambda told: synthetic_frames(told.preprocess.size_px))
    return weights_that_serve(network, found, Description(params.model, params.preprocess, SCHEME))


def train(training: Training, faces: LabelledFrames, weights: Weights) -> KeypointNetwork:
    """Train on `training.pictures` of the faces, which ones the seed decides, from `weights` or from scratch."""
    params, frames = params_of(training), some(faces, training.pictures, training.seed)
    torch.manual_seed(training.seed)
    network = new_network(params.model, params.preprocess, frames)
    if weights:
        load_transferred(network, weights)
    return fit(network, frames, frames.none(), settings=params.train, amounts=params.augment, on_epoch=lambda *_: None)


def params_of(training: Training) -> Params:
    """Those of params.yaml, but for what the study sets."""
    params = load_params()
    settings = replace(
        params.train,
        epochs=STEPS // max(1, training.pictures // BATCH),
        batch_size=BATCH,
        start=training.start,
        lr=training.lr,
        trunk_lr_factor=training.trunk_lr_factor,
        seed=training.seed,
    )
    return replace(params, train=settings)


def some(faces: LabelledFrames, count: int, seed: int) -> LabelledFrames:
    """`count` of the faces; fewer of the same seed are among them."""
    rows = torch.randperm(len(faces), generator=torch.Generator().manual_seed(seed))[:count]
    return replace(faces, images=faces.images[rows], keypoints_crop=faces.keypoints_crop[rows])


def choices() -> Iterator[Training]:
    """Trainings among whose rates one is chosen for each start."""
    for start, rates in RATES.items():
        for lr, factor in rates:
            yield Training("val", start, CHOSEN_WITH, SEEDS[0], lr, factor)


def trainings(table: pd.DataFrame) -> Iterator[Training]:
    """Those that count, with the rates that are best on val by the table of what is done."""
    for seed in SEEDS:
        for pictures in PICTURES:
            for start in RATES:
                yield Training("test", start, pictures, seed, *chosen_rates(table, start))


def chosen_rates(table: pd.DataFrame, start: str) -> tuple[float, float]:
    """Rate and factor of the trunk of the row of a start that is best on val."""
    rows = table[(table["split"] == "val") & (table["start"] == start)].sort_values("nme_percent")
    return float(rows["lr"].iloc[0]), float(rows["trunk_lr_factor"].iloc[0])


def error_percent(keypoints: np.ndarray, faces: LabelledFrames) -> float:
    """Mean NME of (N, K, 2) points, over the distance of the outer eye corners."""
    return to_percent(float(metrics.nme(keypoints, faces.keypoints_crop.numpy(), SCHEME).mean()))


def read_table() -> pd.DataFrame:
    return pd.read_csv(TABLE) if TABLE.exists() else pd.DataFrame(columns=list(Training.__annotations__))


def is_done(training: Training, table: pd.DataFrame) -> bool:
    wanted = asdict(training)
    return bool((table[list(wanted)] == pd.Series(wanted)).all(axis=1).any())


def run_all(asked: Iterator[Training], faces: dict[str, LabelledFrames], weights: dict[str, Weights]) -> None:
    for training in asked:
        if not is_done(training, read_table()):
            print(training, flush=True)
            network = train(training, faces["train"], weights[training.start])
            measured = faces[training.split]
            error = error_percent(predict_crops(network, measured.images.numpy()), measured)
            row = pd.DataFrame([asdict(training) | {"faces": len(measured), "nme_percent": round(error, 3)}])
            row.to_csv(TABLE, mode="a", header=not TABLE.exists(), index=False, lineterminator="\n")


def as_markdown(table: pd.DataFrame) -> str:
    """The table of docs/own-data.md: test NME by pictures and start, the mean over seeds."""
    tested = table[table["split"] == "test"]
    means = tested.pivot_table(index="pictures", columns="start", values="nme_percent")
    rows = [(f"{count}", *(percent_text(means.loc[count, start]) for start in RATES)) for count in means.index]
    head = [("labelled pictures", "NME from scratch", "NME from the shipped model"), ("---",) * 3]
    return "\n".join(f"| {' | '.join(row)} |" for row in [*head, *rows])


def main() -> None:
    torch.set_num_threads(1)
    params = load_params()
    faces = {split: draw(split, params.preprocess.size_px) for split in FACES}
    weights: dict[str, Weights] = {SCRATCH: {}, SHIPPED: shipped_weights(params)}
    run_all(choices(), faces, weights)
    run_all(trainings(read_table()), faces, weights)
    mean = faces["train"].mean_shape.numpy()[None].repeat(len(faces["test"]), 0)
    table = read_table()
    with style():
        save(few_labels_figure(table, mean_face_percent=error_percent(mean, faces["test"])), FIGURE)
    print(as_markdown(table))


if __name__ == "__main__":
    main()
