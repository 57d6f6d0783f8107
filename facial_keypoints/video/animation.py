"""Animated pictures (GIF, APNG, WebP, AVIF) as frames with their times, read by Pillow."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import count
from pathlib import Path

from PIL import Image

from facial_keypoints.core.errors import DataError
from facial_keypoints.inputs.pictures import FRAME_PIXEL_LIMIT
from facial_keypoints.inputs.rgb import rgb_of
from facial_keypoints.video.times import Decoded

_FORMATS = ("GIF", "PNG", "WEBP", "AVIF")
_USUAL_MS = 100
"""How long browsers show a frame that should last _SHORTEST_MS or less."""
_SHORTEST_MS = 10


class Animation:
    """An animated picture; goes through its frames each time that it is iterated over."""

    rate = Fraction(1000, _USUAL_MS)
    frame_count, stated_s = 0, 0.0  # to know them, all frames would have to be read
    start, has_sound, sound_start = Fraction(0), False, None

    def __init__(self, path: Path) -> None:
        self._path = path
        self.faults: list[str] = []
        """What was wrong, once all has been read."""

    def __iter__(self) -> Iterator[Decoded]:
        """Raises DataError for frames of too many pixels."""
        try:
            with Image.open(self._path, formats=_FORMATS) as image:
                yield from self._frames(image)
        except EOFError:  # there are no more
            return
        except DataError:
            raise
        except Exception as error:  # decoders raise whatever damaged bytes lead them to
            self.faults.append(str(error) or type(error).__name__)

    def _frames(self, image: Image.Image) -> Iterator[Decoded]:
        """The frames until EOFError. Raises DataError, and whatever Pillow raises for damaged ones."""
        if image.width * image.height > FRAME_PIXEL_LIMIT:
            raise DataError(f"{self._path} has frames of {image.width} x {image.height} pixels; make them smaller")
        at = Fraction(0)
        # A PNG may begin with a picture for those who cannot show its frames; it is none of them (PNG 3, 4.9).
        for number in count(int(getattr(image, "default_image", False))):
            image.seek(number)
            shown = rgb_of(image.copy())  # some formats tell only then how long the frame lasts
            told_ms = image.info.get("duration") or 0
            lasts = Fraction(round(1000 * (told_ms if told_ms > _SHORTEST_MS else _USUAL_MS)), 1_000_000)
            yield Decoded(shown, at, lasts)
            at += lasts
