"""From a face and a network to a folder of figures and the page that shows them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from facial_keypoints.core.scheme import IBUG_68, Scheme
from facial_keypoints.outputs.output_folder import OutputFolder
from pipeline.evaluation.style import png, style
from pipeline.inspection.attention import attention
from pipeline.inspection.drawing import Drawing, Face
from pipeline.inspection.layer_figures import kernels_figure, layer_figure
from pipeline.inspection.layers import choose, convolutions, layer_outputs
from pipeline.inspection.page import Picture, Section, page
from pipeline.inspection.point_figures import attention_figure, uncertainty_figure
from pipeline.inspection.uncertainty import spread
from pipeline.models.forward import keypoints_on_cpu
from pipeline.models.network import KeypointNetwork

VIEWS = 48
DPI = 150
PAGE = "index.html"
_SOURCE = "inspect"
"""What the ledger of the folder says a report is made of: it replaces an earlier one, also of another picture."""


@dataclass(frozen=True)
class Subject:
    """A face as the network sees it."""

    picture: str
    """Name of the file it comes from."""
    crop: np.ndarray
    """(S, S) uint8 frame."""
    scheme: Scheme = IBUG_68
    """What the points of the network are."""


def write_report(
    network: KeypointNetwork,
    subject: Subject,
    folder: OutputFolder,
    *,
    layers: list[str],
    groups: dict[str, list[int]],
    facts: dict[str, str],
) -> Path:
    """Write a PNG for each figure and a page that shows them all.

    Args:
        network: (B, 1, S, S) -> (B, E, K, 2), on the CPU.
        subject: the face that is looked at.
        folder: where the files go.
        layers: names of the layers whose maps and kernels are shown, or none for the last of each size.
        groups: label -> points of a panel of the attention figure.
        facts: name -> value of the table on top of the page.

    Returns:
        The file of the page.

    Raises:
        ModelError: no layer has one of the names.
        DataError: a file of the folder is in the way; then nothing is written.
    """
    files: dict[str, bytes] = {}
    sections = []
    with style():
        for title, text, drawings in _parts(network, subject, layers, groups):
            pictures = []
            for name, drawn in drawings:
                heading_frac = drawn.heading_frac
                files[_file_name(name)] = content = png(drawn.figure, DPI)
                pictures.append(Picture(drawn.title, drawn.detail, _without_top(content, heading_frac)))
            sections += [Section(title, text, pictures)] if pictures else []
    files[PAGE] = page(f"Inside the network: {subject.picture}", facts, sections).encode()
    folder.refuse_foreign(files, _SOURCE)
    for name, content in files.items():
        with folder.writing(name, _SOURCE) as partial:
            partial.write_bytes(content)
    return folder.path / PAGE


def _without_top(png: bytes, share: float) -> bytes:
    """A PNG without its uppermost rows, a share 0..1 of its height."""
    rows = np.asarray(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR))
    return cv2.imencode(".png", rows[round(share * len(rows)) :])[1].tobytes()


def _file_name(figure: str) -> str:
    return f"{re.sub(r'[^a-z0-9]+', '_', figure.lower())}.png"


Named = Iterator[tuple[str, Drawing]]
"""Drawings, each with the name of its file without a suffix."""


def _parts(
    network: KeypointNetwork, subject: Subject, names: list[str], groups: dict[str, list[int]]
) -> Iterator[tuple[str, str, Named]]:
    """Title, text and named figures of each section of the page."""
    crop, picture, scheme = subject.crop, subject.picture, subject.scheme
    chosen = choose(layer_outputs(network, crop), names)  # first, so that a wrong name is told at once
    points = keypoints_on_cpu(network, crop[None])[0].astype(np.float64)
    face = Face(crop, points, scheme)
    sure = spread(network, crop, views=VIEWS, seed=0)
    yield (
        "Certainty",
        _told(_CERTAINTY, scheme),
        iter([("certainty", uncertainty_figure(crop, sure, scheme, picture=picture))]),
    )
    seen = attention(network, crop, points)
    looks = attention_figure(face, seen, groups, picture=picture)
    yield "Attention", _told(_ATTENTION, scheme), iter([("attention", looks)])
    maps = ((f"maps {layer.name}", layer_figure(layer, face, picture=picture)) for layer in chosen)
    yield "Feature maps", _told(_MAPS, scheme), maps
    found = convolutions(network, names).items()
    kernels = ((f"kernels {name}", kernels_figure(name, weights, picture=picture)) for name, weights in found)
    yield "Kernels", _KERNELS, kernels


def _told(text: str, scheme: Scheme) -> str:
    """A text on faces as one on what the points of a scheme are of."""
    return text.replace("face", scheme.thing)


_CERTAINTY = (
    "The same face, found a little rotated, larger or to one side, should give the same points. Where the predictions "
    "spread, the network is uncertain: often along edges, as that of the jaw, where nothing marks a place, and where "
    "something hides the face."
)
_ATTENTION = (
    "A soft patch is laid over one place after another, and the points are predicted again. Bright places are those "
    "the network needs: a point that moves when something far from it is covered is placed by the shape of the whole "
    "face."
)
_MAPS = (
    "The outputs of layers for this face, from the first, which respond to edges, to the last, which respond to parts "
    "of a face. A part of the network may see less than the whole frame; the places where it responds are therefore "
    "drawn back onto the face."
)
_KERNELS = "The weights themselves, white is 0. In the layers that see the gray picture they look like edges and spots."
