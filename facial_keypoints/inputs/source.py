"""A picture or video that a command looks at."""

from dataclasses import dataclass
from pathlib import Path

from facial_keypoints.core.text import printable, storable
from facial_keypoints.inputs.addresses import Address
from facial_keypoints.inputs.kinds import Kind, kind_of


@dataclass(frozen=True)
class Source:
    """A picture or video: a file, a page of one, a file that was fetched from an address, or standard input."""

    path: Path | None
    """None for standard input."""
    name: str
    """What its outputs are called, without a suffix; once given by `find_sources`, no other source has it."""
    page: int | None = None
    """Number of one picture of a file that holds several, counted from 0."""
    address: Address | None = None
    """Where the file `path` was fetched from."""

    @property
    def origin(self) -> Path | str | None:
        """What tells it from other sources in the ledger of outputs; None for standard input."""
        return self.address.key if self.address else self.path

    @property
    def stem(self) -> str:
        """The name without what tells it from others: of its file or address, without suffix."""
        return self.address.stem if self.address else "stdin" if self.path is None else self.path.stem

    @property
    def shown(self) -> str:
        """What it is called in messages."""
        shown = printable(self.recorded)
        return shown if self.page is None else f"{shown} page {self.page + 1}"

    @property
    def recorded(self) -> str:
        """What it is called in results, beside its `page`: the path of a file, by which it is found again."""
        if self.address:
            return self.address.shown
        return "standard input" if self.path is None else storable(str(self.path))

    @property
    def is_video(self) -> bool:
        """Whether its content is frames one after another, those of an animation too."""
        return self.path is not None and self.page is None and kind_of(self.path) in (Kind.VIDEO, Kind.ANIMATION)
