"""`keypoints scheme`: look at what the points of a dataset are, and guess which mirror which."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facial_keypoints.core.terminal import say
from facial_keypoints.core.text import amount

if TYPE_CHECKING:
    import numpy as np

    from facial_keypoints.core.scheme import Scheme

_PICTURE = "scheme.png"


def scheme(
    check: Annotated[
        str | None, typer.Option(metavar="FILE", help="Scheme to look at: a scheme.yaml, or the name of one of ours.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="PNG of it to write.", show_default=_PICTURE)
    ] = None,
    guess_pairs: Annotated[
        bool, typer.Option("--guess-pairs", help="Also print mirror pairs guessed from names, else from labels.csv.")
    ] = False,
) -> None:
    """Check a scheme and draw it: each point lies in one region, and mirroring twice changes nothing.

    Without --check, list the schemes that come with the project. Where labels.csv lies beside the file, the points are
    drawn where its labels have them; else as a diagram, a row a pair.
    """
    from pipeline.datasets.shipped_schemes import find_scheme, shipped_names

    if check is None:
        _refuse_without_scheme(output, guess_pairs)
        for name in shipped_names():
            say(f"{name}: {find_scheme(name).title}")
        return
    found = find_scheme(check)
    picture = _picture(output)
    shapes = _labels_beside(Path(check), found)
    midline = found.count - 2 * len(found.mirror_pairs)
    sides = f"{len(found.mirror_pairs)} mirror pairs and {midline} points that keep their number in a mirrored picture"
    say(f"{found.title}: {amount(len(found.regions), 'region')}, {sides}")
    if guess_pairs:
        _tell_guess(found, shapes)
    _draw(found, shapes, picture)


def _refuse_without_scheme(output: Path | None, guess_pairs: bool) -> None:
    """Raise ConfigError for options that say something of a scheme where none is named."""
    from facial_keypoints.core.errors import ConfigError

    if output or guess_pairs:
        name = "--output" if output else "--guess-pairs"
        raise ConfigError(f"{name} is for a scheme; name one with --check, or leave {name} out")


def _picture(output: Path | None) -> Path:
    """The picture to write. Raises ConfigError for a name of anything else."""
    from facial_keypoints.core.errors import ConfigError

    if output is None:
        return Path(_PICTURE)
    if output.suffix.lower() != ".png":
        raise ConfigError(f"--output {output} is no name of a picture to write; let it end in .png")
    return output


def _labels_beside(path: Path, found: "Scheme") -> "list[np.ndarray]":
    """(K, 2) labels whose points are all there, of the table beside a scheme; none without one."""
    from itertools import islice

    from pipeline.datasets.label_table import LABEL_TABLE, read_label_table

    table = path.with_name(LABEL_TABLE)
    if not path.is_file() or not table.is_file():
        return []
    whole = (sample.points for sample in read_label_table(table, found.count) if sample.visibility.all())
    return list(islice(whole, 500))


def _tell_guess(found: "Scheme", shapes: "list[np.ndarray]") -> None:
    import numpy as np

    from facial_keypoints.core.errors import DataError
    from pipeline.importing.mirror_pairs import pairs_by_name, pairs_by_place

    pairs = pairs_by_name(found.point_names)
    how = "names"
    if not pairs:
        if not shapes:
            raise DataError("nothing to guess pairs from: no names with left or right, no labels.csv beside the scheme")
        pairs, how = pairs_by_place(np.array(shapes)), f"{len(shapes)} labels"
    guessed, given = set(pairs), {(min(pair), max(pair)) for pair in found.mirror_pairs}
    say(f"guessed from {how}: mirror_pairs: {[list(pair) for pair in pairs]}")
    for told, odd in (("only guessed", guessed - given), ("only in the scheme", given - guessed)):
        if odd:
            say(f"{told}: {[list(pair) for pair in sorted(odd)]}")


def _draw(found: "Scheme", shapes: "list[np.ndarray]", output: Path) -> None:
    """Write the picture, over nothing but one that this command wrote. Raises DataError."""
    import cv2

    from facial_keypoints.outputs.output_folder import OutputFolder
    from pipeline.importing.scheme_drawing import scheme_drawing

    shape = shapes[0] if shapes else None
    with OutputFolder(output.parent).writing(output.name, "scheme") as partial:
        partial.write_bytes(cv2.imencode(".png", scheme_drawing(found, shape))[1].tobytes())
    say(f"look at {output}: gray lines join mirror pairs, blue ones are contours")
