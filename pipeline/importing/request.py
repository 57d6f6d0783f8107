"""What is asked of an import."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Request:
    """What to import, and how."""

    format: str
    labels: Path
    images: Path
    name: str
    scheme: str | None
    """Name of a shipped scheme, or a file; None: that of the format, else what the labels tell."""
    first_pixel: float | None
    """Coordinate that the labels give the centre of the top left pixel; None: as the format has it."""
    stored: bool
    """Whether labels are of pictures as they are stored, not as EXIF has them shown."""
    test_frac: float
    """Share of the groups that are held out for the test, where the labels name none."""
    seed: int
    """Of the choice of groups."""
    skip_faulty: bool
    licence: str
    group_by: str | None = None
    """What is kept together in one split; see `pipeline.importing.samples.group_of`."""
    test_labels: Sequence[Path] = ()
    """Files, or folders of such, that are the official test; all others train."""
    test_images: Path | None = None
    """Folder of their pictures; None: beside them, or where they lie among the other labels as theirs."""
