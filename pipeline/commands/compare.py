"""`keypoints compare`: two runs side by side."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.terminal import say, say_table, tell

if TYPE_CHECKING:
    from pipeline.compare import Difference
    from pipeline.results import Results

FACES_SHOWN = 6
METRICS = ("test.nme", "test_known_people.nme", "test_unseen_people.nme", "test.auc_08", "test.failure_rate_08")


def compare(
    first: Annotated[str, typer.Argument(metavar="A", help="DVC experiment, git revision, MLflow run or workspace.")],
    second: Annotated[str, typer.Argument(metavar="B", help="The same.")] = "workspace",
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the figures.")] = Path("comparison"),
) -> None:
    """Show what two runs were set to, what came of it, and whether the difference is more than chance."""
    from pipeline.compare import changed
    from pipeline.errors import DataError
    from pipeline.results import find_results, paired

    a, b = find_results(first), find_results(second)
    try:
        difference = paired(a, b)
    except ValueError:
        raise DataError(
            f"{first} is measured on {a.dataset}, {second} on {b.dataset}, without a face in common; run one of them "
            "on the other's frames"
        ) from None
    rows: list[tuple[str, ...]] = [("", f"A: {a.name}", f"B: {b.name}")]
    for name, (one, other) in changed(a.params, b.params).items():
        rows.append((name, *("" if value is None else str(value) for value in (one, other))))
    for name in METRICS:
        rows.append((name, *(_percent(results.metrics.get(name)) for results in (a, b))))
    say_table(rows)
    say(_sentence(difference))
    for path in _draw(a, b, difference, output):
        say(str(path))


def _percent(fraction: float | None) -> str:
    return "unknown" if fraction is None else f"{100 * fraction:.2f} %"


def _sentence(difference: "Difference") -> str:
    counted = f"{difference.faces} faces of {difference.people} people"
    return f"NME of B minus A: {difference}, over {counted}: {difference.verdict}"


def _draw(a: "Results", b: "Results", difference: "Difference", output: Path) -> list[Path]:
    """Both CEDs, and the faces that differ most where their frames and predictions are here; paths of the figures."""
    from pipeline.comparison_figures import ced_pair_figure, face_pairs_figure
    from pipeline.differing_faces import differing_faces
    from pipeline.errors import PipelineError
    from pipeline.output_folder import OutputFolder
    from pipeline.style import png, style

    faces = a.nme.index.intersection(b.nme.index)
    names = (f"A: {a.name}", f"B: {b.name}")
    with style():
        title = f"{difference.verdict[0].upper()}{difference.verdict[1:]}"
        figures = {"ced.png": ced_pair_figure(a.nme[faces], b.nme[faces], names, title=title, dataset=b.dataset)}
        try:
            pair = differing_faces(a, b, FACES_SHOWN)
            figures["faces.png"] = face_pairs_figure(*pair, names, dataset=b.dataset)
        except PipelineError as error:
            tell(f"no picture of faces: {error}")
        pictures = {name: png(figure) for name, figure in figures.items()}
    folder = OutputFolder(output)
    folder.refuse_foreign(pictures, "compare")
    for name, picture in pictures.items():
        with folder.writing(name, "compare") as partial:
            partial.write_bytes(picture)
    return [output / name for name in pictures]
