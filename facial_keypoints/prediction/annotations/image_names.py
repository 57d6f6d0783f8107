"""Names under which annotation tools look for the images of a run."""

import os
from collections.abc import Sequence
from pathlib import Path

from facial_keypoints.core.text import storable
from facial_keypoints.inputs.source import Source


class ImageNames:
    """Names relative to the folder that holds all pictures and videos, so that tools find each below their own root.

    A frame of a video, or a page of a file, is called as if the file were a folder of images: `clip.mp4/frame_000012`
    (counted from 0), `scan.tif/page_2.png` (from 1). What came from an address is called by it, without http://.
    Characters that XML cannot hold, and bytes that are no text, come as escapes.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        folders = {os.path.abspath(source.path.parent) for source in sources if source.path and not source.address}
        self.folder = Path(os.path.commonpath(folders)) if folders else None
        """None where nothing is a file of the user's."""

    def __call__(self, source: Source, frame: int | None) -> str:
        """The name of a picture, or of a frame of a video."""
        name = self._name(source)
        if source.page is not None:
            name += f"/page_{source.page + 1}.png"
        return storable(name if frame is None else f"{name}/frame_{frame:06d}.png")

    def _name(self, source: Source) -> str:
        if source.address:
            return source.address.shown.partition("://")[2]
        return "stdin" if source.path is None else os.path.relpath(source.path, self.folder)
