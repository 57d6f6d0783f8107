"""Processor time a file to find inputs and name outputs, at 10,000 and 100,000 files: python -m benchmarks.many_files

Of pictures that all have names of their own and of pictures that are all called the same, at first and again when
the outputs are there. A ratio of 1 is linear.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from facial_keypoints.inputs.search import find_sources
from facial_keypoints.outputs.ledger import LEDGER
from facial_keypoints.outputs.output_folder import OutputFolder

_PICTURE = b"P5 1 1 255 \0"
_COUNTS = (10_000, 100_000)


def make(folder: Path, count: int, *, same_name: bool) -> None:
    """`count` pictures of one pixel, a hundred to a folder."""
    for number in range(count):
        place = folder / f"{number if same_name else number // 100:06d}"
        place.mkdir(exist_ok=True)
        (place / ("me.pgm" if same_name else f"{number:06d}.pgm")).write_bytes(_PICTURE)


def find(folder: Path, output: Path) -> int:
    """Find all inputs of `folder` and name what is made of each; how many there are."""
    inputs = find_sources([str(folder)], OutputFolder(output))
    names = {source.name for source in inputs.sources}
    assert len(names) == len(inputs.sources)
    return len(names)


def write_outputs(folder: Path, output: Path) -> None:
    """An output for every input, as a run leaves them."""
    results = OutputFolder(output)
    for source in find_sources([str(folder)], results).sources:
        with results.target(source.name, source.path).writing(".json") as partial:
            partial.write_text("{}")
    assert (output / LEDGER).is_file()


def processor_seconds(work: Callable[[], object]) -> float:
    """Waiting for a disk, whose memory holds ten thousand files better than a hundred thousand, does not count."""
    start = time.process_time()
    work()
    return time.process_time() - start


def microseconds_a_file(count: int, *, same_name: bool) -> tuple[float, float]:
    """At first, and with all outputs there."""
    with tempfile.TemporaryDirectory() as scratch:
        folder, output = Path(scratch, "in"), Path(scratch, "out")
        folder.mkdir()
        make(folder, count, same_name=same_name)
        first = processor_seconds(lambda: find(folder, output))
        write_outputs(folder, output)
        again = processor_seconds(lambda: find(folder, output))
    return 1e6 * first / count, 1e6 * again / count


def main() -> None:
    for same_name in (False, True):
        few, many = (microseconds_a_file(count, same_name=same_name) for count in _COUNTS)
        kind = "all called the same" if same_name else "each its own name"
        for when, one, other in zip(("at first", "with outputs there"), few, many, strict=True):
            print(
                f"{kind}, {when}: {one:.0f} µs a file of {_COUNTS[0]:,}, {other:.0f} of {_COUNTS[1]:,}; "
                f"ratio {other / one:.2f}"
            )


if __name__ == "__main__":
    main()
