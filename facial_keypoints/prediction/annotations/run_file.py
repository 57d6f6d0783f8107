"""One file of all that a run found, for tools that take whole folders at once: COCO's JSON or CVAT's XML."""

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from facial_keypoints.core.scheme import Scheme
from facial_keypoints.core.terminal import write_output
from facial_keypoints.core.text import storable
from facial_keypoints.inputs.source import Source
from facial_keypoints.outputs.output_folder import OutputFolder
from facial_keypoints.prediction.annotations.coco import coco_text
from facial_keypoints.prediction.annotations.cvat import cvat_text
from facial_keypoints.prediction.annotations.image_names import ImageNames
from facial_keypoints.prediction.annotations.images import Image, image_of
from facial_keypoints.prediction.annotations.journal import Journal, Stamp
from facial_keypoints.prediction.formats import About, FaceWriter, RunFormat

_SUFFIXES: dict[RunFormat, str] = {"coco": ".json", "cvat": ".xml"}


class RunFile:
    """Collects what is found in the sources of one run, in a journal, and makes the file of it."""

    def __init__(
        self, journal: Journal, sources: Sequence[Source], scheme: Scheme, info: dict[str, str], *, radii: bool
    ) -> None:
        """`scheme`: what the points are, perhaps with `radii`; `info`: how they were predicted, for the file's head."""
        self._journal, self._scheme, self._radii, self._info = journal, scheme, radii, info
        self._stamps = {source: _stamp(source) for source in sources}
        found = {source: journal.found.get(_key(source)) for source in sources}
        self.kept = {
            source: of.faces for source, of in found.items() if of and of.stamp and of.stamp == self._stamps[source]
        }
        """How many faces there are in sources that an interrupted run was done with and that are as they were."""
        journal.keep(_key(source) for source in self.kept)

    def writing(self, source: Source, about: About) -> AbstractContextManager[FaceWriter]:
        """The writer of the faces of one source."""
        return self._journal.writing(_key(source), about)

    def finish(self, source: Source, faces: int) -> None:
        """Note that all is written that is made of a source, in which there are so many faces."""
        self._journal.finish(_key(source), self._stamps[source], faces)

    def write(self, form: RunFormat, output: OutputFolder | None, inputs: str) -> Path | None:
        """Write the file, to standard output where there is no folder; returns which file it is.

        `inputs` tells them from others: a later run of the same inputs writes over the file, no other does.
        """
        if output is None:
            for part in self._text(form, Path()):
                write_output(part.encode())
            return None
        name = output.free_name(f"keypoints.{form}", inputs)
        with (
            output.claimed_target(name, inputs) as target,
            target.writing(_SUFFIXES[form]) as partial,
            partial.open("w", encoding="utf-8", newline="\n") as file,
        ):
            file.writelines(self._text(form, output.path))
        return output.path / f"{target.name}{_SUFFIXES[form]}"

    def _text(self, form: RunFormat, start: Path) -> Iterator[str]:
        """The parts of the file, in which the folder of the images stands relative to `start`."""
        names = ImageNames(list(self._stamps))
        info = {"description": f"{self._scheme.title}, predicted"} | self._info
        if names.folder:
            info["image_folder"] = storable(os.path.relpath(names.folder, start))

        def images() -> Iterator[Image]:
            for source in self._stamps:
                for record in self._journal.records(_key(source)):
                    yield image_of(names(source, record.get("frame")), record)

        return coco_text(images, self._scheme, info) if form == "coco" else cvat_text(images(), info, self._radii)


def _key(source: Source) -> str:
    origin = source.address.key if source.address else os.path.abspath(source.path) if source.path else "-"
    return origin if source.page is None else f"{origin} page {source.page}"


def _stamp(source: Source) -> Stamp:
    """What changes when a file does; None for what is no file of the user's, or is gone."""
    if source.path is None or source.address:
        return None
    try:
        status = source.path.stat()
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns]
