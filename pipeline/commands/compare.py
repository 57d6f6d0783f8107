"""`keypoints compare`: two runs side by side."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facial_keypoints.core.percent import percent_text
from facial_keypoints.core.terminal import say, tell
from pipeline.commands.fitted_table import say_fitted, say_wrapped

if TYPE_CHECKING:
    from pipeline.experiments.comparison import Difference
    from pipeline.experiments.results import Results

FACES_SHOWN = 6
METRICS = {
    "val NME": "val.nme_percent",
    "val AUC up to 8 %": "val.auc_08_percent",
    "val above 8 %": "val.failure_rate_08_percent",
    "test NME": "test.nme_percent",
    "test NME, unseen people": "test_unseen_people.nme_percent",
}
"""To choose by, then to look at when all is chosen: label -> name."""
COVERAGE = {
    "val points in radii for 50 %": "val.coverage_50_percent",
    "val points in radii for 90 %": "val.coverage_90_percent",
}
"""The same, of runs whose network tells how certain its points are."""


def compare(
    first: Annotated[
        str,
        typer.Argument(metavar="A", help="DVC experiment, revision, MLflow run or workspace."),
    ],
    second: Annotated[str, typer.Argument(metavar="B", help="The same.")] = "workspace",
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the figures.")] = Path("comparison"),
) -> None:
    """Show what two runs were set to, what came of it, and whether the difference is more than chance.

    Chance is that of people: whether the two models would differ so on other people. Whether training again, with
    other seeds, would leave the same one ahead, `keypoints sweep` tests.
    """
    from facial_keypoints.core.errors import DataError
    from pipeline.experiments.comparison import changed, paired
    from pipeline.experiments.lookup import find_results

    a, b = find_results(first), find_results(second)
    try:
        split, difference = paired(a, b)
    except ValueError:
        raise DataError(
            f"{first} is measured on {a.dataset}, {second} on {b.dataset}, without a face in common; run one of them "
            "on the other's frames"
        ) from None
    rows: list[tuple[str, ...]] = []
    for name, (one, other) in changed(a.params, b.params).items():
        rows.append((name, *("" if value is None else str(value) for value in (one, other))))
    told = {label: name for label, name in COVERAGE.items() if name in a.metrics or name in b.metrics}
    for label, name in (METRICS | told).items():
        rows.append((label, *(percent_text(results.metrics.get(name)) for results in (a, b))))
    say_fitted({"": "left", f"A: {a.name}": "left", f"B: {b.name}": "left"}, rows)
    say_wrapped(_sentence(split, difference))
    for path in _draw(a, b, split, difference, output):
        say(str(path))


def _sentence(split: str, difference: "Difference") -> str:
    counted = f"{difference.faces} faces of {difference.people} people"
    return f"NME on {split} of B minus A: {difference}, over {counted}: {difference.verdict}"


def _draw(a: "Results", b: "Results", split: str, difference: "Difference", output: Path) -> list[Path]:
    """Both CEDs, and the faces that differ most where their frames and predictions are here; paths of the figures."""
    from facial_keypoints.core.errors import KeypointsError
    from facial_keypoints.outputs.output_folder import OutputFolder
    from pipeline.core.dataset_scheme import read_scheme
    from pipeline.evaluation.style import png, style
    from pipeline.experiments.comparison_figures import ced_pair_figure, face_pairs_figure
    from pipeline.experiments.most_different_faces import most_different_faces

    nme = a.nme(split), b.nme(split)
    faces = nme[0].index.intersection(nme[1].index)
    names = (f"A: {a.name}", f"B: {b.name}")
    with style():
        title = f"{difference.verdict[0].upper()}{difference.verdict[1:]}"
        detail = f"{len(faces):,} labelled {split} faces"
        curves = ced_pair_figure(nme[0][faces], nme[1][faces], names, title=title, detail=detail, dataset=b.dataset)
        figures = {"ced.png": curves}
        try:
            pair = most_different_faces(a, b, split, FACES_SHOWN)
            scheme = read_scheme()
            figures["faces.png"] = face_pairs_figure(*pair, names, dataset=b.dataset, scheme=scheme, split=split)
        except KeypointsError as error:
            tell(f"no picture of faces: {error}")
        pictures = {name: png(figure) for name, figure in figures.items()}
    folder = OutputFolder(output)
    folder.refuse_foreign(pictures, "compare")
    for name, picture in pictures.items():
        with folder.writing(name, "compare") as partial:
            partial.write_bytes(picture)
    return [output / name for name in pictures]
