"""The preprocess stage against a bare loop of decode, gray and resize on as many threads, both on data/raw."""

import contextlib
import io
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np

from benchmarks.timing import compare, show
from pipeline.core import paths
from pipeline.experiments.params import load_params
from pipeline.stages import preprocess


def bare_loop(files: list[Path], size_px: int) -> list[np.ndarray]:
    def read(path: Path) -> np.ndarray:
        frame = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        assert frame is not None, path
        return cv2.resize(frame, (size_px, size_px))

    cv2.setNumThreads(1)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(read, files))


def main() -> None:
    section = load_params().preprocess
    files = sorted(paths.RAW.glob("*/*.jpg"))
    with tempfile.TemporaryDirectory() as folder:
        paths.PROCESSED = Path(folder)

        def stage() -> None:
            with contextlib.redirect_stderr(io.StringIO()):
                preprocess.run(preprocess=section)

        mine, theirs = compare(stage, lambda: bare_loop(files, section.size_px), rounds=5)
    show(f"preprocess of {len(files)} frames, {os.cpu_count()} threads", mine, "bare loop", theirs)


if __name__ == "__main__":
    main()
