"""What is measured of a split as its parts come by, in memory that hardly grows with the number of faces."""

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd

from facial_keypoints.core.scheme import Scheme
from pipeline.core.metrics import region_nme
from pipeline.evaluation.measured_faces import MeasuredFaces, MeasuredPart
from pipeline.evaluation.reliability import ToldPoints

RELIABILITY_FACES = 20_000
"""Faces by whose points reliability.csv is made, evenly spread where more are measured."""


class MeasuredSplit:
    """All that reports tell of the faces of a split; to be used when its parts have gone by."""

    def __init__(self, scheme: Scheme, shape_crop: np.ndarray, *, labelled: int, measurable: int) -> None:
        """`shape_crop`: (K, 2) the mean face of the training. How many faces are labelled, and can be measured."""
        self._scheme, self._shape, self._labelled = scheme, shape_crop, labelled
        self._every = max(1, -(-measurable // RELIABILITY_FACES))
        self._table = pd.DataFrame()
        self._shape_nme = [np.zeros(0)]
        self._told: ToldPoints | None = None
        self._told_faces, self._told_at_most = 0, -(-measurable // self._every)
        self._sums, self._counts = np.zeros(scheme.count), np.zeros(scheme.count, int)

    def passing(self, parts: Iterable[MeasuredPart]) -> Iterator[MeasuredPart]:
        """The parts, each summed up before it is handed on."""
        seen, tables = 0, []
        for part in parts:
            tables.append(part.summed_up(self._scheme))
            self._shape_nme.append(part.shape_nme(self._shape, self._scheme))
            self._sums += np.nansum(part.point_errors, 0)
            self._counts += np.isfinite(part.point_errors).sum(0)
            if part.radii is not None and part.distances_in_radii is not None:
                some = slice(-seen % self._every, None, self._every)
                self._keep(part.point_errors[some], part.radii[some], part.distances_in_radii[some])
            seen += len(part.samples)
            yield part
        self._table = pd.concat(tables, ignore_index=True)  # from here on nothing keeps the tables of the parts

    def _keep(self, *of_some: np.ndarray) -> None:
        """Copy the (N, K) values of some faces of a part, in the order of the fields of ToldPoints."""
        if self._told is None:
            self._told = ToldPoints(
                *(np.empty((self._told_at_most, values.shape[1]), values.dtype) for values in of_some)
            )
        rows = slice(self._told_faces, self._told_faces + len(of_some[0]))
        for kept, values in zip(vars(self._told).values(), of_some, strict=True):
            kept[rows] = values
        self._told_faces = rows.stop

    def faces(self) -> MeasuredFaces:
        return MeasuredFaces(self._table, self._labelled - len(self._table))

    def shape_nme(self) -> np.ndarray:
        """(N,) NME of each face where all are given the mean face of the training."""
        return np.concatenate(self._shape_nme)

    def regions(self) -> dict[str, float]:
        """Region -> mean error of its points."""
        return region_nme(self._sums, self._counts, self._scheme)

    def told_points(self) -> ToldPoints | None:
        """The points of the faces by which it is told how certain the network is; None where it tells nothing."""
        return self._told if self._told_faces else None
